//! The realm `acme` of the lab, with new secrets at every start.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use crate::lab::settings::{SampleUser, new_secret};

/// The name of the realm and of the tenant.
pub(crate) const NAME: &str = "acme";
/// The applications of the tenant. The first one has a secret.
pub(crate) const APPLICATIONS: [&str; 3] = ["platform-web", "platform-spa", "acme-app"];
/// The client of Keycloak's SCIM API.
pub(crate) const SCIM_CLIENT: &str = "scim";
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
    /// The secret of the client of Keycloak's SCIM API.
    #[serde(skip)]
    pub(crate) scim_secret: String,
    pub(crate) users: Vec<SampleUser>,
}

/// Returns Keycloak's representation of the realm, and the settings.
pub(crate) fn new(smtp_port: u16, back_channel: &str, scim_url: &str) -> Result<(Value, Realm)> {
    let (client_secret, web_client_secret, scim_secret) = (new_secret()?, new_secret()?, new_secret()?);
    // Keycloak reads the user profile from a string.
    let profile = serde_json::to_string(include_str!("user-profile.json"))?;
    let text = include_str!("realm-acme.json")
        .replace("\"{user_profile}\"", &profile)
        .replace("{smtp_port}", &smtp_port.to_string())
        .replace("{client_secret}", &client_secret)
        .replace("{web_client_secret}", &web_client_secret)
        .replace("{scim_secret}", &scim_secret)
        .replace("{scim_url}", scim_url)
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
        scim_secret,
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

    #[test]
    fn the_bridge_has_the_fewest_roles() {
        let (realm, _) = new(8125, "", "").unwrap();
        let mut users = realm["users"].as_array().unwrap().iter();
        let account = users.find(|user| user["serviceAccountClientId"] == CLIENT_ID).unwrap();
        let roles = json!(["manage-users", "view-events", "view-realm", "view-clients"]);
        assert_eq!(account["clientRoles"]["realm-management"], roles);
    }
}
