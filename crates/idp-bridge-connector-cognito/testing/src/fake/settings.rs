//! The descriptions of the pool and its app clients.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::Outcome;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{no_such_client, success};
use super::pool::Pool;

/// A request about the pool.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct OfPool {
    #[serde(rename = "UserPoolId")]
    _pool: String,
    #[serde(rename = "MaxResults")]
    _limit: Option<u8>,
    client_id: Option<String>,
}

impl Pool {
    pub(crate) fn describe_user_pool(&self, _: &OfPool) -> Outcome {
        let attribute = |name: &str| {
            json!({"Name": name, "AttributeDataType": "String", "Mutable": name != "sub", "Required": name == "sub",
                "DeveloperOnlyAttribute": false, "StringAttributeConstraints": {"MinLength": "0", "MaxLength": "2048"}})
        };
        let standard = ["sub", "name", "given_name", "family_name", "preferred_username", "email", "phone_number"];
        let schema = standard.into_iter().chain(["custom:customer_id"]).map(attribute);
        let pool = json!({
            "Id": Self::ID,
            "Name": "fake",
            "Arn": format!("arn:aws:cognito-idp:eu-west-1:123456789012:userpool/{}", Self::ID),
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

    pub(crate) fn list_user_pool_clients(&self, _: &OfPool) -> Outcome {
        let shown = self.app_clients.iter().map(
            |client| json!({"ClientId": client.client_id, "UserPoolId": Self::ID, "ClientName": client.client_id}),
        );
        Ok(success(&json!({"UserPoolClients": shown.collect::<Value>()})))
    }

    pub(crate) fn describe_user_pool_client(&self, request: &OfPool) -> Outcome {
        let client = request.client_id.as_deref().and_then(|id| self.app_client(id)).ok_or_else(no_such_client)?;
        let shown = json!({
            "ClientId": client.client_id,
            "UserPoolId": Self::ID,
            "ClientName": client.client_id,
            "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            // Without the list users can write all standard attributes.
            "WriteAttributes": ["email", "name"],
            "PreventUserExistenceErrors": if client.hides_users { "ENABLED" } else { "LEGACY" },
            "AllowedOAuthFlowsUserPoolClient": true,
            "AllowedOAuthFlows": ["code"],
            "AllowedOAuthScopes": client.scopes,
            "LogoutURLs": client.logout_urls,
            "ReadAttributes": client.readable,
            "EnableTokenRevocation": client.revokes_tokens,
            "ClientSecret": client.secret,
        });
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
