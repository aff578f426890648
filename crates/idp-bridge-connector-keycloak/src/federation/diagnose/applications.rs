//! The tenant's applications, with the mappers that add claims to their tokens.

use std::collections::BTreeMap;

use idp_bridge_core::{CallScope, OauthClient, Result};
use serde::Deserialize;

use crate::client::AdminApi;
use crate::error::Step;

/// The tenant's applications that exist in the realm, by client id.
pub(super) struct Applications(BTreeMap<String, Application>);

/// One application.
pub(super) struct Application {
    attributes: BTreeMap<String, String>,
    redirect_uris: Vec<String>,
    /// Whether people log in to it with a browser.
    pub(super) has_standard_flow: bool,
    mappers: Vec<Mapper>,
    /// The mappers of optional scopes. With a public client, anyone can request these scopes.
    optional_mappers: Vec<Mapper>,
}

/// The source of a claim's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The user's attribute of this name.
    Attribute(String),
    /// Only administrators set the values.
    Administrators,
    /// The user sets the values.
    User,
    /// A mapper of this type, with an unknown source.
    Unknown(String),
}

/// The part of a ClientRepresentation that is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Client {
    client_id: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    standard_flow_enabled: Option<bool>,
    #[serde(default)]
    protocol_mappers: Vec<Mapper>,
    #[serde(default)]
    default_client_scopes: Vec<String>,
    #[serde(default)]
    optional_client_scopes: Vec<String>,
}

/// The part of a ClientScopeRepresentation that is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClientScope {
    name: String,
    #[serde(default)]
    protocol_mappers: Vec<Mapper>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mapper {
    protocol_mapper: String,
    #[serde(default)]
    config: BTreeMap<String, String>,
}

impl Applications {
    /// Reads the applications of these clients.
    pub(super) async fn read(admin: &AdminApi, scope: &CallScope, clients: &[OauthClient]) -> Result<Self> {
        let scopes: Vec<ClientScope> = admin.read(scope, Step::ReadClients, &["client-scopes"], &[]).await?;
        let mut all = BTreeMap::new();
        for client in clients {
            let found: Vec<Client> =
                admin.read(scope, Step::ReadClients, &["clients"], &[("clientId", client.id.clone())]).await?;
            let own = found.into_iter().find(|found| found.client_id == client.id);
            all.extend(own.map(|own| (client.id.clone(), Application::new(own, &scopes))));
        }
        Ok(Self(all))
    }

    /// Returns the application with this client id.
    pub(super) fn get(&self, id: &str) -> Option<&Application> {
        self.0.get(id)
    }
}

impl Application {
    fn new(client: Client, scopes: &[ClientScope]) -> Self {
        let mappers_of = |names: &[String]| {
            let own = scopes.iter().filter(|scope| names.contains(&scope.name));
            own.flat_map(|scope| scope.protocol_mappers.iter().cloned()).collect::<Vec<_>>()
        };
        let mut mappers = client.protocol_mappers;
        mappers.extend(mappers_of(&client.default_client_scopes));
        Self {
            attributes: client.attributes,
            redirect_uris: client.redirect_uris,
            has_standard_flow: client.standard_flow_enabled != Some(false),
            mappers,
            optional_mappers: mappers_of(&client.optional_client_scopes),
        }
    }

    /// Returns the sources of this claim in all responses that the bridge can read.
    pub(super) fn sources(&self, claim: &str) -> Vec<Source> {
        let all = self.mappers.iter().chain(&self.optional_mappers);
        all.filter(|mapper| mapper.writes(claim)).map(Mapper::source).collect()
    }

    /// Returns whether a mapper adds this claim at this place.
    pub(super) fn has_claim(&self, claim: &str, place: &str) -> bool {
        self.mappers.iter().any(|mapper| mapper.is("claim.name", claim) && mapper.is(place, "true"))
    }

    /// Returns whether this client can introspect the application's tokens.
    pub(super) fn has_audience(&self, client: &str) -> bool {
        self.adds_audience(client, self.token_place()) || self.adds_audience(client, "introspection.token.claim")
    }

    /// Returns whether the bridge, as this client, sends the application's tokens to introspection and not to userinfo.
    pub(super) fn is_introspected_by(&self, client: &str) -> bool {
        self.is_lightweight() || self.adds_audience(client, self.token_place())
    }

    /// Returns whether a mapper adds the client to the audience at this place.
    fn adds_audience(&self, client: &str, place: &str) -> bool {
        let keys = ["included.client.audience", "included.custom.audience"];
        self.mappers.iter().any(|own| keys.into_iter().any(|key| own.is(key, client)) && own.is(place, "true"))
    }

