//! The realm that a harness makes for itself: a bridge's client with the right roles, clients with wrong ones, and a
//! user profile.

use serde_json::{Value, json};

use super::SmtpServer;

/// The bridge's client, as a careful operator makes it.
pub(super) const BRIDGE: &str = "idp-bridge";
/// The bridge's client, but without any role.
pub(super) const NO_ROLE: &str = "no-role";
/// The bridge's client, but with the one role that makes searches empty.
pub(super) const NARROW: &str = "narrow";
/// The bridge's client, but with the right to read alone.
pub(super) const READ_ONLY: &str = "read-only";
/// The application that users log in to; its links are allowed to lead to [`REDIRECT`].
pub(super) const APPLICATION: &str = "application";
/// Where the application's links lead.
pub(super) const REDIRECT: &str = "https://app.example/*";
/// The secret of all clients that have one.
pub(super) const SECRET: &str = "s3cret-of-the-harness";
/// The attribute that holds the customer.
pub(super) const ATTRIBUTE: &str = "customer_id";

/// The realm, ready to be imported.
pub(super) fn representation(name: &str, smtp: &SmtpServer) -> Value {
    let bridges = [
        (BRIDGE, vec!["manage-users", "view-events", "view-realm"]),
        (NO_ROLE, vec![]),
        (NARROW, vec!["query-users"]),
        (READ_ONLY, vec!["view-users"]),
    ];
    let mut clients: Vec<Value> = bridges.iter().map(|(id, _)| service_account(id)).collect();
    clients.push(json!({
        "clientId": APPLICATION, "publicClient": true, "directAccessGrantsEnabled": true, "standardFlowEnabled": true,
        "redirectUris": [REDIRECT],
    }));
    let users: Vec<Value> = bridges
        .iter()
        .map(|(id, roles)| {
            json!({
                "username": format!("service-account-{id}"), "enabled": true, "serviceAccountClientId": id,
                "clientRoles": {"realm-management": roles},
            })
        })
        .collect();
    json!({
        "realm": name,
        "enabled": true,
        // Two users with one address are a case of the suite; Keycloak allows them only where nobody logs in by
        // address.
        "duplicateEmailsAllowed": true,
        "loginWithEmailAllowed": false,
        "eventsEnabled": true,
        "enabledEventTypes": ["LOGIN"],
        "smtpServer": {"host": smtp.host, "port": smtp.port.to_string(), "from": "no-reply@conformance.example"},
        "components": {"org.keycloak.userprofile.UserProfileProvider": [{
            "providerId": "declarative-user-profile",
            "config": {"kc.user.profile.config": [profile(Some(permissions())).to_string()]},
        }]},
        "clients": clients,
        "users": users,
    })
}

/// A confidential client that acts for itself only.
pub(super) fn service_account(client_id: &str) -> Value {
    json!({
        "clientId": client_id, "enabled": true, "secret": SECRET, "publicClient": false, "serviceAccountsEnabled": true,
        "standardFlowEnabled": false, "directAccessGrantsEnabled": false,
    })
}

/// Who may see and edit the customer attribute, as a careful operator declares it.
pub(super) fn permissions() -> Value {
    json!({"view": ["admin"], "edit": ["admin"]})
}

/// The user profile; without permissions the customer attribute is not declared.
pub(super) fn profile(customer: Option<Value>) -> Value {
    profile_with(
        customer.map(|permissions| json!({"name": ATTRIBUTE, "permissions": permissions, "multivalued": true})),
    )
}

/// The user profile with a customer attribute that administrators must give.
pub(super) fn profile_that_requires_customers() -> Value {
    profile_with(Some(json!({"name": ATTRIBUTE, "permissions": permissions(), "multivalued": true, "required": {}})))
}

fn profile_with(customer: Option<Value>) -> Value {
    let everybody = json!({"view": ["admin", "user"], "edit": ["admin", "user"]});
    let own =
        [("username", json!({})), ("email", json!({"email": {}})), ("firstName", json!({})), ("lastName", json!({}))];
    let own = own
        .into_iter()
        .map(|(name, validations)| json!({"name": name, "permissions": everybody, "validations": validations}));
    json!({"attributes": own.chain(customer).collect::<Vec<_>>()})
}
