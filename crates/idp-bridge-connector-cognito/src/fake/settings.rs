//! The descriptions of the pool and its app clients.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::Answer;
use serde_json::{Value, json};

use super::answer::{refusal, success};
use super::pool::Pool;
use super::{FakeCognito, check_members, required};

impl Pool {
    pub(crate) fn describe_user_pool(&self, body: &Value) -> Result<Answer, Answer> {
        check_members(body, &["UserPoolId"])?;
        let attribute = |name: &str| {
            json!({"Name": name, "AttributeDataType": "String", "Mutable": name != "sub", "Required": name == "sub",
                "DeveloperOnlyAttribute": false, "StringAttributeConstraints": {"MinLength": "0", "MaxLength": "2048"}})
        };
        let standard = ["sub", "name", "given_name", "family_name", "preferred_username", "email", "phone_number"];
        let schema = standard.into_iter().chain(["custom:customer_id"]).map(attribute);
        let pool = json!({
            "Id": FakeCognito::POOL,
            "Name": "fake",
            "Arn": format!("arn:aws:cognito-idp:eu-west-1:123456789012:userpool/{}", FakeCognito::POOL),
            "SchemaAttributes": schema.collect::<Value>(),
            "AutoVerifiedAttributes": ["email"],
            "AccountRecoverySetting": {"RecoveryMechanisms": [{"Name": "verified_email", "Priority": 1}]},
            "EmailConfiguration": {"EmailSendingAccount": "DEVELOPER",
                "SourceArn": "arn:aws:ses:eu-west-1:123456789012:identity/conformance.example"},
            "VerificationMessageTemplate": {"DefaultEmailOption": "CONFIRM_WITH_CODE"},
            "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": false},
            "MfaConfiguration": "OFF",
            "EstimatedNumberOfUsers": self.users.len(),
            "AliasAttributes": self.aliases,
        });
        Ok(success(&json!({"UserPool": with_settings(pool, &self.settings)})))
    }

    pub(crate) fn list_user_pool_clients(&self, body: &Value) -> Result<Answer, Answer> {
        check_members(body, &["UserPoolId", "MaxResults", "NextToken"])?;
        let shown = self.app_clients.iter().map(|client| {
            json!({"ClientId": client.client_id, "UserPoolId": FakeCognito::POOL, "ClientName": client.client_id})
        });
        Ok(success(&json!({"UserPoolClients": shown.collect::<Value>()})))
    }

    pub(crate) fn describe_user_pool_client(&self, body: &Value) -> Result<Answer, Answer> {
        check_members(body, &["UserPoolId", "ClientId"])?;
        let id = required(body, "ClientId")?;
        let client = self.app_clients.iter().find(|own| own.client_id == id);
        let client = client.ok_or_else(|| refusal("ResourceNotFoundException", "User pool client does not exist."))?;
        let mut shown = json!({
            "ClientId": client.client_id,
            "UserPoolId": FakeCognito::POOL,
            "ClientName": client.client_id,
            "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            // Without the list users can write all standard attributes.
            "WriteAttributes": ["email", "name"],
            "PreventUserExistenceErrors": if client.hides_users { "ENABLED" } else { "LEGACY" },
            "AllowedOAuthFlowsUserPoolClient": true,
            "AllowedOAuthFlows": ["code"],
            "AllowedOAuthScopes": client.scopes,
            "CallbackURLs": client.callback_urls,
            "LogoutURLs": client.logout_urls,
            "ReadAttributes": client.readable,
            "EnableTokenRevocation": client.revokes_tokens,
        });
        if let (Some(secret), Some(members)) = (&client.secret, shown.as_object_mut()) {
            members.insert("ClientSecret".into(), json!(secret));
        }
        Ok(success(&json!({"UserPoolClient": with_settings(shown, &client.settings)})))
    }
}

/// Replaces members of a description; null removes one.
fn with_settings(mut shown: Value, settings: &BTreeMap<String, Value>) -> Value {
    if let Some(members) = shown.as_object_mut() {
        members.extend(settings.clone());
        members.retain(|_, value| !value.is_null());
    }
    shown
}
