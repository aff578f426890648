"""Adds the customer field and sample users to PocketBase, and prints the users as JSON: provision.py URL EMAIL PASSWORD USERS."""

import json
import sys
import urllib.request

url, email, password, users = sys.argv[1:]
headers = {"content-type": "application/json"}


def call(method, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(urllib.request.Request(url + path, data, headers, method=method)) as answer:
        return json.load(answer)


token = call("POST", "/api/collections/_superusers/auth-with-password", {"identity": email, "password": password})["token"]
headers["authorization"] = f"Bearer {token}"
fields = call("GET", "/api/collections/users")["fields"]
own = "@request.body.customer_id:isset = false"
call("PATCH", "/api/collections/users", {
    "fields": fields + [{"name": "customer_id", "type": "text", "max": 300}],
    "createRule": own,
    "updateRule": f"id = @request.auth.id && {own}",
})
created = []
for user in json.load(open(users)):
    record = call("POST", "/api/collections/users/records", {
        "email": user["email"],
        "verified": user["email_verified"],
        "customer_id": user.get("customer", ""),
        "password": user["password"],
        "passwordConfirm": user["password"],
    })
    created.append({**user, "id": record["id"]})
print(json.dumps(created))
