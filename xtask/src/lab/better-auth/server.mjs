// The application of the lab: better-auth with all data in memory, the plugins `admin` and `bearer`, an additional field with the
// customer, and mails to an SMTP server whose port `/mail-server?port=…` sets.
//
// `node server.mjs settings.json`: the settings have the port, the administrator and the sample users.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { toNodeHandler } from 'better-auth/node';
import { admin, bearer } from 'better-auth/plugins';
import { createTransport } from 'nodemailer';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const origin = `http://127.0.0.1:${settings.port}`;
const stored = { user: [], session: [], account: [], verification: [] };

/** Sends mails. Without a mail server there is none. */
let transport;

const mail = (subject) => async ({ user, url }) => {
  await transport?.sendMail({ from: 'app@vandelay.example', to: user.email, subject, text: url });
};

const auth = betterAuth({
  baseURL: origin,
  secret: settings.secret,
  database: memoryAdapter(stored),
  emailAndPassword: { enabled: true, sendResetPassword: mail('Reset your password') },
  emailVerification: { sendVerificationEmail: mail('Verify your address') },
  rateLimit: { enabled: false },
  user: { additionalFields: { customerId: { type: 'string', required: false, input: false } } },
  plugins: [admin(), bearer()],
});

/** Creates a user with a password, and sets its other fields in the store. */
async function add({ email, password, name, ...fields }) {
  const { user } = await auth.api.signUpEmail({ body: { email, password, name } });
  Object.assign(stored.user.find(({ id }) => id === user.id), fields);
  return user.id;
}

await add({ ...settings.administrator, name: 'Bridge', role: 'admin' });
for (const user of settings.users) {
  const { email, password, username, customer, email_verified, enabled } = user;
  user.id = await add({ email, password, name: username, customerId: customer, emailVerified: email_verified, banned: !enabled });
}

const answer = toNodeHandler(auth);
createServer((request, response) => {
  const url = new URL(request.url, origin);
  switch (url.pathname) {
    case '/api/auth/mail-server':
      transport = createTransport({ host: '127.0.0.1', port: Number(url.searchParams.get('port')), secure: false, ignoreTLS: true });
      return response.end('{}');
    case '/lab/users':
      return response.end(JSON.stringify(settings.users));
    default:
      return answer(request, response);
  }
}).listen(settings.port, '127.0.0.1');