    /// Returns the switch that adds a mapper's claim to access tokens.
    fn token_place(&self) -> &'static str {
        if self.is_lightweight() { "lightweight.claim" } else { "access.token.claim" }
    }

    /// Returns whether the application gets lightweight access tokens.
    pub(super) fn is_lightweight(&self) -> bool {
        self.attributes.get("client.use.lightweight.access.token.enabled").is_some_and(|value| value == "true")
    }

    /// Returns whether the subject of tokens is another id than the user's.
    pub(super) fn has_pairwise_subject(&self) -> bool {
        self.mappers.iter().any(|mapper| mapper.protocol_mapper.contains("pairwise"))
    }

    /// Returns whether Keycloak redirects browsers to this URI after a logout. `+` stands for the redirect URIs, and a `*` at the end
    /// for any text.
    pub(super) fn may_redirect_to(&self, uri: &str) -> bool {
        let listed = self.attributes.get("post.logout.redirect.uris").map_or("", String::as_str);
        let own = listed.split("##").filter(|entry| *entry != "+");
        let redirects = self.redirect_uris.iter().map(String::as_str).filter(|_| listed.split("##").any(|e| e == "+"));
        own.chain(redirects).any(|entry| match entry.strip_suffix('*') {
            // Relative to the client's root URL, which the bridge does not read.
            _ if entry.starts_with('/') => true,
            Some(start) => uri.starts_with(start),
            None => uri == entry,
        })
    }

    /// Returns the back channel's URL.
    pub(super) fn back_channel(&self) -> Option<&str> {
        self.attributes.get("backchannel.logout.url").map(String::as_str).filter(|url| !url.is_empty())
    }
}

/// The places of claims that the bridge reads. It reads no ID tokens.
const PLACES: [&str; 4] =
    ["access.token.claim", "userinfo.token.claim", "introspection.token.claim", "lightweight.claim"];

impl Mapper {
    /// Returns whether it adds this claim to a response that the bridge reads.
    fn writes(&self, claim: &str) -> bool {
        let name = match self.protocol_mapper.as_str() {
            "oidc-full-name-mapper" => "name".to_owned(),
            "oidc-address-mapper" => "address".to_owned(),
            // A dot that does not separate two levels has a backslash before it.
            _ => self.config.get("claim.name").map(|name| name.replace("\\.", ".")).unwrap_or_default(),
        };
        name == claim && PLACES.iter().any(|place| self.is(place, "true"))
    }

    /// Returns the source of its values. The types are those of Keycloak 26.
    fn source(&self) -> Source {
        let attribute = || self.config.get("user.attribute").cloned().unwrap_or_default();
        match self.protocol_mapper.as_str() {
            "oidc-usermodel-property-mapper" if attribute() == "id" => Source::Administrators,
            "oidc-usermodel-attribute-mapper" | "oidc-usermodel-property-mapper" => Source::Attribute(attribute()),
            "oidc-hardcoded-claim-mapper"
            | "oidc-group-membership-mapper"
            | "oidc-organization-membership-mapper"
            | "oidc-usermodel-client-role-mapper"
            | "oidc-usermodel-realm-role-mapper" => Source::Administrators,
            "oidc-full-name-mapper" | "oidc-address-mapper" => Source::User,
            other => Source::Unknown(other.to_owned()),
        }
    }

