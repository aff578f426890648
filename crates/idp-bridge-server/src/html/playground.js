"use strict";
// Signs a call in the browser and sends it. The key is only read from its field, and is neither sent nor stored.
(() => {
  const form = document.getElementById("playground");
  const field = (name) => document.getElementById(`try-${name}`);
  const [tenant, operation, data, key, request, response] =
    ["tenant", "operation", "data", "key", "request", "response"].map(field);
  // The beginning of an Ed25519 key in PKCS #8 (RFC 8410), before its seed.
  const PKCS8 = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

  const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));

  async function sign(text, message) {
    if (text.startsWith("whsec_")) {
      const hmac = { name: "HMAC", hash: "SHA-256" };
      const shared = await crypto.subtle.importKey("raw", decode(text.slice(6)), hmac, false, ["sign"]);
      return `v1,${encode(await crypto.subtle.sign("HMAC", shared, message))}`;
    }
    if (text.startsWith("whsk_")) {
      const own = Uint8Array.from([...PKCS8, ...decode(text.slice(5))]);
      const pair = await crypto.subtle.importKey("pkcs8", own, "Ed25519", false, ["sign"]);
      return `v1a,${encode(await crypto.subtle.sign("Ed25519", pair, message))}`;
    }
    throw new Error("The key has to begin with whsec_ (shared) or whsk_ (the signing half of a key pair).");
  }

  function show(element, text, isBad) {
    element.textContent = text;
    element.classList.toggle("bad", isBad);
    element.hidden = text === "";
  }

  function showExample() {
    data.value = JSON.stringify(JSON.parse(operation.selectedOptions[0].dataset.example), null, 2);
  }

  async function send() {
    if (!crypto.subtle) {
      throw new Error("Browsers sign on pages with HTTPS or on localhost only.");
    }
    const body = JSON.stringify({
      type: operation.value,
      timestamp: new Date().toISOString(),
      tenant: tenant.value,
      data: JSON.parse(data.value),
    });
    const [id, time] = [`msg_${crypto.randomUUID()}`, `${Math.floor(Date.now() / 1000)}`];
    const headers = {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": time,
      "webhook-signature": await sign(key.value.trim(), new TextEncoder().encode(`${id}.${time}.${body}`)),
    };
    const url = new URL(`v1/tenants/${encodeURIComponent(tenant.value)}/webhook`, document.baseURI);
    const lines = (all) => [...all].map(([name, value]) => `${name}: ${value}`).join("\n");
    show(request, `POST ${url.pathname}\n${lines(Object.entries(headers))}\n\n${body}`, false);
    const options = { method: "POST", headers, body, credentials: "omit", cache: "no-store", redirect: "error" };
    const answer = await fetch(url, options);
    const text = await answer.text();
    const shown = text.startsWith("{") ? JSON.stringify(JSON.parse(text), null, 2) : text;
    show(response, `${answer.status} ${answer.statusText}\n${lines(answer.headers)}\n\n${shown}`, !answer.ok);
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    show(request, "", false);
    show(response, "", false);
    try {
      await send();
    } catch (error) {
      show(response, `${error.name}: ${error.message}`, true);
    }
  });
  operation.addEventListener("change", showExample);
  window.addEventListener("pagehide", () => { key.value = ""; });
  showExample();
  form.hidden = false;
})();
