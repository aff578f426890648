//! The tenant's applications as the realm keeps them, with all that adds claims to their tokens.

use std::collections::BTreeMap;

use idp_bridge_core::{CallScope, OauthClient, Result};
use serde::Deserialize;

use crate::client::AdminApi;

/// Those of the tenant's applications that the realm has, by their id.
pub(super) struct Applications(BTreeMap<String, Application>);

/// One of them.
pub(super) struct Application {
    attributes: BTreeMap<String, String>,
    mappers: Vec<Mapper>,
}

/// A ClientRepresentation, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Client {
    client_id: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    protocol_mappers: Vec<Mapper>,
    #[serde(default)]
    default_client_scopes: Vec<String>,
}

/// A ClientScopeRepresentation, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClientScope {
    name: String,
    #[serde(default)]
    protocol_mappers: Vec<Mapper>,
}

#[derive(Clone, Deserialize)]
struct Mapper {
    #[serde(default)]
    config: BTreeMap<String, String>,
}

impl Applications {
    pub(super) async fn read(admin: &AdminApi, scope: &CallScope, clients: &[OauthClient]) -> Result<Self> {
        let scopes: Vec<ClientScope> = admin.client_scopes(scope).await?;
        let mut all = BTreeMap::new();
        for client in clients {
            let found: Vec<Client> = admin.clients_named(scope, &client.id).await?;
            let own = found.into_iter().find(|found| found.client_id == client.id);
            all.extend(own.map(|own| (client.id.clone(), Application::of(own, &scopes))));
        }
        Ok(Self(all))
    }

    pub(super) fn get(&self, id: &str) -> Option<&Application> {
        self.0.get(id)
    }
}

impl Application {
    fn of(client: Client, scopes: &[ClientScope]) -> Self {
        let granted = scopes.iter().filter(|scope| client.default_client_scopes.contains(&scope.name));
        let mut mappers = client.protocol_mappers;
        mappers.extend(granted.flat_map(|scope| scope.protocol_mappers.iter().cloned()));
        Self { attributes: client.attributes, mappers }
    }

    /// Whether a mapper adds this claim at this place.
    pub(super) fn has_claim(&self, claim: &str, place: &str) -> bool {
        self.mappers.iter().any(|mapper| mapper.is("claim.name", claim) && mapper.is(place, "true"))
    }

    /// Whether introspection tells this client of the application's tokens.
    pub(super) fn has_audience(&self, client: &str) -> bool {
        self.names(client, self.own_place()) || self.names(client, "introspection.token.claim")
    }

    /// Whether the bridge, as this client, asks introspection of the application's tokens, and not userinfo.
    pub(super) fn is_introspected_by(&self, client: &str) -> bool {
        self.is_lightweight() || self.names(client, self.own_place())
    }

    /// Whether a mapper names the client as audience at this place.
    fn names(&self, client: &str, place: &str) -> bool {
        let keys = ["included.client.audience", "included.custom.audience"];
        self.mappers.iter().any(|own| keys.into_iter().any(|key| own.is(key, client)) && own.is(place, "true"))
    }

    /// The switch that lets a mapper add to access tokens.
    fn own_place(&self) -> &'static str {
        if self.is_lightweight() { "lightweight.claim" } else { "access.token.claim" }
    }

    pub(super) fn is_lightweight(&self) -> bool {
        self.attributes.get("client.use.lightweight.access.token.enabled").is_some_and(|value| value == "true")
    }

    pub(super) fn back_channel(&self) -> Option<&str> {
        self.attributes.get("backchannel.logout.url").map(String::as_str).filter(|url| !url.is_empty())
    }
}

impl Mapper {
    fn is(&self, key: &str, value: &str) -> bool {
        self.config.get(key).is_some_and(|own| own == value)
    }
}
