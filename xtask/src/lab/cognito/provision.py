"""Creates a user pool in ministack, and an IAM user with the rights of the bridge.

The first argument is the file with the sample users. The result is written to standard output as JSON.
The environment has the address of ministack and the access key of its root user, for the SDK.
"""

import base64
import hashlib
import hmac
import json
import sys

from botocore.session import get_session

# The actions of the calls and of doctor on the pool. docs/connectors/cognito.md has the same list.
ACTIONS = [
    "AdminCreateUser",
    "AdminDeleteUser",
    "AdminGetUser",
    "AdminUpdateUserAttributes",
    "AdminUserGlobalSignOut",
    "DescribeUserPool",
    "DescribeUserPoolClient",
    "ListUserPoolClients",
    "ListUsers",
]

# The redirect URLs of a login and of a logout.
CALLBACK = "http://127.0.0.1:8090/back"
SIGNED_OUT = "http://127.0.0.1:8090/bye"

session = get_session()
cognito = session.create_client("cognito-idp")
iam = session.create_client("iam")

pool = cognito.create_user_pool(
    PoolName="initech",
    AutoVerifiedAttributes=["email"],
    AdminCreateUserConfig={"AllowAdminCreateUserOnly": False},
)["UserPool"]
client = cognito.create_user_pool_client(
    UserPoolId=pool["Id"],
    ClientName="initech-app",
    GenerateSecret=True,
    PreventUserExistenceErrors="ENABLED",
    ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    AllowedOAuthFlowsUserPoolClient=True,
    AllowedOAuthFlows=["code"],
    AllowedOAuthScopes=["openid", "profile", "email"],
    CallbackURLs=[CALLBACK],
    LogoutURLs=[SIGNED_OUT],
    SupportedIdentityProviders=["COGNITO"],
    # Without this list, users could write the attribute with the customer id.
    WriteAttributes=["email"],
)["UserPoolClient"]


def secret_hash(username):
    text = (username + client["ClientId"]).encode()
    return base64.b64encode(hmac.digest(client["ClientSecret"].encode(), text, hashlib.sha256)).decode()


def make(user):
    """Creates a user in its state, and returns the id."""
    names = {"UserPoolId": pool["Id"], "Username": user["username"]}
    attributes = {"email": user["email"]}
    if "customer" in user:
        attributes["preferred_username"] = user["customer"]
    if user["state"] == "unconfirmed":
        # A sign-up, after which the attribute that users cannot write is added.
        own = [{"Name": "email", "Value": user["email"]}]
        cognito.sign_up(
            ClientId=client["ClientId"],
            SecretHash=secret_hash(user["username"]),
            Username=user["username"],
            Password=user["password"],
            UserAttributes=own,
        )
        extra = [{"Name": name, "Value": value} for name, value in attributes.items() if name != "email"]
        cognito.admin_update_user_attributes(**names, UserAttributes=extra)
    else:
        attributes["email_verified"] = "true" if user["email_verified"] else "false"
        cognito.admin_create_user(
            **names,
            MessageAction="SUPPRESS",
            TemporaryPassword=user["password"],
            UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
        )
        if user["state"] == "confirmed":
            cognito.admin_set_user_password(**names, Password=user["password"], Permanent=True)
    if not user["enabled"]:
        cognito.admin_disable_user(**names)
    found = cognito.admin_get_user(**names)
    return next(attribute["Value"] for attribute in found["UserAttributes"] if attribute["Name"] == "sub")


def make_bridge():
    """Creates the IAM user of the bridge, and returns its access key."""
    iam.create_user(UserName="idp-bridge")
    statement = {"Effect": "Allow", "Action": [f"cognito-idp:{name}" for name in ACTIONS], "Resource": pool["Arn"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="idp-bridge", PolicyName="idp-bridge", PolicyDocument=policy)
    return iam.create_access_key(UserName="idp-bridge")["AccessKey"]


with open(sys.argv[1], encoding="utf-8") as file:
    users = json.load(file)
key = make_bridge()
made = {
    "id": pool["Id"],
    "client_id": client["ClientId"],
    "client_secret": client["ClientSecret"],
    "callback_url": CALLBACK,
    "sign_out_url": SIGNED_OUT,
    "access_key_id": key["AccessKeyId"],
    "secret_access_key": key["SecretAccessKey"],
    "customer_attribute": "preferred_username",
    "users": [{**user, "id": make(user)} for user in users],
}
json.dump(made, sys.stdout)
