//! The realm of a harness: bridge clients with different roles, applications, and a user profile.

use idp_bridge_conformance::TestResult;
use idp_bridge_conformance::fake::{SigningKey, jwks};
use keycloak::types::{
    ClientRepresentation, ProtocolMapperRepresentation, RealmRepresentation, TypeMap, UPAttribute, UPConfig,
};

use super::SmtpServer;

/// The bridge's client with the recommended roles.
pub(super) const BRIDGE: &str = "idp-bridge";
/// A bridge's client without roles.
pub(super) const NO_ROLE: &str = "no-role";
/// A bridge's client with only the role that makes searches empty.
pub(super) const NARROW: &str = "narrow";
/// A bridge's client that may only read.
pub(super) const READ_ONLY: &str = "read-only";
/// The application that users log in to, and that links in mails lead to.
pub(super) const APPLICATION: &str = "application";
/// The tenant's application with a secret, and with the bridge in the audience of its tokens.
pub(super) const WEB: &str = "web";
/// The tenant's application without a secret, and without an audience in its tokens.
pub(super) const SPA: &str = "spa";
/// The tenant's application with access tokens that expire after a second.
pub(super) const BRIEF: &str = "brief";
/// The tenant's application with lightweight access tokens.
pub(super) const LIGHT: &str = "light";
/// The tenant's application with the value of [`CLAIMED`] as customer claim, which is not in the token itself: it can be long.
pub(super) const CLAIMING: &str = "claiming";
/// The attribute of that value, as JSON.
pub(super) const CLAIMED: &str = "claimed";
/// An application of another tenant.
pub(super) const FOREIGN: &str = "foreign";
/// The registered redirect URI of logouts.
pub(super) const POST_LOGOUT_URI: &str = "https://app.example/bye";
/// The secret of all clients that have one.
pub(super) const SECRET: &str = "s3cret-of-the-harness";
/// The attribute with the customer.
pub(super) const ATTRIBUTE: &str = "customer_id";

/// The realm. The suite has cases with two users of one address, which Keycloak allows only if users do not log in by address.
const REALM: &str = include_str!("realm.json");
/// The user profile, without the customer attribute. The default limit of an attribute is 2,048 characters.
const PROFILE: &str = include_str!("profile.json");

/// Returns the realm with this name.
pub(super) fn representation(name: &str, smtp: &SmtpServer, back_channel: &str) -> TestResult<RealmRepresentation> {
    let mut realm: RealmRepresentation = serde_json::from_str(REALM)?;
    realm.realm = Some(name.to_owned());
    realm.smtp_server = Some(texts([
        ("host", smtp.host.as_str()),
        ("port", &smtp.port.to_string()),
        ("from", "no-reply@conformance.example"),
    ]));
    let mut clients = realm.clients.iter_mut().flatten();
    let web = clients.find(|client| client.client_id.as_deref() == Some(WEB)).ok_or("the realm lacks `web`")?;
    set_back_channel(web, back_channel);
    Ok(realm)
}

/// Sets the back channel's URL of an application.
pub(super) fn set_back_channel(client: &mut ClientRepresentation, url: &str) {
    client.attributes.get_or_insert_default().insert("backchannel.logout.url".into(), url.into());
}

/// Returns the user profile with this customer attribute, if there is one.
pub(super) fn profile(customer: Option<UPAttribute>) -> TestResult<UPConfig> {
    let mut profile: UPConfig = serde_json::from_str(PROFILE)?;
    let named =
        customer.map(|customer| UPAttribute { name: Some(ATTRIBUTE.into()), multivalued: Some(true), ..customer });
    profile.attributes.get_or_insert_default().extend(named);
    Ok(profile)
}

/// Returns a confidential client that only acts for itself.
pub(super) fn service_account(client_id: &str) -> ClientRepresentation {
    ClientRepresentation {
        client_id: Some(client_id.into()),
        secret: Some(SECRET.into()),
        service_accounts_enabled: Some(true),
        standard_flow_enabled: Some(false),
        direct_access_grants_enabled: Some(false),
        ..ClientRepresentation::default()
    }
}

/// Returns a client that only acts for itself, and authenticates with this key.
pub(super) fn with_key(client_id: &str, key: &SigningKey) -> ClientRepresentation {
    let jwks = jwks([key]).to_string();
    ClientRepresentation {
        client_authenticator_type: Some("client-jwt".into()),
        attributes: Some(texts([("use.jwks.string", "true"), ("jwks.string", jwks.as_str())])),
        secret: None,
        ..service_account(client_id)
    }
}

/// Returns a mapper of this type that fills the customer claim from this attribute.
pub(super) fn customer_from(kind: &str, attribute: &str) -> ProtocolMapperRepresentation {
    let places =
        ["access.token.claim", "userinfo.token.claim", "introspection.token.claim"].map(|place| (place, "true"));
    let mut config = texts(places);
    config.extend(texts([("user.attribute", attribute), ("claim.name", ATTRIBUTE), ("jsonType.label", "String")]));
    mapper(kind, config)
}

/// Returns the mapper that adds the subject to lightweight access tokens.
pub(super) fn subject() -> ProtocolMapperRepresentation {
    mapper("oidc-sub-mapper", texts([("lightweight.claim", "true")]))
}

fn mapper(kind: &str, config: TypeMap<String, String>) -> ProtocolMapperRepresentation {
    ProtocolMapperRepresentation {
        name: Some(format!("{kind} of the harness")),
        protocol: Some("openid-connect".into()),
        protocol_mapper: Some(kind.into()),
        config: Some(config),
        ..ProtocolMapperRepresentation::default()
    }
}

/// Returns a map of texts.
fn texts<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> TypeMap<String, String> {
    pairs.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}
