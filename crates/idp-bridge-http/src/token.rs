//! A cached admin token: one fetch at a time, refreshed early, dropped once it is refused.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use idp_bridge_core::{CallScope, Error, ErrorKind, Result, Secret};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

use crate::client::Client;
use crate::request::Request;
use crate::response::Response;

/// Fetches a token for the identity provider's admin interface.
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// Fetches a new token.
    ///
    /// It runs in a task of its own, so that a caller who leaves does not break it for the others; it ends before the
    /// scope's deadline like any other request.
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
pub struct TokenAnswer {
    access_token: Secret,
    expires_in: u64,
    /// The scopes of the token, with spaces between them, if the answer names them.
    pub scope: Option<String>,
}

impl From<TokenAnswer> for Token {
    fn from(answer: TokenAnswer) -> Self {
        Self { secret: answer.access_token, expires_in: Duration::from_secs(answer.expires_in) }
    }
}

/// Keeps one token for all calls of a tenant; cheap to clone.
///
/// # Behavior
///
/// - Calls that need a token at the same time wait for one fetch, which is a request of the call that began it.
/// - A caller who leaves does not break the fetch for the others, and each waits no longer than its own deadline.
/// - A failed fetch is not kept: all who waited for it get an error of its kind, and the next call fetches again.
/// - From half of its life on a token is replaced in the background, while calls go on with it: only the first call, one
///   after a 401 and one after a long silence wait for a token.
pub struct TokenCache<S>(Arc<Shared<S>>);

/// How long a fetch in the background may take; a call that waits for it has its own deadline.
const BACKGROUND_TIME: Duration = Duration::from_secs(10);
/// How long to leave an identity provider alone that failed a fetch in the background.
const BACKGROUND_REST: Duration = Duration::from_secs(5);
/// No token is believed to live longer; so that no sum of times overflows.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// What a token loses of its life, at most: the way to the identity provider and its clock take some.
const MARGIN: Duration = Duration::from_secs(5);

struct Shared<S> {
    source: S,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Arc<Held>>,
    running: Option<Running>,
    rest_until: Option<Instant>,
}

/// What a fetch came to; nothing while it runs.
type Running = watch::Receiver<Option<Result<Arc<Held>, Arc<Error>>>>;

/// A token in use. Its address is its identity: a refused token is told from its successor by it.
struct Held {
    secret: Secret,
    refresh_from: Instant,
    good_until: Instant,
}

impl Held {
    fn new(token: Token, asked: Instant) -> Self {
        let life = token.expires_in.min(LONGEST_LIFE);
        let margin = (life / 10).min(MARGIN);
        Self { secret: token.secret, refresh_from: asked + life / 2, good_until: asked + (life - margin) }
    }
}

/// What a call finds.
enum Found {
    Token(Arc<Held>),
    Fetch { running: Running, own: bool },
}

impl<S: TokenSource> TokenCache<S> {
    /// A cache without a token.
    pub fn new(source: S) -> Self {
        Self(Arc::new(Shared { source, state: Mutex::default() }))
    }

    /// Sends a request with the token.
    ///
    /// A 401 drops that token, fetches another one and sends once more; also a write, since a 401 means that it did not
    /// run. A second 401 is the answer.
    pub async fn send(&self, client: &Client, scope: &CallScope, request: Request) -> Result<Response> {
        let mut attempts = 0;
        let first = self.token(scope).await?;
        scope.recorder().request();
        let answer = client.deliver(scope, &request.clone().bearer(&first.secret)?, &mut attempts).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.drop_refused(&first);
        let second = self.token(scope).await?;
        client.deliver(scope, &request.bearer(&second.secret)?, &mut attempts).await
    }

    async fn token(&self, scope: &CallScope) -> Result<Arc<Held>> {
        loop {
            let (mut running, own) = match self.find(scope) {
                Found::Token(held) => return Ok(held),
                Found::Fetch { running, own } => (running, own),
            };
            let deadline = Instant::from_std(scope.deadline());
            let ended = timeout_at(deadline, running.wait_for(Option::is_some)).await.map_err(|_| late())?;
            match ended.ok().and_then(|fetched| fetched.clone()) {
                Some(Ok(held)) => return Ok(held),
                // The deadline of the call that began it says nothing about this one's.
                Some(Err(error)) if error.kind() == ErrorKind::Timeout && !own => {}
                Some(Err(error)) => return Err(Error::caused_by(error, "no admin token was given")),
                None => return Err(Error::ours(ErrorKind::Unexpected, "the fetch of an admin token panicked")),
            }
        }
    }

    fn find(&self, scope: &CallScope) -> Found {
        let now = Instant::now();
        let mut state = self.0.state();
        // A sender that is gone while its fetch is still listed has panicked.
        let running = state.running.clone().filter(|running| running.has_changed().is_ok());
        if let Some(held) = state.held.clone().filter(|held| now < held.good_until) {
            let may_refresh = running.is_none() && state.rest_until.is_none_or(|until| now >= until);
            if now >= held.refresh_from && may_refresh {
                let own_scope = CallScope::new(scope.request_id(), BACKGROUND_TIME);
                state.running = Some(self.start(own_scope, true));
            }
            return Found::Token(held);
        }
        if let Some(running) = running {
            return Found::Fetch { running, own: false };
        }
        let running = self.start(scope.clone(), false);
        state.running = Some(running.clone());
        Found::Fetch { running, own: true }
    }

    fn start(&self, scope: CallScope, in_background: bool) -> Running {
        let (sender, receiver) = watch::channel(None);
        let shared = self.0.clone();
        let fetch = async move {
            let asked = Instant::now();
            let deadline = Instant::from_std(scope.deadline());
            let fetched = timeout_at(deadline, shared.source.fetch(&scope)).await.unwrap_or_else(|_| Err(late()));
            let fetched = fetched.map(|token| Arc::new(Held::new(token, asked))).map_err(Arc::new);
            if in_background && let Err(error) = &fetched {
                let hint = error.hint();
                tracing::warn!(request.id = scope.request_id(), %error, hint, "an admin token could not be refreshed early");
            }
            shared.keep(&fetched, in_background);
            sender.send_replace(Some(fetched));
        };
        tokio::spawn(fetch.in_current_span());
        receiver
    }

    fn drop_refused(&self, refused: &Arc<Held>) {
        let mut state = self.0.state();
        if state.held.as_ref().is_some_and(|held| Arc::ptr_eq(held, refused)) {
            state.held = None;
        }
    }
}

impl<S> Shared<S> {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock, and the state is whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a fetch. It comes before the news of it, so that nobody who hears the news finds the fetch still running.
    fn keep(&self, fetched: &Result<Arc<Held>, Arc<Error>>, in_background: bool) {
        let mut state = self.state();
        state.running = None;
        state.rest_until = (in_background && fetched.is_err()).then(|| Instant::now() + BACKGROUND_REST);
        if let Ok(held) = fetched {
            state.held = Some(held.clone());
        }
    }
}

impl<S> Clone for TokenCache<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> fmt::Debug for TokenCache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

fn late() -> Error {
    Error::upstream(ErrorKind::Timeout, "no admin token was given before the deadline")
}

#[cfg(test)]
mod tests;
