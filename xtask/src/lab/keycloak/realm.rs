//! The realm `acme` of the lab, made anew at every start.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::settings::Realm;
use crate::lab::settings::SampleUser;

/// The realm's name, and the tenant's.
pub(crate) const NAME: &str = "acme";
/// The bridge's client.
pub(crate) const CLIENT_ID: &str = "idp-bridge";
/// The attribute with the customer id, declared in `user-profile.json`: administrators edit it, users only see it.
pub(crate) const CUSTOMER_ATTRIBUTE: &str = "customer_id";

/// The applications whose tokens the bridge takes, the one with a secret first.
pub(crate) const APPLICATIONS: [&str; 3] = [WEB_CLIENT_ID, "platform-spa", APP_CLIENT_ID];
const WEB_CLIENT_ID: &str = "platform-web";
const APP_CLIENT_ID: &str = "acme-app";
const REALM: &str = include_str!("realm-acme.json");
const USER_PROFILE: &str = include_str!("user-profile.json");

/// What is another with every start.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// The secret of the bridge's client.
    pub(crate) client_secret: String,
    /// The secret of the application that has one.
    pub(crate) web_client_secret: String,
    /// Where mails go.
    pub(crate) smtp_port: u16,
    /// Where the bridge will be told of logouts.
    pub(crate) back_channel: String,
}

/// What Keycloak is given to make the realm.
pub(crate) fn representation(fresh: &Fresh) -> Result<Value> {
    let mut realm: Value = serde_json::from_str(REALM).context("`realm-acme.json` is not JSON")?;
    let profile: Value = serde_json::from_str(USER_PROFILE).context("`user-profile.json` is not JSON")?;
    // Keycloak reads the port, and the whole user profile, from texts.
    set(&mut realm, "/smtpServer/port", json!(fresh.smtp_port.to_string()))?;
    set(&mut realm, "/clients/0/secret", json!(fresh.client_secret))?;
    set(&mut realm, "/clients/1/secret", json!(fresh.web_client_secret))?;
    for application in ["/clients/1", "/clients/2"] {
        set(&mut realm, &format!("{application}/attributes/backchannel.logout.url"), json!(fresh.back_channel))?;
    }
    let components = json!({
        "org.keycloak.userprofile.UserProfileProvider": [{
            "providerId": "declarative-user-profile",
            "config": { "kc.user.profile.config": [profile.to_string()] }
        }]
    });
    realm.as_object_mut().context("`realm-acme.json` is not an object")?.insert("components".to_owned(), components);
    Ok(realm)
}

/// What tests and people are told about the realm.
pub(crate) fn settings(realm: &Value, fresh: &Fresh) -> Realm {
    let users = realm.get("users").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Realm {
        name: NAME.to_owned(),
        client_id: CLIENT_ID.to_owned(),
        client_secret: fresh.client_secret.clone(),
        customer_attribute: CUSTOMER_ATTRIBUTE.to_owned(),
        app_client_id: APP_CLIENT_ID.to_owned(),
        web_client_id: WEB_CLIENT_ID.to_owned(),
        web_client_secret: fresh.web_client_secret.clone(),
        users: users.iter().filter_map(sample_user).collect(),
    }
}

/// Service accounts have no address and are no sample users.
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

fn set(value: &mut Value, pointer: &str, new: Value) -> Result<()> {
    *value.pointer_mut(pointer).with_context(|| format!("`realm-acme.json` has no `{pointer}`"))? = new;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> Fresh {
        Fresh {
            client_secret: "the-secret".to_owned(),
            web_client_secret: "another-secret".to_owned(),
            smtp_port: 8125,
            back_channel: "http://127.0.0.1:8080/v1/tenants/acme/backchannel-logout".to_owned(),
        }
    }

    fn realm() -> Value {
        representation(&fresh()).unwrap()
    }

    #[test]
    fn the_secret_goes_to_the_bridges_own_client() {
        let client = realm().pointer("/clients/0").cloned().unwrap();
        assert_eq!(client["clientId"], CLIENT_ID);
        assert_eq!(client["secret"], "the-secret");
        assert_eq!(client["directAccessGrantsEnabled"], false);
    }

    #[test]
    fn the_applications_of_the_bridge_are_there_and_are_told_of_logouts() {
        let realm = realm();
        let clients = realm["clients"].as_array().unwrap();
        for id in APPLICATIONS {
            assert!(clients.iter().any(|client| client["clientId"] == id), "{id}");
        }
        assert_eq!(clients[1]["clientId"], WEB_CLIENT_ID);
        assert_eq!(clients[1]["secret"], "another-secret");
        for client in &clients[1..3] {
            assert_eq!(client["attributes"]["backchannel.logout.url"], fresh().back_channel);
            assert_eq!(client["attributes"]["pkce.code.challenge.method"], "S256");
        }
    }

    #[test]
    fn the_bridge_gets_the_least_rights_that_all_calls_and_doctor_need() {
        let realm = realm();
        let account =
            realm["users"].as_array().unwrap().iter().find(|user| user["serviceAccountClientId"] == CLIENT_ID);
        let roles = account.unwrap()["clientRoles"]["realm-management"].clone();
        assert_eq!(roles, json!(["manage-users", "view-events", "view-realm", "view-clients"]));
    }

    #[test]
    fn users_cannot_edit_their_own_customer_id() {
        let profile = realm()["components"]["org.keycloak.userprofile.UserProfileProvider"][0]["config"]
            ["kc.user.profile.config"][0]
            .as_str()
            .map(|text| serde_json::from_str::<Value>(text).unwrap())
            .unwrap();
        let attributes = profile["attributes"].as_array().unwrap();
        let customer = attributes.iter().find(|attribute| attribute["name"] == CUSTOMER_ATTRIBUTE).unwrap();
        assert_eq!(customer["permissions"]["edit"], json!(["admin"]));
    }

    #[test]
    fn the_sample_users_are_of_every_kind_that_the_bridge_tells_apart() {
        let users = settings(&realm(), &fresh()).users;
        assert_eq!(users.len(), 5);
        assert!(users.iter().any(|user| !user.email_verified));
        assert!(users.iter().any(|user| !user.enabled));
        assert!(users.iter().any(|user| user.email.contains('+')));
        assert!(users.iter().any(|user| user.customer.is_none()));
    }
}
