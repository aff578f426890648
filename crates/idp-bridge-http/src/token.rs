//! Cached access tokens for admin APIs.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};
use idp_bridge_core::{CallScope, Result, Secret, SharedValue, UpstreamCounters};
use serde::Deserialize;

use crate::cache::{Cache, Lifetime, Source};
use crate::client::Client;
use crate::request::{Request, bearer};
use crate::response::Response;

/// Fetches access tokens for the identity provider's admin API.
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// Fetches a new token.
    ///
    /// Runs in a separate task under the policy's `fetch_timeout`. The scope has this deadline, not that of a call.
    async fn fetch(&self, scope: &CallScope) -> Result<Token>;
}

/// An access token with its lifetime.
#[derive(Debug, Clone)]
pub struct Token {
    /// The bearer token.
    pub secret: Secret,
    /// The lifetime, from the time of the request.
    pub expires_in: Duration,
}

/// The response of an OAuth 2.0 token endpoint to a client credentials grant (RFC 6749, section 5.1).
#[derive(Debug, Deserialize)]
pub struct TokenResponse {
    access_token: Secret,
    expires_in: u64,
    /// The space-separated scopes of the token, if the response contains them.
    pub scope: Option<String>,
}

impl From<TokenResponse> for Token {
    fn from(answer: TokenResponse) -> Self {
        Self { secret: answer.access_token, expires_in: Duration::from_secs(answer.expires_in) }
    }
}

/// Fetches tokens with the same request each time.
#[derive(Clone)]
pub struct TokenRequest {
    /// The client that sends the request.
    pub client: Client,
    /// The request to the token endpoint.
    pub request: Request,
    /// Returns the response if it is successful, otherwise the error that it means.
    pub check: fn(Response) -> Result<Response>,
}

impl TokenRequest {
    /// Sends the request and returns the parsed response.
    pub async fn send(&self, scope: &CallScope) -> Result<TokenResponse> {
        (self.check)(self.client.send(scope, self.request.clone()).await?)?.json()
    }
}

#[async_trait]
impl TokenSource for TokenRequest {
    async fn fetch(&self, scope: &CallScope) -> Result<Token> {
        self.send(scope).await.map(Token::from)
    }
}

/// Caches one token for all calls of a tenant. Cheap to clone.
///
/// # Behavior
///
/// - Concurrent calls wait for one fetch, which is recorded as a request of the first call.
/// - A fetch is limited by the policy's `fetch_timeout`. Calls wait until their own deadlines; leaving cancels no fetch.
/// - If a fetch fails, all waiting calls fail with its error kind, and the next call fetches again. After several consecutive
///   failures, one fetch per second is made, and other calls fail immediately.
/// - After half of its lifetime, a token is refreshed in the background. Only the first call, a call after a 401 and a call after
///   a long pause wait for a token.
#[derive(Clone)]
pub struct TokenCache(Cache<Tokens>);

/// The maximum lifetime of a token.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The time before its expiry at which a token is no longer used, at most.
const MARGIN: Duration = Duration::from_secs(5);

/// Adapts a [`TokenSource`] to the cache, which contains the header of requests.
struct Tokens {
    source: Box<dyn TokenSource>,
    counters: UpstreamCounters,
}

#[async_trait]
impl Source for Tokens {
    type Value = HeaderValue;

    const NAME: &'static str = "an admin token";

    async fn fetch(&self, scope: &CallScope) -> Result<(HeaderValue, Lifetime)> {
        let fetched = self.source.fetch(scope).await;
        self.counters.count_fetch(SharedValue::AdminToken, fetched.is_ok());
        let token = fetched?;
        Ok((bearer(&token.secret)?, lifetime(token.expires_in)))
    }
}

/// Returns the lifetime of a cached token, which ends shortly before the token expires.
fn lifetime(expires_in: Duration) -> Lifetime {
    let expires_in = expires_in.min(LONGEST_LIFETIME);
    let good = expires_in - (expires_in / 10).min(MARGIN);
    Lifetime { fresh: expires_in / 2, good, usable: good }
}

impl TokenCache {
    /// Creates an empty cache with the client's `fetch_timeout`.
    pub fn new(client: &Client, source: impl TokenSource) -> Self {
        let tokens = Tokens { source: Box::new(source), counters: client.counters().clone() };
        Self(Cache::new(tokens, client.fetch_timeout()))
    }

    /// Fetches a new token without the cache, within the scope's deadline.
    pub async fn fetch(&self, scope: &CallScope) -> Result<Token> {
        self.0.source().source.fetch(scope).await
    }

    /// Sends a request with the token.
    ///
    /// After a 401 the request is sent once more with a new token. A write too, because it was not executed. A second 401 is
    /// returned.
    pub fn send<'a>(
        &'a self,
        client: &'a Client,
        scope: &'a CallScope,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>> {
        // Boxed, so that the code of the future is compiled in this crate alone.
        Box::pin(async move {
            let mut attempts = 0;
            let first = self.0.get(scope).await?;
            scope.recorder().count_request();
            let request = request.header(AUTHORIZATION, first.value.clone());
            let answer = client.send_counted(scope, &request, &mut attempts).await?;
            if answer.status != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            self.0.remove(&first);
            let second = self.0.get(scope).await?;
            let request = request.header(AUTHORIZATION, second.value.clone());
            client.send_counted(scope, &request, &mut attempts).await
        })
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_used_until_shortly_before_expiry() {
        let seconds = Duration::from_secs;
        assert_eq!(lifetime(seconds(100)), Lifetime { fresh: seconds(50), good: seconds(95), usable: seconds(95) });
        assert_eq!(lifetime(seconds(10)), Lifetime { fresh: seconds(5), good: seconds(9), usable: seconds(9) });
        for expires_in in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            let lifetime = lifetime(expires_in);
            assert!(lifetime.fresh <= lifetime.good && lifetime.good == lifetime.usable);
            assert!(lifetime.usable <= LONGEST_LIFETIME);
        }
    }

    #[test]
    fn token_response_is_parsed_and_hidden() {
        let answer = |text| serde_json::from_str::<TokenResponse>(text);
        let full =
            answer(r#"{"access_token": "t-1", "token_type": "Bearer", "expires_in": 300, "scope": "a b"}"#).unwrap();
        assert_eq!(full.scope.as_deref(), Some("a b"));
        assert!(!format!("{full:?}").contains("t-1"));
        let token = Token::from(full);
        assert_eq!((token.secret.expose(), token.expires_in), ("t-1", Duration::from_secs(300)));
        for bad in [r#"{"expires_in": 300}"#, r#"{"access_token": "t"}"#, r#"{"access_token": "", "expires_in": 1}"#] {
            assert!(answer(bad).is_err(), "{bad}");
        }
    }
}
