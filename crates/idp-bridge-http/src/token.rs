//! A cached admin token: one fetch at a time, refreshed early, dropped once it is refused.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use idp_bridge_core::{CallScope, Result, Secret};
use serde::Deserialize;

use crate::cache::{Cache, Life, Source};
use crate::client::Client;
use crate::request::Request;
use crate::response::Response;

/// Fetches a token for the identity provider's admin interface.
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// Fetches a new token.
    ///
    /// It runs in a task of its own, within the policy's `fetch_timeout`: the scope's deadline is not that of any call.
    async fn fetch(&self, scope: &CallScope) -> Result<Token>;
}

/// A token and how long it is good for.
#[derive(Debug, Clone)]
pub struct Token {
    /// What is sent as the bearer token.
    pub secret: Secret,
    /// How long it is good for, from the moment it was asked for.
    pub expires_in: Duration,
}

/// The answer of an OAuth 2.0 token endpoint (RFC 6749, section 5.1), as far as it matters to who asks for itself.
#[derive(Debug, Deserialize)]
pub struct TokenResponse {
    access_token: Secret,
    expires_in: u64,
    /// The scopes of the token, with spaces between them, if the answer names them.
    pub scope: Option<String>,
}

impl From<TokenResponse> for Token {
    fn from(answer: TokenResponse) -> Self {
        Self { secret: answer.access_token, expires_in: Duration::from_secs(answer.expires_in) }
    }
}

/// Keeps one token for all calls of a tenant; cheap to clone.
///
/// # Behavior
///
/// - Calls that need a token at the same time wait for one fetch, which counts as a request of the call that began it.
/// - A fetch takes no longer than the policy's `fetch_timeout`, whichever call began it. Each call waits until its own
///   deadline, and a caller that leaves cancels nothing.
/// - The calls that waited for a failed fetch get an error of its kind, and the next call fetches again. After several
///   failures in a row one fetch a second is made, and other calls fail at once.
/// - From half of its life on a token is replaced in the background, while calls go on with it: only the first call, one
///   after a 401 and one after a long silence wait for a token.
pub struct TokenCache<S: TokenSource>(Cache<Tokens<S>>);

/// No token is believed to live longer; so that no sum of times overflows.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// What a token loses of its life, at most: the way to the identity provider and its clock take some.
const MARGIN: Duration = Duration::from_secs(5);

/// A source of tokens as the cache asks it.
struct Tokens<S>(S);

#[async_trait]
impl<S: TokenSource> Source for Tokens<S> {
    type Value = Secret;

    const WHAT: &'static str = "an admin token";

    async fn fetch(&self, scope: &CallScope) -> Result<(Secret, Life)> {
        let token = self.0.fetch(scope).await?;
        Ok((token.secret, life(token.expires_in)))
    }
}

/// A token serves until shortly before its end, and not longer.
fn life(expires_in: Duration) -> Life {
    let life = expires_in.min(LONGEST_LIFE);
    let good = life - (life / 10).min(MARGIN);
    Life { fresh: life / 2, good, usable: good }
}

impl<S: TokenSource> TokenCache<S> {
    /// Creates an empty cache of the tenant of this client.
    pub fn new(client: &Client, source: S) -> Self {
        Self(Cache::new(Tokens(source), client.fetch_timeout()))
    }

    /// Sends a request with the token.
    ///
    /// A 401 drops that token, fetches another one and sends once more; also a write, since a 401 means that it did not
    /// run. A second 401 is the answer.
    pub async fn send(&self, client: &Client, scope: &CallScope, request: Request) -> Result<Response> {
        let mut attempts = 0;
        let first = self.0.get(scope).await?;
        scope.recorder().request();
        let answer = client.deliver(scope, &request.clone().bearer(&first.value)?, &mut attempts).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.0.drop_refused(&first);
        let second = self.0.get(scope).await?;
        client.deliver(scope, &request.bearer(&second.value)?, &mut attempts).await
    }
}

impl<S: TokenSource> Clone for TokenCache<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: TokenSource> fmt::Debug for TokenCache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
