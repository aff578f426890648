"""Signs the calls that schemathesis generates, and leaves out requests that no schema can describe."""

import base64
import hashlib
import hmac
import itertools
import os
import re
import time

import requests
import schemathesis

KEY = base64.b64decode(os.environ["BRIDGE_KEY"].removeprefix("whsec_"))
TENANT = os.environ["BRIDGE_TENANT"]
WEBHOOK = "/v1/tenants/{tenant}/webhook"
# The example user stays, so that later calls find it.
TENANT_ID = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
REQUEST_ID = re.compile("[!-~]{1,100}")
NUMBERS = itertools.count()
KEPT, DELETED = "u-1", "u-2"


class Signature(requests.auth.AuthBase):
    """Signs the body as it is sent, at the present time if the request has a time."""

    def __call__(self, request):
        if request.headers.get("webhook-timestamp", "").isdigit():
            request.headers["webhook-timestamp"] = str(int(time.time()))
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        head = [request.headers.get(name, "").encode("latin-1") for name in ("webhook-id", "webhook-timestamp")]
        digest = hmac.digest(KEY, b".".join([*head, body]), hashlib.sha256)
        request.headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
        return request


class Token:
    """Sends the token of REST."""

    def get(self, case, context):
        return os.environ["BRIDGE_TOKEN"]

    def set(self, case, data, context):
        case.headers["authorization"] = f"Bearer {data}"


schemathesis.auth.set_from_requests(Signature()).apply_to(path=WEBHOOK)
schemathesis.auth().apply_to(tag="REST")(Token)


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body if isinstance(case.body, dict) else {}
    if case.path == WEBHOOK and TENANT_ID.fullmatch(str(body.get("tenant", ""))):
        body["tenant"] = TENANT
    if body.get("type") == "users.delete" and body.get("data") == {"id": KEPT}:
        body["data"] = {"id": DELETED}
    if case.method == "DELETE" and (case.path_parameters or {}).get("id") == KEPT:
        case.path_parameters["id"] = DELETED
    # A write with the id of another one is refused, or answered without a call.
    for name in ("webhook-id", "idempotency-key"):
        if REQUEST_ID.fullmatch(str((case.headers or {}).get(name, ""))):
            case.headers[name] += f"-{next(NUMBERS)}"


@schemathesis.hook
def filter_case(context, case):
    # Every request may have other headers.
    return "x-schemathesis-unknown-property" not in (case.headers or {})
