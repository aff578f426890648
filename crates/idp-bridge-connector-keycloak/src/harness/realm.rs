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
/// The tenant's application: with a secret, and with tokens that are meant for the bridge, too.
pub(super) const WEB: &str = "web";
/// The tenant's application in the browser: without a secret, and with tokens that are meant for nobody in particular.
pub(super) const SPA: &str = "spa";
/// The tenant's application whose access tokens live for a second.
pub(super) const BRIEF: &str = "brief";
/// The tenant's application with lightweight access tokens.
pub(super) const LIGHT: &str = "light";
/// The tenant's application whose claim says what [`CLAIMED`] says, and not whom the user belongs to.
pub(super) const CLAIMING: &str = "claiming";
/// The attribute for that, as JSON.
pub(super) const CLAIMED: &str = "claimed";
/// An application that is none of the tenant's.
pub(super) const FOREIGN: &str = "foreign";
/// Where a logout leads.
pub(super) const WAY_BACK: &str = "https://app.example/bye";
/// Where the application's links lead.
pub(super) const REDIRECT: &str = "https://app.example/*";
/// The secret of all clients that have one.
pub(super) const SECRET: &str = "s3cret-of-the-harness";
/// The attribute that holds the customer.
pub(super) const ATTRIBUTE: &str = "customer_id";

/// The realm, ready to be imported.
pub(super) fn representation(name: &str, smtp: &SmtpServer, back_channel: &str) -> Value {
    let bridges = [
        (BRIDGE, vec!["manage-users", "view-events", "view-realm", "view-clients"]),
        (NO_ROLE, vec![]),
        (NARROW, vec!["query-users"]),
        (READ_ONLY, vec!["view-users"]),
    ];
    let mut clients: Vec<Value> = bridges.iter().map(|(id, _)| service_account(id)).collect();
    clients.push(json!({
        "clientId": APPLICATION, "publicClient": true, "directAccessGrantsEnabled": true, "standardFlowEnabled": true,
        "redirectUris": [REDIRECT],
    }));
    let all = [customer(), audience()];
    let logout = json!({
        "backchannel.logout.url": back_channel, "backchannel.logout.session.required": "true",
        "post.logout.redirect.uris": WAY_BACK,
    });
    let mut spa = application(SPA, &[customer()], json!({}));
    for (name, value) in [("publicClient", json!(true)), ("secret", json!(null))] {
        put(&mut spa, name, value);
    }
    let mut web = application(WEB, &all, logout);
    put(&mut web, "serviceAccountsEnabled", json!(true));
    clients.extend([
        web,
        spa,
        application(BRIEF, &all, json!({"access.token.lifespan": "1"})),
        application(LIGHT, &all, json!({"client.use.lightweight.access.token.enabled": "true"})),
        application(CLAIMING, &[claimed(), audience()], json!({})),
        application(FOREIGN, &all, json!({})),
    ]);
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

/// A confidential client that persons log in to.
fn application(client_id: &str, mappers: &[Value], attributes: Value) -> Value {
    json!({
        "clientId": client_id, "enabled": true, "secret": SECRET, "publicClient": false, "standardFlowEnabled": true,
        "directAccessGrantsEnabled": true, "redirectUris": [REDIRECT], "protocolMappers": mappers,
        "attributes": attributes,
    })
}

/// The mapper that says whom the user belongs to.
fn customer() -> Value {
    mapper(
        "oidc-usermodel-attribute-mapper",
        json!({
            "user.attribute": ATTRIBUTE, "claim.name": ATTRIBUTE, "jsonType.label": "String", "multivalued": "true",
        }),
    )
}

/// A mapper of this type that fills the customer claim from this attribute.
pub(super) fn customer_from(kind: &str, attribute: &str) -> Value {
    let mut mapper =
        mapper(kind, json!({"user.attribute": attribute, "claim.name": ATTRIBUTE, "jsonType.label": "String"}));
    put(&mut mapper, "name", json!(format!("customer from {attribute}")));
    mapper
}

/// The mapper that says something else; not in the token itself, which has no room for all that can be said.
fn claimed() -> Value {
    let mut mapper = mapper(
        "oidc-usermodel-attribute-mapper",
        json!({
            "user.attribute": CLAIMED, "claim.name": ATTRIBUTE, "jsonType.label": "JSON",
        }),
    );
    if let Some(config) = mapper.get_mut("config") {
        put(config, "access.token.claim", json!("false"));
    }
    mapper
}

/// The mapper that makes tokens meant for the bridge, so that introspection tells it of them.
fn audience() -> Value {
    mapper("oidc-audience-mapper", json!({"included.client.audience": BRIDGE}))
}

/// The mapper that lets lightweight access tokens say whose they are.
pub(super) fn subject() -> Value {
    mapper("oidc-sub-mapper", json!({"lightweight.claim": "true"}))
}

fn mapper(kind: &str, mut config: Value) -> Value {
    for place in ["access.token.claim", "userinfo.token.claim", "introspection.token.claim"] {
        put(&mut config, place, json!("true"));
    }
    json!({"name": kind, "protocol": "openid-connect", "protocolMapper": kind, "config": config})
}

/// Adds a member to an object.
pub(super) fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.into(), value);
    }
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
    // Keycloak lets an attribute have 2,048 characters, unless its profile says otherwise.
    let length = json!({"length": {"max": 200_000}});
    let claimed = json!({"name": CLAIMED, "permissions": permissions(), "validations": length});
    json!({"attributes": own.chain(customer).chain([claimed]).collect::<Vec<_>>()})
}
