// The application of the lab: Parse Server with the field of the customer, which no user can write, and mails to an SMTP server
// whose port `/parse/mail-server?port=…` sets.
//
// `node server.mjs settings.json`: the settings have the port, the URL of the database, the keys and the sample users.

import { readFileSync } from 'node:fs';
import { createTransport } from 'nodemailer';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const url = `http://127.0.0.1:${settings.port}/parse`;

// Read by the package when it is imported: no log files.
process.env.PARSE_SERVER_LOGS_FOLDER = 'null';
const { ParseServer } = await import('parse-server');

/** Sends mails. Without a mail server there is none. */
let transport;

const mail = (subject) => async ({ user, link }) => {
  await transport?.sendMail({ from: 'app@wonka.example', to: user.get('email'), subject, text: link });
};

/** Requests of the lab and of the suite, before those of Parse Server. */
function control(request, response, next) {
  switch (request.path) {
    case '/parse/mail-server':
      transport = createTransport({ host: '127.0.0.1', port: Number(request.query.port), secure: false, ignoreTLS: true });
      // The definition requires this header of Parse Server.
      return response.set('access-control-expose-headers', 'X-Parse-Job-Status-Id').json({});
    case '/lab/users':
      return settings.users.every(({ id }) => id) ? response.json(settings.users) : response.sendStatus(503);
    default:
      return next();
  }
}

await ParseServer.startApp({
  appId: settings.app_id,
  appName: 'lab',
  masterKey: settings.master_key,
  databaseURI: settings.database,
  host: '127.0.0.1',
  port: settings.port,
  mountPath: '/parse',
  serverURL: url,
  publicServerURL: url,
  logLevel: 'error',
  middleware: control,
  // A new user gets no mail.
  verifyUserEmails: ({ resendRequest }) => resendRequest === true,
  emailAdapter: {
    sendMail: mail('A mail'),
    sendVerificationEmail: mail('Verify your address'),
    sendPasswordResetEmail: mail('Reset your password'),
  },
  schema: {
    definitions: [
      {
        className: '_User',
        fields: { customerId: { type: 'String' } },
        classLevelPermissions: { find: {}, count: {}, get: {}, create: {}, update: {}, delete: {}, addField: {} },
      },
    ],
  },
});

async function send(method, path, body) {
  const headers = { 'x-parse-application-id': settings.app_id, 'x-parse-master-key': settings.master_key };
  const response = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

for (const user of settings.users) {
  const { email, password, customer, email_verified } = user;
  const { objectId } = await send('POST', '/users', { username: email, email, password, customerId: customer });
  await send('PUT', `/users/${objectId}`, { emailVerified: email_verified });
  user.id = objectId;
}
