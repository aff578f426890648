//! JWT access tokens of REST's callers (RFC 9068), as an authorization server of the tenant's choice signs them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use idp_bridge_core::{AccessToken, CallScope, Clock, Error, OutboundPolicy, Result};
use idp_bridge_http::oidc::{Algorithm, Claims, OpenIdProvider, OpenIdSettings, Rules};
use idp_bridge_http::{BaseUrl, Client, Url};

use super::caller::Caller;
use crate::tenant::Scope;

/// Whose access tokens are taken.
#[derive(Debug, Clone)]
pub struct AccessTokenSettings {
    /// Who issues them: `iss`, byte for byte.
    pub issuer: String,
    /// Whom they must be meant for: one of `aud`.
    pub audience: String,
    /// Where the issuer's keys are; no other key is taken, whatever a token says.
    pub jwks_url: String,
    /// How they may be signed.
    pub algorithms: Vec<Algorithm>,
    /// Where the keys may be fetched from, and how.
    pub outbound: OutboundPolicy,
}

/// Judges access tokens.
pub struct AccessTokens {
    issuer: OpenIdProvider,
    audience: String,
    rules: Rules,
}

impl AccessTokens {
    /// Checks the settings and asks no network; an error names the one that cannot be right.
    pub fn new(settings: AccessTokenSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let AccessTokenSettings { issuer, audience, jwks_url, algorithms, outbound } = settings;
        BaseUrl::parse(&issuer, &outbound).map_err(|error| of("issuer", error))?;
        let jwks = Url::parse(&jwks_url)
            .map_err(|error| Error::misconfigured("`jwks_url` cannot be read").with_source(error))?;
        let client = Client::new(&outbound)?;
        let settings = OpenIdSettings { jwks: Some(jwks), ..OpenIdSettings::new(issuer, &outbound) };
        // The issuer is right, so that what else is wrong is wrong with the other address.
        let issuer = OpenIdProvider::new(client, settings, clock).map_err(|error| of("jwks_url", error))?;
        Ok(Self { issuer, audience, rules: Rules { algorithms, ..Rules::rfc9068() } })
    }

    /// Whose tokens they are.
    pub fn issuer(&self) -> &str {
        self.issuer.issuer()
    }

    /// Who presents this token. It asks nobody while the keys are known.
    pub(super) async fn caller(&self, scope: &CallScope, token: &str) -> Result<Caller> {
        let token = AccessToken::new(token).map_err(|_| Error::invalid_token("it is no access token"))?;
        if !token.is_jwt() {
            return Err(Error::invalid_token("the tenant does not know this token, and it is no JWT"));
        }
        let claims = self.issuer.verify(scope, token.expose(), &self.rules).await?;
        self.judge(&claims)
    }

    fn judge(&self, claims: &Claims) -> Result<Caller> {
        if !claims.audience().contains(&self.audience.as_str()) {
            return Err(Error::invalid_token("the token is meant for somebody else (`aud`)"));
        }
        claims.refuse_bound()?;
        let client = claims.issued_to(|client| !client.is_empty())?;
        let subject = claims.text("sub").filter(|subject| !subject.is_empty());
        let subject = subject.ok_or_else(|| Error::invalid_token("the token names no subject"))?;
        let scopes = claims.text("scope").unwrap_or_default().split(' ').filter_map(Scope::named);
        // With its length before it, a client cannot be taken for the beginning of another one.
        let key = format!("jwt {} {client} {subject}", client.len());
        Ok(Caller { name: client.to_owned(), key, scopes: scopes.collect::<BTreeSet<_>>() })
    }
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens").field("issuer", &self.issuer.issuer()).finish_non_exhaustive()
    }
}

/// The same about one setting.
fn of(setting: &str, error: Error) -> Error {
    error.retold(format!("`{setting}`: {}", error.message()))
}
