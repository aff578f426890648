//! The realm of a harness: bridge clients with different roles, applications, and a user profile.

use serde_json::{Value, json};

use super::SmtpServer;

/// The bridge's client with the recommended roles.
pub(super) const BRIDGE: &str = "idp-bridge";
/// A bridge's client without roles.
pub(super) const NO_ROLE: &str = "no-role";
/// A bridge's client with only the role that makes searches empty.
pub(super) const NARROW: &str = "narrow";
/// A bridge's client that may only read.
pub(super) const READ_ONLY: &str = "read-only";
/// The application that users log in to. Links in mails may lead to its [`REDIRECT`].
pub(super) const APPLICATION: &str = "application";
/// The tenant's application with a secret, and with the bridge in the audience of its tokens.
pub(super) const WEB: &str = "web";
/// The tenant's application without a secret, and without an audience in its tokens.
pub(super) const SPA: &str = "spa";
/// The tenant's application with access tokens that expire after a second.
pub(super) const BRIEF: &str = "brief";
/// The tenant's application with lightweight access tokens.
pub(super) const LIGHT: &str = "light";
/// The tenant's application with the value of [`CLAIMED`] as customer claim.
pub(super) const CLAIMING: &str = "claiming";
/// The attribute of that value, as JSON.
pub(super) const CLAIMED: &str = "claimed";
/// An application of another tenant.
pub(super) const FOREIGN: &str = "foreign";
/// The registered redirect URI of logouts.
pub(super) const POST_LOGOUT_URI: &str = "https://app.example/bye";
/// The registered redirect URIs of logins and mails.
pub(super) const REDIRECT: &str = "https://app.example/*";
/// The secret of all clients that have one.
pub(super) const SECRET: &str = "s3cret-of-the-harness";
/// The attribute with the customer.
pub(super) const ATTRIBUTE: &str = "customer_id";

/// Returns the realm's RealmRepresentation.
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
        "post.logout.redirect.uris": POST_LOGOUT_URI,
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
        // The suite has cases with two users of one address. Keycloak allows them only if users do not log in by address.
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

/// Returns a confidential client that only acts for itself.
pub(super) fn service_account(client_id: &str) -> Value {
    json!({
        "clientId": client_id, "enabled": true, "secret": SECRET, "publicClient": false, "serviceAccountsEnabled": true,
        "standardFlowEnabled": false, "directAccessGrantsEnabled": false,
    })
}

/// Returns a confidential client that people log in to.
fn application(client_id: &str, mappers: &[Value], attributes: Value) -> Value {
    json!({
        "clientId": client_id, "enabled": true, "secret": SECRET, "publicClient": false, "standardFlowEnabled": true,
        "directAccessGrantsEnabled": true, "redirectUris": [REDIRECT], "protocolMappers": mappers,
        "attributes": attributes,
    })
}

/// Returns the mapper of the customer claim.
fn customer() -> Value {
    mapper(
        "oidc-usermodel-attribute-mapper",
        json!({
            "user.attribute": ATTRIBUTE, "claim.name": ATTRIBUTE, "jsonType.label": "String", "multivalued": "true",
        }),
    )
}

/// Returns a mapper of this type that fills the customer claim from this attribute.
pub(super) fn customer_from(kind: &str, attribute: &str) -> Value {
    let mut mapper =
        mapper(kind, json!({"user.attribute": attribute, "claim.name": ATTRIBUTE, "jsonType.label": "String"}));
    put(&mut mapper, "name", json!(format!("customer from {attribute}")));
    mapper
}

/// Returns the mapper that fills the customer claim from [`CLAIMED`]. Long values do not fit into the token itself.
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

/// Returns the mapper that adds the bridge to the audience, so that it can introspect the tokens.
fn audience() -> Value {
    mapper("oidc-audience-mapper", json!({"included.client.audience": BRIDGE}))
}

/// Returns the mapper that adds the subject to lightweight access tokens.
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

/// Returns the recommended permissions of the customer attribute.
pub(super) fn permissions() -> Value {
    json!({"view": ["admin"], "edit": ["admin"]})
}

/// Returns the user profile. Without permissions, the customer attribute is not declared.
pub(super) fn profile(customer: Option<Value>) -> Value {
    profile_with(
        customer.map(|permissions| json!({"name": ATTRIBUTE, "permissions": permissions, "multivalued": true})),
    )
}

/// Returns the user profile with a required customer attribute.
pub(super) fn profile_that_requires_customers() -> Value {
    profile_with(Some(json!({"name": ATTRIBUTE, "permissions": permissions(), "multivalued": true, "required": {}})))
}

fn profile_with(customer: Option<Value>) -> Value {
    let permissions_of_names = json!({"view": ["admin", "user"], "edit": ["admin", "user"]});
    let own =
        [("username", json!({})), ("email", json!({"email": {}})), ("firstName", json!({})), ("lastName", json!({}))];
    let own = own.into_iter().map(
        |(name, validations)| json!({"name": name, "permissions": permissions_of_names, "validations": validations}),
    );
    // The default limit of an attribute is 2,048 characters.
    let length = json!({"length": {"max": 200_000}});
    let claimed = json!({"name": CLAIMED, "permissions": permissions(), "validations": length});
    json!({"attributes": own.chain(customer).chain([claimed]).collect::<Vec<_>>()})
}
