//! What the fake says of a login, in tokens and in answers: its own claims, and those that a client's mappers add.

use serde_json::{Map, Value, json};

use super::realm::{Client, Realm};
use super::session::Session;

/// Where a claim can be.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    AccessToken,
    LightweightToken,
    Userinfo,
    Introspection,
}

impl Place {
    /// The switch of a mapper.
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
    /// A switch among its attributes.
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

    /// The claims of the person, with those that the mappers of the session's client add at this place.
    pub(crate) fn personal(&self, session: &Session, place: Place) -> Map<String, Value> {
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
            .mappers
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

    /// What each of a session's tokens says, but for the person.
    pub(crate) fn common(&self, session: &Session, kind: &str, life: i64) -> Map<String, Value> {
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
