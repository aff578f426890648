//! The realm `acme` of the lab, with new secrets at every start.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use crate::lab::settings::{SampleUser, new_secret};

/// The name of the realm and of the tenant.
pub(crate) const NAME: &str = "acme";
/// The applications of the tenant. The first one has a secret.
pub(crate) const APPLICATIONS: [&str; 3] = ["platform-web", "platform-spa", "acme-app"];
/// The bridge's client.
const CLIENT_ID: &str = "idp-bridge";
/// The attribute with the customer id. In `user-profile.json`, only administrators can edit it.
const CUSTOMER_ATTRIBUTE: &str = "customer_id";

/// The realm's settings for tests. `xtask/README.md` describes the fields.
#[derive(Debug, Serialize)]
pub(crate) struct Realm {
    pub(crate) name: &'static str,
    pub(crate) client_id: &'static str,
    pub(crate) client_secret: String,
    pub(crate) customer_attribute: &'static str,
    pub(crate) app_client_id: &'static str,
    pub(crate) web_client_id: &'static str,
    pub(crate) web_client_secret: String,
    pub(crate) users: Vec<SampleUser>,
}

/// Returns Keycloak's representation of the realm, and the settings.
pub(crate) fn new(smtp_port: u16, back_channel: &str) -> Result<(Value, Realm)> {
    let (client_secret, web_client_secret) = (new_secret()?, new_secret()?);
    // Keycloak reads the user profile from a string.
    let profile = serde_json::to_string(include_str!("user-profile.json"))?;
    let text = include_str!("realm-acme.json")
        .replace("\"{user_profile}\"", &profile)
        .replace("{smtp_port}", &smtp_port.to_string())
        .replace("{client_secret}", &client_secret)
        .replace("{web_client_secret}", &web_client_secret)
        .replace("{back_channel}", back_channel);
    let representation: Value = serde_json::from_str(&text).context("`realm-acme.json` is not JSON")?;
    let users = representation.get("users").and_then(Value::as_array).into_iter().flatten();
    let [web_client_id, _, app_client_id] = APPLICATIONS;
    let realm = Realm {
        name: NAME,
        client_id: CLIENT_ID,
        client_secret,
        customer_attribute: CUSTOMER_ATTRIBUTE,
        app_client_id,
        web_client_id,
        web_client_secret,
        users: users.filter_map(sample_user).collect(),
    };
    Ok((representation, realm))
}

/// Returns a sample user, or `None` for a service account, which has no address.
fn sample_user(user: &Value) -> Option<SampleUser> {
    let text = |pointer: &str| user.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Some(SampleUser {
        id: text("/id")?,
        username: text("/username")?,
        email: text("/email")?,
        password: text("/credentials/0/value")?,
        customer: text(&format!("/attributes/{CUSTOMER_ATTRIBUTE}/0")),
        email_verified: user.get("emailVerified")?.as_bool()?,
        enabled: user.get("enabled")?.as_bool()?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BACK_CHANNEL: &str = "http://127.0.0.1:8080/v1/tenants/acme/backchannel-logout";

    #[test]
    fn the_realm_has_new_secrets_and_addresses() {
        let (realm, settings) = new(8125, BACK_CHANNEL).unwrap();
        assert_eq!((&realm["realm"], &realm["smtpServer"]["port"]), (&json!(NAME), &json!("8125")));
        let client = &realm["clients"][0];
        assert_eq!((&client["clientId"], &client["secret"]), (&json!(CLIENT_ID), &json!(settings.client_secret)));
        assert_eq!(client["directAccessGrantsEnabled"], false);
        assert_eq!(realm["clients"][1]["secret"], settings.web_client_secret);
        assert_ne!(settings.client_secret, settings.web_client_secret);
    }

    #[test]
    fn applications_have_pkce_and_logout_urls() {
        let (realm, _) = new(8125, BACK_CHANNEL).unwrap();
        let clients = realm["clients"].as_array().unwrap();
        for id in APPLICATIONS {
            assert!(clients.iter().any(|client| client["clientId"] == id), "{id}");
        }
        assert_eq!(clients[1]["clientId"], APPLICATIONS[0]);
        for client in &clients[1..3] {
            assert_eq!(client["attributes"]["backchannel.logout.url"], BACK_CHANNEL);
            assert_eq!(client["attributes"]["pkce.code.challenge.method"], "S256");
        }
    }

    #[test]
    fn the_bridge_has_the_fewest_roles() {
        let (realm, _) = new(8125, BACK_CHANNEL).unwrap();
        let mut users = realm["users"].as_array().unwrap().iter();
        let account = users.find(|user| user["serviceAccountClientId"] == CLIENT_ID).unwrap();
        let roles = json!(["manage-users", "view-events", "view-realm", "view-clients"]);
        assert_eq!(account["clientRoles"]["realm-management"], roles);
    }

    #[test]
    fn users_cannot_edit_their_customer_id() {
        let (realm, _) = new(8125, BACK_CHANNEL).unwrap();
        let component = &realm["components"]["org.keycloak.userprofile.UserProfileProvider"][0];
        let profile = component["config"]["kc.user.profile.config"][0].as_str().unwrap();
        let profile: Value = serde_json::from_str(profile).unwrap();
        let mut attributes = profile["attributes"].as_array().unwrap().iter();
        let customer = attributes.find(|attribute| attribute["name"] == CUSTOMER_ATTRIBUTE).unwrap();
        assert_eq!(customer["permissions"]["edit"], json!(["admin"]));
    }

    #[test]
    fn sample_users_have_every_state() {
        let users = new(8125, BACK_CHANNEL).unwrap().1.users;
        assert_eq!(users.len(), 5);
        assert!(users.iter().any(|user| !user.email_verified));
        assert!(users.iter().any(|user| !user.enabled));
        assert!(users.iter().any(|user| user.email.contains('+')));
        assert!(users.iter().any(|user| user.customer.is_none()));
    }
}