    fn is(&self, key: &str, value: &str) -> bool {
        self.config.get(key).is_some_and(|own| own == value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn application(mappers: Value, attributes: Value, scopes: Value) -> Application {
        let client = json!({
            "clientId": "web", "attributes": attributes, "protocolMappers": mappers,
            "defaultClientScopes": ["basic", "profile"], "optionalClientScopes": ["phone"], "redirectUris": ["https://app.example/*"],
        });
        let scopes: Vec<ClientScope> = serde_json::from_value(scopes).unwrap();
        Application::new(serde_json::from_value(client).unwrap(), &scopes)
    }

    fn audience(places: &[&str]) -> Value {
        let mut config = json!({"included.client.audience": "idp-bridge"});
        for place in places {
            config[*place] = json!("true");
        }
        json!([{"protocolMapper": "oidc-audience-mapper", "config": config}])
    }

    #[test]
    fn audience_decides_on_introspection() {
        let light = json!({"client.use.lightweight.access.token.enabled": "true"});
        let (access, introspection) = ("access.token.claim", "introspection.token.claim");
        for (attributes, places, has, is_asked) in [
            (json!({}), &[][..], false, false),
            (json!({}), &[access], true, true),
            (json!({}), &[introspection], true, false),
            (light.clone(), &[access], false, true),
            (light.clone(), &[introspection], true, true),
            (light, &["lightweight.claim"], true, true),
        ] {
            let application = application(audience(places), attributes, json!([]));
            assert_eq!(application.has_audience("idp-bridge"), has, "{places:?}");
            assert_eq!(application.is_introspected_by("idp-bridge"), is_asked, "{places:?}");
            assert!(!application.has_audience("another"));
        }
    }

    #[test]
    fn only_default_scopes_add_claims() {
        let claim = |name: &str| json!([{"protocolMapper": "m", "config": {"claim.name": name, "userinfo.token.claim": "true"}}]);
        let scopes = json!([
            {"name": "profile", "protocolMappers": claim("here")}, {"name": "other", "protocolMappers": claim("there")},
        ]);
        let application = application(json!([]), json!({"backchannel.logout.url": ""}), scopes);
        assert!(application.has_claim("here", "userinfo.token.claim"));
        assert!(!application.has_claim("here", "introspection.token.claim"));
        assert!(!application.has_claim("there", "userinfo.token.claim"));
        assert_eq!((application.back_channel(), application.has_pairwise_subject()), (None, false));
    }

    #[test]
    fn redirect_uris_match_like_keycloak() {
        let listed = |text: &str| application(json!([]), json!({"post.logout.redirect.uris": text}), json!([]));
        let (bye, other) = ("https://app.example/bye", "https://other.example/bye");
        for (text, may) in [
            ("", [false, false]),
            ("+", [true, false]),
            ("https://other.example/bye", [false, true]),
            ("https://other.example/bye##+", [true, true]),
            ("https://app.example/*", [true, false]),
            ("https://app.example/by", [false, false]),
            ("/bye", [true, true]),
        ] {
            let application = listed(text);
            assert_eq!([bye, other].map(|uri| application.may_redirect_to(uri)), may, "{text}");
        }
    }

    #[test]
    fn sources_of_claims_are_found() {
        let mapper = |kind: &str, config: Value| json!({"protocolMapper": kind, "config": config});
        let attribute = |claim: &str, place: &str| {
            let config = json!({"claim.name": claim, "user.attribute": "nickname", place: "true"});
            json!([mapper("oidc-usermodel-attribute-mapper", config)])
        };
        let nickname = || vec![Source::Attribute("nickname".into())];
        for (mappers, sources) in [
            (json!([]), vec![]),
            (attribute("c", "userinfo.token.claim"), nickname()),
            (attribute("c", "introspection.token.claim"), nickname()),
            (attribute("c", "access.token.claim"), nickname()),
            (attribute("c", "lightweight.claim"), nickname()),
            (attribute("c", "id.token.claim"), vec![]),
            (attribute("other", "userinfo.token.claim"), vec![]),
        ] {
            assert_eq!(application(mappers.clone(), json!({}), json!([])).sources("c"), sources, "{mappers}");
        }
        let config = json!({"claim.name": "c\\.d", "user.attribute": "id", "userinfo.token.claim": "true"});
        for (kind, source) in [
            ("oidc-usermodel-property-mapper", Source::Administrators),
            ("oidc-usermodel-attribute-mapper", Source::Attribute("id".into())),
            ("oidc-hardcoded-claim-mapper", Source::Administrators),
            ("oidc-script-based-protocol-mapper", Source::Unknown("oidc-script-based-protocol-mapper".into())),
            ("oidc-usersessionmodel-note-mapper", Source::Unknown("oidc-usersessionmodel-note-mapper".into())),
        ] {
            let application = application(json!([mapper(kind, config.clone())]), json!({}), json!([]));
            assert_eq!(application.sources("c.d"), [source], "{kind}");
        }
    }

    #[test]
    fn optional_scopes_are_sources_too() {
        let config = json!({"claim.name": "c", "user.attribute": "nickname", "userinfo.token.claim": "true"});
        let mappers = json!([{"protocolMapper": "oidc-usermodel-attribute-mapper", "config": config}]);
        let scopes = json!([{"name": "phone", "protocolMappers": mappers.clone()}, {"name": "other", "protocolMappers": mappers}]);
        let application = application(json!([]), json!({}), scopes);
        assert_eq!(application.sources("c"), [Source::Attribute("nickname".into())]);
        assert!(!application.has_claim("c", "userinfo.token.claim"));
    }

    #[test]
    fn pairwise_subject_is_found() {
        let pairwise = json!([{"protocolMapper": "oidc-sha256-pairwise-sub-mapper"}]);
        assert!(application(pairwise, json!({}), json!([])).has_pairwise_subject());
    }
}
