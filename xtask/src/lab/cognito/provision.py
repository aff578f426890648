"""Makes a user pool in ministack, and an IAM user with the rights that the bridge needs.

The sample users are read from the file named first; what was made goes to standard output.
The environment tells the SDK where ministack listens and who its administrator is.
"""

import base64
import hashlib
import hmac
import json
import sys

from botocore.session import get_session

# What the calls and doctor need on the pool; docs/connectors/cognito.md has the same list.
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

# Where the browser of an application goes: with a code, and after a logout.
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
    # Without the list users could write the attribute with the customer id themselves.
    WriteAttributes=["email"],
)["UserPoolClient"]


def secret_hash(username):
    text = (username + client["ClientId"]).encode()
    return base64.b64encode(hmac.digest(client["ClientSecret"].encode(), text, hashlib.sha256)).decode()


def make(user):
    """Makes a user in the state that is asked for, and answers the user's id."""
    names = {"UserPoolId": pool["Id"], "Username": user["username"]}
    attributes = {"email": user["email"]}
    if "customer" in user:
        attributes["preferred_username"] = user["customer"]
    if user["state"] == "unconfirmed":
        # As the user's own sign-up leaves it, so the one attribute that users may not write comes after it.
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
    """Makes the IAM user of the bridge, and answers its key."""
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
