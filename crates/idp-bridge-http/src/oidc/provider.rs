//! An OpenID Provider as seen from outside: its document and its keys, kept and refreshed, and what they say of a token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_core::{CallScope, Clock, Error, OutboundPolicy, Result};
use tokio::time::Instant;
use url::Url;

use super::claims::Claims;
use super::discovery::{Discovery, Trust};
use super::keys::{KeySet, Verdict};
use super::rules::Rules;
use super::token::Unverified;
use crate::cache::{Cache, Life, Source};
use crate::client::Client;
use crate::request::Request;
use crate::{BaseUrl, base_url};

/// Where an OpenID Provider is, and what is trusted to be its own.
#[derive(Debug, Clone)]
pub struct OpenIdSettings {
    /// The issuer, byte for byte as tokens name it.
    pub issuer: String,
    /// Where the discovery document lies, if not below the issuer. Endpoints may be at its host too.
    pub discovery: Option<Url>,
    /// Where the keys lie, if not where the discovery document says: then no discovery is needed to verify.
    pub jwks: Option<Url>,
    /// Hosts that endpoints may be at, beside the issuer's.
    pub hosts: Vec<String>,
    /// Where requests may go.
    pub policy: OutboundPolicy,
}

impl OpenIdSettings {
    /// An issuer that says itself where everything is, at its own host.
    pub fn new(issuer: impl Into<String>, policy: &OutboundPolicy) -> Self {
        Self { issuer: issuer.into(), discovery: None, jwks: None, hosts: Vec::new(), policy: policy.clone() }
    }
}

/// How long the document and the keys serve. Keys that cannot be refreshed for a day are not used any more.
const LIFE: Life = Life {
    fresh: Duration::from_secs(30 * 60),
    good: Duration::from_secs(60 * 60),
    usable: Duration::from_secs(24 * 60 * 60),
};

/// An OpenID Provider; cheap to clone.
///
/// # Behavior
///
/// - The discovery document and the keys are fetched when they are first needed, once for all calls that need them.
/// - They are replaced in the background after half an hour. If that fails, the old ones serve on for at most a day, with a
///   warning in the log; without any, the failure is the call's.
/// - A fetch takes no longer than the policy's `fetch_timeout`, whichever call began it; a caller that leaves cancels nothing.
/// - A token with an unknown key refreshes the keys, at most once in ten seconds: forged `kid`s cost no more.
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
    /// Checks the settings and asks no network; `Misconfigured`, with a hint, if a URL in them may not be asked.
    pub fn new(client: Client, settings: OpenIdSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let OpenIdSettings { issuer, discovery, jwks, mut hosts, policy } = settings;
        let base = BaseUrl::parse_setting("issuer", &issuer, &policy)?;
        for url in [&discovery, &jwks].into_iter().flatten() {
            base_url::check(url, (&policy).into())?;
        }
        let url = match discovery {
            Some(url) => url,
            None => base.join(&[".well-known", "openid-configuration"])?,
        };
        hosts.extend([base.as_url(), &url].into_iter().filter_map(Url::host_str).map(str::to_owned));
        let trust = Trust { issuer: issuer.clone(), hosts, policy };
        let discovery = Cache::new(DocumentSource { client: client.clone(), url, trust }, client.fetch_timeout());
        let keys = KeySource { client: client.clone(), url: jwks, discovery: discovery.clone() };
        let keys = Cache::new(keys, client.fetch_timeout());
        Ok(Self(Arc::new(Inner { client, issuer, clock, discovery, keys })))
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// What the provider says of itself.
    ///
    /// A document of another issuer, or with an endpoint where none may be, is `Misconfigured`.
    pub async fn discovery(&self, scope: &CallScope) -> Result<Arc<Discovery>> {
        Ok(self.0.discovery.get(scope).await?.value.clone())
    }

    /// The keys, fetched if they are not known: for a diagnosis.
    pub async fn check_keys(&self, scope: &CallScope) -> Result<()> {
        self.0.keys.get(scope).await.map(drop)
    }

    /// Checks that a token is this issuer's and keeps the rules, and gives its claims.
    ///
    /// # Behavior
    ///
    /// - What is not signed by a key of the issuer, of another algorithm, another kind, another issuer or another time is
    ///   `InvalidToken`; so is what is encrypted, has a header that must be understood, or a claim twice.
    /// - A token with an unknown key is `InvalidToken` only if keys that were fetched after its arrival lack the key. If such
    ///   keys cannot be fetched, or not yet, the error is another one: `Unavailable`, with the time until the next refresh,
    ///   if the last refresh was less than ten seconds ago.
    /// - It costs no request once the keys are known.
    pub async fn verify(&self, scope: &CallScope, token: &str, rules: &Rules) -> Result<Claims> {
        let token = Unverified::parse(token, &self.0.issuer, rules)?;
        // An expired token is bad whatever signed it, and needs no keys.
        token.check_time(rules, self.0.clock.now())?;
        let arrived_at = Instant::now();
        let mut keys = self.0.keys.get(scope).await?;
        loop {
            match keys.value.judge(&token) {
                Verdict::Signed => return Ok(token.into_claims()),
                Verdict::Forged => return Err(Error::invalid_token("the token's signature is wrong")),
                Verdict::Unknown if keys.fetched_at >= arrived_at => {
                    return Err(Error::invalid_token("the token is signed with a key that the issuer does not have"));
                }
                // A fetch that began before the token arrived may have missed its key.
                Verdict::Unknown => keys = self.0.keys.refresh(scope, &keys).await?,
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

    const WHAT: &'static str = "the discovery document";

    async fn fetch(&self, scope: &CallScope) -> Result<(Arc<Discovery>, Life)> {
        let answer = self.client.send(scope, Request::get(self.url.clone())).await?.or_status()?;
        Ok((Arc::new(self.trust.discovery(&answer)?), LIFE))
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

    const WHAT: &'static str = "the identity provider's keys";

    async fn fetch(&self, scope: &CallScope) -> Result<(KeySet, Life)> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => self.discovery.get(scope).await?.value.jwks_uri.clone(),
        };
        let answer = self.client.send(scope, Request::get(url)).await?.or_status()?;
        Ok((KeySet::from_response(&answer)?, LIFE))
    }
}
