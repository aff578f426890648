"""Signs a call to idp-bridge, sends it, and prints the answer or the problem. Python 3.9 or later.

  BRIDGE_URL=http://127.0.0.1:8080 BRIDGE_TENANT=acme BRIDGE_KEY=whsk_… \
    python3 client.py users.get_by_email '{"email":"ada@acme.example"}'
"""
import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone


class ProblemError(Exception):
    """The error of a call that a bridge refused. Switch on `problem["code"]`."""

    def __init__(self, problem, retry_after):
        super().__init__(f"{problem['code']} ({problem['status']}): {problem['title']}")
        self.problem = problem
        self.retry_after = retry_after  # seconds to wait before a retry, or None


def ed25519(seed, message):
    """Returns an Ed25519 signature. The standard library has none: `pip install cryptography`, or `openssl` 3."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        with tempfile.TemporaryDirectory() as folder:  # only the owner can read it
            key, text = os.path.join(folder, "key.der"), os.path.join(folder, "message")
            with open(key, "wb") as file:
                file.write(bytes.fromhex("302e020100300506032b657004220420") + seed)  # PKCS #8
            with open(text, "wb") as file:
                file.write(message)
            command = ["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", key, "-in", text]
            return subprocess.run(command, check=True, capture_output=True).stdout
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def token(key, call_id, timestamp, body):
    """Returns the token of a signature: `v1,…` for a key `whsec_…`, `v1a,…` for a key `whsk_…`."""
    message = f"{call_id}.{timestamp}.".encode() + body
    kind, _, text = key.strip().partition("_")
    secret = base64.b64decode(text, validate=True)
    if kind == "whsec":
        version, signature = "v1", hmac.new(secret, message, hashlib.sha256).digest()
    elif kind == "whsk":
        version, signature = "v1a", ed25519(secret, message)
    else:
        raise ValueError("the key begins with neither `whsec_` nor `whsk_`")
    return f"{version},{base64.b64encode(signature).decode()}"


def call(url, tenant, key, kind, data, call_id=None):
    """Makes a call. Pass the id of the first attempt to repeat a write, so that it runs once."""
    call_id = call_id or f"msg_{uuid.uuid4()}"
    now = datetime.now(timezone.utc).isoformat()
    body = json.dumps({"type": kind, "timestamp": now, "tenant": tenant, "data": data}).encode()
    timestamp = int(time.time())
    headers = {
        "content-type": "application/json",
        "webhook-id": call_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": token(key, call_id, timestamp, body),
    }
    request = urllib.request.Request(f"{url}/v1/tenants/{tenant}/webhook", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=31) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        # Without a problem document, the answer is from a proxy, and no statement about a user.
        if error.headers.get_content_type() != "application/problem+json":
            raise
        retry_after = error.headers["retry-after"]
        raise ProblemError(json.load(error), int(retry_after) if retry_after else None) from None


if __name__ == "__main__":
    bridge = [os.environ[name] for name in ("BRIDGE_URL", "BRIDGE_TENANT", "BRIDGE_KEY")]
    try:
        print(json.dumps(call(*bridge, sys.argv[1], json.loads(sys.argv[2]))))
    except ProblemError as error:
        problem = error.problem
        sys.exit(f"{error} retryable: {problem['retryable']}, outcome: {problem['outcome']}")
