// A gateway of Node's http module and Keycloak's admin client: it verifies the signature, reads the user and converts it.
//
// Usage: node gateway.mjs LISTEN URL
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import KeycloakAdminClient from "@keycloak/keycloak-admin-client";

const [listen, baseUrl] = process.argv.slice(2);
const key = Buffer.from("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "base64");
const keycloak = new KeycloakAdminClient({ baseUrl, realmName: "acme" });
keycloak.setAccessToken("t".repeat(1200));

function isValid(headers, body) {
  const id = headers["webhook-id"] ?? "";
  const time = headers["webhook-timestamp"] ?? "";
  if (!(Math.abs(Date.now() / 1000 - Number(time)) <= 300)) return false;
  const expected = createHmac("sha256", key).update(`${id}.${time}.`).update(body).digest();
  return (headers["webhook-signature"] ?? "").split(" ").some((token) => {
    const tag = Buffer.from(token.replace(/^v1,/, ""), "base64");
    return tag.length === expected.length && timingSafeEqual(tag, expected);
  });
}

function send(response, status, body) {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

createServer(async (request, response) => {
  try {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts);
    if (!isValid(request.headers, body)) return send(response, 401, {});
    const found = await keycloak.users.findOne({ id: JSON.parse(body).data.id });
    if (!found) return send(response, 404, {});
    send(response, 200, {
      user: {
        tenant: "acme",
        id: found.id,
        customer: found.attributes?.customer_id?.[0],
        email: found.email,
        create_time: new Date(found.createdTimestamp).toISOString(),
        email_verified: found.emailVerified,
        blocked: !found.enabled,
      },
    });
  } catch {
    send(response, 502, {});
  }
}).listen(Number(listen.split(":")[1]), listen.split(":")[0]);
