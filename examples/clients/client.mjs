// @ts-check
// Signs a call to idp-bridge, sends it, and prints the answer or the problem. Node 20 or later, no packages.
// TypeScript reads the types in the comments: import this file with `allowJs` (`checkJs` checks it, too).
//
//   BRIDGE_URL=http://127.0.0.1:8080 BRIDGE_TENANT=acme BRIDGE_KEY=whsk_… \
//     node client.mjs users.get_by_email '{"email":"ada@acme.example"}'
import { createHmac, createPrivateKey, randomUUID, sign } from "node:crypto";

/**
 * The answer of a bridge to a call that failed.
 * @typedef {{ status: number, code: string, title: string, retryable: boolean, outcome: "not_applied" | "unknown",
 *   request_id: string, field?: string, detail?: string }} Problem
 */

/** The error of a call that a bridge refused. Switch on `problem.code`. */
export class ProblemError extends Error {
  /** @param {Problem} problem @param {number | undefined} retryAfter seconds to wait before a retry */
  constructor(problem, retryAfter) {
    super(`${problem.code} (${problem.status}): ${problem.title}`);
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

/**
 * Returns the token of a signature: `v1,…` for a key `whsec_…`, `v1a,…` for a key `whsk_…`.
 * @param {string} key @param {string} id @param {number} timestamp @param {string} body
 */
export function token(key, id, timestamp, body) {
  const message = Buffer.from(`${id}.${timestamp}.${body}`);
  const [kind, text] = key.trim().split("_");
  const secret = Buffer.from(text ?? "", "base64");
  if (kind === "whsec") return `v1,${createHmac("sha256", secret).update(message).digest("base64")}`;
  if (kind !== "whsk" || secret.length !== 32) throw new Error("the key begins with neither `whsec_` nor `whsk_`");
  // PKCS #8 is this prefix and the seed.
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), secret]);
  const seed = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return `v1a,${sign(null, message, seed).toString("base64")}`;
}

/**
 * Makes a call. Pass the id of the first attempt to repeat a write, so that it runs once.
 * @param {{ url: string, tenant: string, key: string }} bridge @param {string} type @param {object} data
 */
export async function call(bridge, type, data, id = `msg_${randomUUID()}`) {
  const body = JSON.stringify({ type, timestamp: new Date().toISOString(), tenant: bridge.tenant, data });
  const timestamp = Math.floor(Date.now() / 1000);
  const response = await fetch(`${bridge.url}/v1/tenants/${bridge.tenant}/webhook`, {
    method: "POST",
    redirect: "error",
    signal: AbortSignal.timeout(31_000),
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(timestamp),
      "webhook-signature": token(bridge.key, id, timestamp, body),
    },
    body,
  });
  const mediaType = response.headers.get("content-type")?.split(";")[0];
  if (response.status === 200 && mediaType === "application/json") return response.json();
  // Without a problem document, the answer is from a proxy, and no statement about a user.
  if (mediaType !== "application/problem+json") throw new Error(`status ${response.status} is not from a bridge`);
  const retryAfter = response.headers.get("retry-after");
  throw new ProblemError(await response.json(), retryAfter === null ? undefined : Number(retryAfter));
}

const { BRIDGE_URL: url = "", BRIDGE_TENANT: tenant = "", BRIDGE_KEY: key = "" } = process.env;
try {
  const [type, data] = process.argv.slice(2);
  console.log(JSON.stringify(await call({ url, tenant, key }, type ?? "ping", JSON.parse(data ?? "{}"))));
} catch (error) {
  const problem = error instanceof ProblemError ? error.problem : undefined;
  console.error(String(error), problem ? `retryable: ${problem.retryable}, outcome: ${problem.outcome}` : "");
  process.exitCode = 1;
}
