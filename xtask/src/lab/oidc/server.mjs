// The OpenID Provider of the lab: node-oidc-provider with all data in memory, and a few paths below /lab, through which tests
// create users and read the logout tokens that were sent to applications.
//
// `node server.mjs settings.json`: the settings have the port, the control key, the clients and the sample users.

import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const issuer = `http://127.0.0.1:${settings.port}`;

/** The users by id: email, email_verified, password, customer, blocked. */
const users = new Map();

for (const { id, email, email_verified, password, customer, enabled } of settings.users) {
  users.set(id, { email, email_verified, password, customer, blocked: !enabled });
}

/** Returns the user, unless blocked. */
const allowed = (id) => {
  const user = users.get(id);
  return user && !user.blocked ? user : undefined;
};

/** Returns the claims of a user in userinfo and introspection. A claim without a value is absent. */
const claimsOf = (id, { email, email_verified, customer }) =>
  JSON.parse(JSON.stringify({ sub: id, email, email_verified, customer_id: customer ?? undefined }));

/** Stores all issued data. The default adapter of the provider keeps at most a thousand entries. */
const stored = new Map();

class Memory {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload) {
    stored.set(this.key(id), payload);
  }

  async find(id) {
    return stored.get(this.key(id));
  }

  async findByUid(uid) {
    return this.first((payload) => payload.uid === uid);
  }

  async findByUserCode(code) {
    return this.first((payload) => payload.userCode === code);
  }

  async consume(id) {
    stored.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    stored.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, payload] of stored) {
      if (payload.grantId === grantId) stored.delete(key);
    }
  }

  first(fits) {
    for (const [key, payload] of stored) {
      if (key.startsWith(`${this.model}:`) && fits(payload)) return payload;
    }
    return undefined;
  }
}

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };

const application = (id, secret, more = {}) => ({
  client_id: id,
  ...(secret ? { client_secret: secret } : { token_endpoint_auth_method: 'none' }),
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  redirect_uris: [settings.redirect_uri],
  post_logout_redirect_uris: [settings.post_logout_redirect_uri],
  backchannel_logout_uri: `${issuer}/lab/backchannel-logout`,
  backchannel_logout_session_required: true,
  ...more,
});

const { app, public_app, stranger, bridge } = settings.clients;

/** Grants every application without a consent page. */
async function grant(ctx) {
  const { client, session, params } = ctx.oidc;
  const known = ctx.oidc.result?.consent?.grantId ?? session.grantIdFor(client.clientId);
  if (known) return ctx.oidc.provider.Grant.find(known);
  const made = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  made.addOIDCScope(params.scope);
  await made.save();
  return made;
}

const provider = new Provider(issuer, {
  adapter: Memory,
  jwks: { keys: [key] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  clients: [
    application(app.id, app.secret, {
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      scope: 'openid offline_access email customer',
    }),
    application(public_app.id),
    application(stranger.id, stranger.secret),
    { client_id: bridge.id, client_secret: bridge.secret, grant_types: [], response_types: [], redirect_uris: [] },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], customer: ['customer_id'] },
  features: {
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    dPoP: { enabled: true },
    introspection: {
      enabled: true,
      // The provider itself does not look up the account: without this, the tokens of blocked users would be active.
      allowedPolicy: (ctx, client, token) => client.clientId === bridge.id && (!token.accountId || Boolean(allowed(token.accountId))),
    },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  findAccount: (ctx, id) => {
    const user = allowed(id);
    return user && { accountId: id, claims: () => claimsOf(id, user) };
  },
  // Adds the customer to introspection.
  extraTokenClaims: (ctx, token) => {
    const user = token.accountId && users.get(token.accountId);
    return user ? claimsOf(token.accountId, user) : undefined;
  },
  // The default dispatcher refuses the addresses of this machine.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  interactions: { url: (ctx, interaction) => `/lab/login/${interaction.uid}` },
  issueRefreshToken: () => true,
  loadExistingGrant: grant,
  pkce: { required: (ctx, client) => client.clientAuthMethod === 'none' },
  rotateRefreshToken: false,
  ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 86_400, IdToken: 300, Interaction: 600, RefreshToken: 86_400, Session: 86_400 },
});

provider.on('backchannel.error', (ctx, error) => console.error(error));
provider.on('server_error', (ctx, error) => console.error(error));

/** The latest logout token of each session, received over the back channel. */
const logouts = new Map();

const textOf = async (request) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
};

const answer = (response, status, body) => {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(body === undefined ? '' : JSON.stringify(body));
};

const page = (response, status, body) => {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(`<!doctype html><title>Lab</title>${body}`);
};

/** The login page. */
async function logIn(request, response) {
  const { prompt, params, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === 'consent') {
    const consented = grantId ? await provider.Grant.find(grantId) : undefined;
    consented?.addOIDCScope(params.scope);
    const result = { consent: consented ? { grantId: await consented.save() } : {} };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
  }
  const form = '<form method="post"><label>Email <input name="email" type="email"></label>'
    + '<label>Password <input name="password" type="password"></label><button>Log in</button></form>';
  if (request.method !== 'POST') return page(response, 200, form);
  const given = new URLSearchParams(await textOf(request));
  const found = [...users].find(([, user]) => user.email && user.email === given.get('email'));
  if (!found || !found[1].password || found[1].password !== given.get('password') || found[1].blocked) {
    return page(response, 403, `<p>Wrong email or password.</p>${form}`);
  }
  return provider.interactionFinished(request, response, { login: { accountId: found[0] } });
}

/** The paths for tests, which need the control key. */
async function stage(request, response, path) {
  if (request.headers.authorization !== `Bearer ${settings.control_key}`) return answer(response, 401);
  const [kind, id] = path;
  if (kind === 'users' && request.method === 'POST') {
    const made = id ?? randomUUID();
    users.set(made, { ...users.get(made), ...JSON.parse(await textOf(request)) });
    return answer(response, 200, { id: made });
  }
  if (kind === 'users' && request.method === 'DELETE') return answer(response, users.delete(id) ? 204 : 404);
  if (kind === 'logouts' && request.method === 'GET') {
    return logouts.has(id) ? answer(response, 200, { logout_token: logouts.get(id) }) : answer(response, 404);
  }
  return answer(response, 404);
}

const provided = provider.callback();

createServer(async (request, response) => {
  const [first, second, ...rest] = new URL(request.url, issuer).pathname.split('/').slice(1);
  if (first !== 'lab') return provided(request, response);
  try {
    if (second === 'ready') return answer(response, 200, {});
    if (second === 'login') return await logIn(request, response);
    if (second === 'backchannel-logout') {
      const token = new URLSearchParams(await textOf(request)).get('logout_token');
      logouts.set(JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sid, token);
      return answer(response, 200, {});
    }
    return await stage(request, response, [second, ...rest]);
  } catch (error) {
    console.error(error);
    return answer(response, 500, { error: error.name });
  }
}).listen(settings.port, '127.0.0.1', () => console.log(`ready at ${issuer}`));
