//! An OpenID Provider with cached discovery document and keys.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_core::{CallScope, Clock, Error, OutboundPolicy, Result, SharedValue};
use tokio::time::Instant;
use url::Url;

use super::claims::Claims;
use super::discovery::{Discovery, Trust};
use super::keys::{KeySet, Verdict};
use super::rules::Rules;
use super::token::Unverified;
use crate::cache::{Cache, Lifetime, Source};
use crate::client::Client;
use crate::request::Request;
use crate::response::Response;
use crate::{BaseUrl, base_url};

/// The settings of an OpenID Provider.
#[derive(Debug, Clone)]
pub struct OpenIdSettings {
    /// The issuer, exactly as in tokens.
    pub issuer: String,
    /// The URL of the discovery document, if not below the issuer. Endpoints may be at its host.
    pub discovery: Option<Url>,
    /// The URL of the keys. If set, verifying tokens needs no discovery.
    pub jwks: Option<Url>,
    /// Additional hosts where endpoints may be.
    pub hosts: Vec<String>,
    /// The policy for requests.
    pub policy: OutboundPolicy,
}

impl OpenIdSettings {
    /// Creates settings for an issuer with discovery and all endpoints at its own host.
    pub fn new(issuer: impl Into<String>, policy: &OutboundPolicy) -> Self {
        Self { issuer: issuer.into(), discovery: None, jwks: None, hosts: Vec::new(), policy: policy.clone() }
    }
}

/// The lifetime of the document and the keys. Keys that cannot be refreshed for a day are no longer used.
const LIFETIME: Lifetime = Lifetime {
    fresh: Duration::from_secs(30 * 60),
    good: Duration::from_secs(60 * 60),
    usable: Duration::from_secs(24 * 60 * 60),
};

/// An OpenID Provider. Cheap to clone.
///
/// # Behavior
///
/// - The discovery document and the keys are fetched on first use. Concurrent calls share a fetch.
/// - Both are refreshed in the background after half an hour. If that fails, the old ones are used for at most a day, and a
///   warning is logged. Without old ones the call fails.
/// - A fetch is limited by the policy's `fetch_timeout`, and is not cancelled when callers leave.
/// - A token with an unknown key refreshes the keys, at most once in ten seconds.
#[derive(Clone)]
pub struct OpenIdProvider(Arc<Inner>);

struct Inner {
    client: Client,
    issuer: String,
    clock: Arc<dyn Clock>,
    discovery: Cache<DocumentSource>,
    keys: Cache<KeySource>,
}

impl OpenIdProvider {
    /// Creates a provider without requests. Fails with `Misconfigured` and a hint if the policy does not allow a URL.
    pub fn new(client: Client, settings: OpenIdSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let OpenIdSettings { issuer, discovery, jwks, mut hosts, policy } = settings;
        let base = BaseUrl::parse_setting("issuer", &issuer, &policy)?;
        for url in [&discovery, &jwks].into_iter().flatten() {
            base_url::check(url, (&policy).into())?;
        }
        let url = match discovery {
            Some(url) => url,
            None => base.join(&[".well-known", "openid-configuration"])?.into(),
        };
        hosts.extend([base.as_url(), &url].into_iter().filter_map(Url::host_str).map(str::to_owned));
        let trust = Trust { issuer: issuer.clone(), hosts, policy };
        let discovery = Cache::new(DocumentSource { client: client.clone(), url, trust }, client.fetch_timeout());
        let keys = KeySource { client: client.clone(), url: jwks, discovery: discovery.clone() };
        let keys = Cache::new(keys, client.fetch_timeout());
        Ok(Self(Arc::new(Inner { client, issuer, clock, discovery, keys })))
    }

    /// Returns the issuer.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Returns the discovery document.
    ///
    /// Fails with `Misconfigured` if it belongs to another issuer or has an endpoint at another host.
    pub async fn discovery(&self, scope: &CallScope) -> Result<Arc<Discovery>> {
        Ok(self.0.discovery.get(scope).await?.value.clone())
    }

    /// Fetches the keys, unless they are cached. For diagnoses.
    pub async fn check_keys(&self, scope: &CallScope) -> Result<()> {
        self.0.keys.get(scope).await.map(drop)
    }

    /// Verifies a token of this issuer and returns its claims.
    ///
    /// # Behavior
    ///
    /// - A token without a valid signature of the issuer, or with another algorithm, type, issuer or time than the rules allow, is
    ///   `InvalidToken`. So is an encrypted token, one with a critical header, and one with a duplicate claim.
    /// - A token with an unknown key is `InvalidToken` only if keys fetched after its arrival lack the key. If the last refresh was
    ///   less than ten seconds ago, it is `Unavailable` with the time until the next one. If the refresh fails, its error is returned.
    /// - Needs no request once the keys are cached.
    pub async fn verify(&self, scope: &CallScope, token: &str, rules: &Rules) -> Result<Claims> {
        let token = Unverified::parse(token, &self.0.issuer, rules)?;
        // An expired token is invalid with any key.
        token.check_time(rules, self.0.clock.now())?;
        let arrived_at = Instant::now();
        let mut keys = self.0.keys.get(scope).await?;
        loop {
            match keys.value.check(&token) {
                Verdict::Signed => return Ok(token.into_claims()),
                Verdict::Forged => return Err(Error::invalid_token("the token's signature is wrong")),
                Verdict::UnknownKey if keys.fetched_at >= arrived_at => {
                    return Err(Error::invalid_token("the token is signed with a key that the issuer does not have"));
                }
                // Keys fetched before the token arrived may lack its key.
                Verdict::UnknownKey => keys = self.0.keys.refresh(scope, &keys).await?,
            }
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.0.clock.as_ref()
    }
}

impl fmt::Debug for OpenIdProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenIdProvider").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}

struct DocumentSource {
    client: Client,
    url: Url,
    trust: Trust,
}

#[async_trait]
impl Source for DocumentSource {
    type Value = Arc<Discovery>;

    const NAME: &'static str = "the discovery document";

    async fn fetch(&self, scope: &CallScope) -> Result<(Arc<Discovery>, Lifetime)> {
        let answer = fetch(&self.client, scope, SharedValue::Discovery, &self.url).await?;
        Ok((Arc::new(self.trust.parse(&answer)?), LIFETIME))
    }
}

struct KeySource {
    client: Client,
    url: Option<Url>,
    discovery: Cache<DocumentSource>,
}

#[async_trait]
impl Source for KeySource {
    type Value = KeySet;

    const NAME: &'static str = "the identity provider's keys";

    async fn fetch(&self, scope: &CallScope) -> Result<(KeySet, Lifetime)> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => self.discovery.get(scope).await?.value.jwks_uri.clone(),
        };
        let answer = fetch(&self.client, scope, SharedValue::Keys, &url).await?;
        Ok((KeySet::from_response(&answer)?, LIFETIME))
    }
}

/// Fetches a value that calls share, and counts the fetch.
async fn fetch(client: &Client, scope: &CallScope, value: SharedValue, url: &Url) -> Result<Response> {
    let answer = client.send(scope, Request::get(url.clone())).await.and_then(Response::or_status);
    client.counters().count_fetch(value, answer.is_ok());
    answer
}
