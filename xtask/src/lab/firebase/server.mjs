// The lab's Firebase Authentication: the emulator of firebase-tools with sample users, and a token endpoint for its service account.
//
// `node server.mjs settings.json`: the settings have the port, the project, the service account and the sample users.

import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import emulator from 'firebase-tools/lib/emulator/auth/server.js';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const origin = `http://127.0.0.1:${settings.port}`;

/** The key of the service account stays when the server is started again. */
const keyFile = `${process.argv[2]}.pem`;
if (!existsSync(keyFile)) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
}
const privateKey = readFileSync(keyFile, 'utf8');

/** Whether an assertion (RFC 7523) is of the service account. Its audience is not checked, since proxies of the suite change it. */
function isOwn(assertion) {
  const [head, payload, signature] = (assertion ?? '').split('.');
  if (!signature || !verify('sha256', `${head}.${payload}`, createPublicKey(privateKey), Buffer.from(signature, 'base64url'))) {
    return false;
  }
  const { iss, exp } = JSON.parse(Buffer.from(payload, 'base64url'));
  return iss === settings.client_email && exp > Date.now() / 1000;
}

async function issue(request, response) {
  const isGranted = isOwn(new URLSearchParams(await text(request)).get('assertion'));
  // The emulator gives this token all rights.
  const token = { access_token: 'owner', token_type: 'Bearer', expires_in: 3600 };
  response.writeHead(isGranted ? 200 : 400, { 'content-type': 'application/json' });
  response.end(JSON.stringify(isGranted ? token : { error: 'invalid_grant' }));
}

async function add({ email, password, customer, email_verified, enabled }) {
  const accounts = `${origin}/identitytoolkit.googleapis.com/v1/projects/${settings.project}/accounts`;
  const send = async (url, body) => {
    const headers = { authorization: 'Bearer owner', 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!response.ok) {
      throw new Error(await response.text());
    }
    return response.json();
  };
  const { localId } = await send(accounts, { email, password, emailVerified: email_verified });
  const customAttributes = JSON.stringify(customer ? { customer_id: customer } : {});
  await send(`${accounts}:update`, { localId, disableUser: !enabled, customAttributes });
  return localId;
}

const app = await emulator.createApp(settings.project);
let isReady = false;
createServer((request, response) => {
  switch (request.url) {
    case '/token':
      return issue(request, response);
    case '/lab':
      response.statusCode = isReady ? 200 : 503;
      return response.end(JSON.stringify({ users: settings.users, private_key: privateKey }));
    default:
      return app(request, response);
  }
}).listen(settings.port, '127.0.0.1', async () => {
  for (const user of settings.users) {
    user.id = await add(user);
  }
  isReady = true;
});
