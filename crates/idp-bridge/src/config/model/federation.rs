//! The keys of `[tenants.X.federation]`: what applications may do with the tokens of their users.

use std::num::NonZeroU32;
use std::time::Duration;

use idp_bridge_core::{FederationSettings, LogoutFallback, OauthClient, Secret};
use idp_bridge_server::{CustomerFrom, FederationRules};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::time;
use super::url::{Origin, ReturnUrl};

/// OAuth for applications: userinfo, logout and back-channel logout; off without this table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Federation {
    /// The applications at the identity provider whose tokens are taken, each with its `id` and, unless it is public, its `secret`.
    #[schemars(length(min = 1))]
    pub(crate) clients: Vec<Client>,
    /// The claim that names the customer; the connector's own default if absent.
    #[serde(default)]
    pub(crate) customer_claim: Option<String>,
    /// Whose customer userinfo answers: the claim's, or the user's at the identity provider.
    #[serde(default)]
    pub(crate) customer: CustomerFrom,
    /// For how long userinfo may answer without asking the identity provider, from 0 s to 60 s; the connector's own default if absent.
    #[serde(default)]
    pub(crate) cache: Option<Cache>,
    /// The longest life of an access token, from 1 min to 30 days; one that is issued for longer is refused.
    #[serde(default)]
    pub(crate) max_token_age: TokenAge,
    /// Where the browser may return to after a logout, byte for byte.
    #[serde(default)]
    pub(crate) post_logout_redirect_uris: Vec<ReturnUrl>,
    /// The origins whose pages may call userinfo and logout.
    #[serde(default)]
    pub(crate) cors_origins: Vec<Origin>,
    /// Whether anybody may read at `…/federation` how an application logs users in.
    #[serde(default)]
    pub(crate) metadata: bool,
    /// What a logout does.
    #[serde(default)]
    pub(crate) logout: Logout,
    /// How many tokens that were not proven good lately may reach the identity provider in a second.
    #[serde(default = "anonymous_per_second")]
    pub(crate) anonymous_per_second: NonZeroU32,
}

/// An application that is registered at the identity provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Client {
    /// Its `client_id`.
    pub(crate) id: String,
    /// Its secret; none if it is public.
    #[serde(default)]
    pub(crate) secret: Option<Secret>,
}

/// What a logout does.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Logout {
    /// What it does where no single session can be ended.
    pub(crate) fallback: LogoutFallback,
}

fn anonymous_per_second() -> NonZeroU32 {
    NonZeroU32::new(FederationRules::default().anonymous_per_second).unwrap_or(NonZeroU32::MIN)
}

/// For how long userinfo may answer without asking, from 0 s to 60 s.
#[derive(Debug, Clone, Copy, JsonSchema)]
#[schemars(transparent, extend("examples" = ["0s", "30s"]))]
pub(crate) struct Cache(#[schemars(with = "String")] Duration);

impl<'de> Deserialize<'de> for Cache {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        time(deserializer, Duration::ZERO..=FederationRules::MAX_CACHE, "expected a time from `0s` to `60s`").map(Self)
    }
}

/// The longest life of an access token, from 1 min to 30 days.
#[derive(Debug, Clone, Copy, JsonSchema)]
#[schemars(transparent, extend("default" = "24h", "examples" = ["10m", "24h"]))]
pub(crate) struct TokenAge(#[schemars(with = "String")] Duration);

impl TokenAge {
    const LEAST: Duration = Duration::from_mins(1);
    const MOST: Duration = Duration::from_hours(30 * 24);
}

impl Default for TokenAge {
    fn default() -> Self {
        Self(FederationRules::default().max_token_age)
    }
}

impl<'de> Deserialize<'de> for TokenAge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        time(deserializer, Self::LEAST..=Self::MOST, "expected a time from `1m` to `720h`").map(Self)
    }
}

impl Federation {
    /// What the connector is told.
    pub(crate) fn settings(&self) -> FederationSettings {
        let client = |client: &Client| OauthClient { id: client.id.clone(), secret: client.secret.clone() };
        FederationSettings {
            clients: self.clients.iter().map(client).collect(),
            customer_claim: self.customer_claim.clone(),
            fallback: self.logout.fallback,
            post_logout_redirect_uris: self.post_logout_redirect_uris.iter().map(|url| url.0.clone()).collect(),
        }
    }

    /// What the server goes by.
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
