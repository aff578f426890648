//! JWT access tokens of REST callers (RFC 9068), signed by an authorization server of the tenant's choice.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use idp_bridge_core::{AccessToken, CallScope, Clock, Error, OutboundPolicy, Result};
use idp_bridge_http::oidc::{Algorithm, Claims, OpenIdProvider, OpenIdSettings, Rules};
use idp_bridge_http::{BaseUrl, Client, Url};

use super::caller::{Caller, Scope};

/// The settings of the JWT access tokens that REST accepts.
#[derive(Debug, Clone)]
pub struct AccessTokenSettings {
    /// The issuer: `iss`, byte for byte.
    pub issuer: String,
    /// The audience: one of `aud`.
    pub audience: String,
    /// The address of the issuer's keys. A key that a token refers to is not used.
    pub jwks_url: String,
    /// The accepted signature algorithms.
    pub algorithms: Vec<Algorithm>,
    /// The policy for requests to the issuer.
    pub outbound: OutboundPolicy,
}

/// Validates JWT access tokens.
pub struct AccessTokens {
    issuer: OpenIdProvider,
    audience: String,
    rules: Rules,
}

impl AccessTokens {
    /// Creates a validator without a request. An error names the invalid setting.
    pub fn new(settings: AccessTokenSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let AccessTokenSettings { issuer, audience, jwks_url, algorithms, outbound } = settings;
        BaseUrl::parse(&issuer, &outbound).map_err(|error| with_setting("issuer", error))?;
        let jwks = Url::parse(&jwks_url)
            .map_err(|error| Error::misconfigured("`jwks_url` is not a valid URL").with_source(error))?;
        let client = Client::new(&outbound)?;
        let settings = OpenIdSettings { jwks: Some(jwks), ..OpenIdSettings::new(issuer, &outbound) };
        // The issuer is valid, so the error is about the other address.
        let issuer = OpenIdProvider::new(client, settings, clock).map_err(|error| with_setting("jwks_url", error))?;
        Ok(Self { issuer, audience, rules: Rules { algorithms, ..Rules::rfc9068() } })
    }

    /// Returns the issuer.
    pub fn issuer(&self) -> &str {
        self.issuer.issuer()
    }

    /// Validates a token and returns its caller. Sends no request while the keys are cached.
    pub(crate) async fn authenticate(&self, scope: &CallScope, token: &str) -> Result<Caller> {
        let token = AccessToken::new(token).map_err(|_| Error::invalid_token("the token is not an access token"))?;
        if !token.is_jwt() {
            return Err(Error::invalid_token("the token is neither a static token of the tenant nor a JWT"));
        }
        let claims = self.issuer.verify(scope, token.expose(), &self.rules).await?;
        self.check_claims(&claims)
    }

    fn check_claims(&self, claims: &Claims) -> Result<Caller> {
        if !claims.audience().contains(&self.audience.as_str()) {
            return Err(Error::invalid_token("the token has another audience (`aud`)"));
        }
        claims.check_unbound()?;
        let client = claims.check_client(|client| !client.is_empty())?;
        let subject = claims.text("sub").filter(|subject| !subject.is_empty());
        let subject = subject.ok_or_else(|| Error::invalid_token("the token has no subject (`sub`)"))?;
        let scopes = claims.text("scope").unwrap_or_default().split(' ').filter_map(Scope::parse);
        // The length of the client separates it from the subject.
        let key = format!("jwt {} {client} {subject}", client.len());
        Ok(Caller { name: client.to_owned(), key, scopes: scopes.collect::<BTreeSet<_>>() })
    }
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens").field("issuer", &self.issuer.issuer()).finish_non_exhaustive()
    }
}

/// Adds the name of a setting to an error.
fn with_setting(setting: &str, error: Error) -> Error {
    error.with_message(format!("`{setting}`: {}", error.message()))
}
