//! The keys of `[tenants.X.federation]`.

use std::num::NonZeroU32;

use idp_bridge_core::{FederationSettings, LogoutFallback, OauthClient, Secret};
use idp_bridge_server::{CustomerFrom, FederationRules};
use schemars::JsonSchema;
use serde::Deserialize;

use super::time::Time;
use super::url::{Origin, ReturnUrl};

/// OAuth for applications: userinfo, logout and back-channel logout. Off without this table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Federation {
    /// The applications at the identity provider whose tokens are accepted, each with its `id` and, unless it is public, its `secret`.
    #[schemars(length(min = 1))]
    pub(crate) clients: Vec<Client>,
    /// The claim with the customer id. Each connector has its own default.
    pub(crate) customer_claim: Option<String>,
    /// The source of the customer in userinfo: the claim, or the user at the identity provider.
    #[serde(default)]
    pub(crate) customer: CustomerFrom,
    /// The lifetime of userinfo's cache, from 0 s to 60 s. Each connector has its own default.
    pub(crate) cache: Option<Cache>,
    /// The maximum lifetime of an access token, from 1 min to 30 days. Tokens with a longer lifetime are rejected.
    #[serde(default = "max_token_age")]
    pub(crate) max_token_age: TokenAge,
    /// The allowed redirect targets after a logout, compared byte for byte.
    #[serde(default)]
    pub(crate) post_logout_redirect_uris: Vec<ReturnUrl>,
    /// The origins whose pages may call userinfo and logout.
    #[serde(default)]
    pub(crate) cors_origins: Vec<Origin>,
    /// Whether the login settings for applications are public at `…/federation`.
    #[serde(default)]
    pub(crate) metadata: bool,
    /// The behavior of a logout.
    #[serde(default)]
    pub(crate) logout: Logout,
    /// The maximum number of tokens per second, not recently validated, that may reach the identity provider.
    #[serde(default = "anonymous_per_second")]
    pub(crate) anonymous_per_second: NonZeroU32,
}

/// An application registered at the identity provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Client {
    /// The `client_id`.
    pub(crate) id: String,
    /// The client secret. Public clients have none.
    pub(crate) secret: Option<Secret>,
}

/// The behavior of a logout.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Logout {
    /// The behavior if no single session can be ended.
    pub(crate) fallback: LogoutFallback,
}

fn anonymous_per_second() -> NonZeroU32 {
    NonZeroU32::new(FederationRules::default().anonymous_per_second).unwrap_or(NonZeroU32::MIN)
}

/// The lifetime of userinfo's cache, from 0 s to 60 s.
pub(crate) type Cache = Time<0, 60_000>;

/// The maximum lifetime of an access token, from 1 min to 30 days.
pub(crate) type TokenAge = Time<60_000, 2_592_000_000>;

fn max_token_age() -> TokenAge {
    Time(FederationRules::default().max_token_age)
}

impl Federation {
    /// Returns the settings for the connector.
    pub(crate) fn to_settings(&self) -> FederationSettings {
        let client = |client: &Client| OauthClient { id: client.id.clone(), secret: client.secret.clone() };
        FederationSettings {
            clients: self.clients.iter().map(client).collect(),
            customer_claim: self.customer_claim.clone(),
            fallback: self.logout.fallback,
            post_logout_redirect_uris: self.post_logout_redirect_uris.iter().map(|url| url.0.clone()).collect(),
        }
    }

    /// Converts into the rules for the server.
    pub(crate) fn into_rules(self) -> FederationRules {
        FederationRules {
            clients: self.clients.into_iter().map(|client| client.id).collect(),
            post_logout_redirect_uris: self.post_logout_redirect_uris.into_iter().map(|url| url.0).collect(),
            cors_origins: self.cors_origins.into_iter().map(|origin| origin.0).collect(),
            customer: self.customer,
            cache: self.cache.map(|cache| cache.0),
            max_token_age: self.max_token_age.0,
            publish: self.metadata,
            anonymous_per_second: self.anonymous_per_second.get(),
        }
    }
}
