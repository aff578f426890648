//! The claims in the fake's tokens and responses.

use serde_json::{Map, Value, json};

use super::import::Client;
use super::realm::Realm;
use super::session::Session;

/// A place of claims.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    AccessToken,
    LightweightToken,
    Userinfo,
    Introspection,
}

impl Place {
    /// Returns the mappers' switch for this place.
    fn switch(self) -> &'static str {
        match self {
            Self::AccessToken => "access.token.claim",
            Self::LightweightToken => "lightweight.claim",
            Self::Userinfo => "userinfo.token.claim",
            Self::Introspection => "introspection.token.claim",
        }
    }
}

impl Client {
    /// Returns whether a switch among the attributes is on.
    pub(crate) fn is_on(&self, attribute: &str) -> bool {
        self.attributes.get(attribute).is_some_and(|value| value == "true")
    }

    pub(crate) fn is_lightweight(&self) -> bool {
        self.is_on("client.use.lightweight.access.token.enabled")
    }
}

impl Realm {
    pub(crate) fn issuer(&self) -> String {
        format!("{}/realms/{}", self.hostname, self.name)
    }

    /// Returns the claims about the user, with those that the mappers of the session's client add at this place.
    pub(crate) fn user_claims(&self, session: &Session, place: Place) -> Map<String, Value> {
        let mut claims = Map::new();
        let Some(user) = self.user(&session.user) else { return claims };
        if !matches!(place, Place::LightweightToken) {
            claims.insert("sub".into(), json!(user.id));
            claims.insert("preferred_username".into(), json!(user.username));
            claims.insert("email_verified".into(), json!(user.email_verified));
            claims.extend(user.email.as_ref().map(|email| ("email".into(), json!(email))));
        }
        let Some(client) = self.client(&session.client) else { return claims };
        let mappers = client
            .protocol_mappers
            .iter()
            .filter(|mapper| mapper.config.get(place.switch()).is_some_and(|value| value == "true"));
        for mapper in mappers {
            let config = |key: &str| mapper.config.get(key).map(String::as_str).unwrap_or_default();
            let claim = config("claim.name").to_owned();
            match mapper.protocol_mapper.as_str() {
                "oidc-sub-mapper" => drop(claims.insert("sub".into(), json!(user.id))),
                "oidc-audience-mapper" => drop(claims.insert("aud".into(), json!(config("included.client.audience")))),
                "oidc-usermodel-attribute-mapper" => {
                    let values = user.attributes.get(config("user.attribute")).map_or(&[][..], Vec::as_slice);
                    let value = match (values.first(), config("multivalued"), config("jsonType.label")) {
                        (None, ..) => None,
                        (Some(_), "true", _) => Some(json!(values)),
                        (Some(first), _, "JSON") => serde_json::from_str(first).ok(),
                        (Some(first), ..) => Some(json!(first)),
                    };
                    claims.extend(value.map(|value| (claim, value)));
                }
                _ => {}
            }
        }
        claims
    }

    /// Returns the claims that all tokens of a session have.
    pub(crate) fn session_claims(&self, session: &Session, kind: &str, life: i64) -> Map<String, Value> {
        let now = Self::seconds();
        let mut claims = Map::new();
        for (name, value) in [
            ("iss", json!(self.issuer())),
            ("iat", json!(now)),
            ("exp", json!(now + life)),
            ("typ", json!(kind)),
            ("azp", json!(session.client)),
            ("sid", json!(session.sid)),
            ("scope", json!(session.scope)),
        ] {
            claims.insert(name.into(), value);
        }
        claims
    }
}
