//! Tests of the token cache with a paused clock.

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use idp_bridge_core::{Error, ErrorKind, Origin, OutboundPolicy};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::advance;

use super::*;
use crate::cache::REST;

/// Returns the tokens `t-0`, `t-1` and so on, each when the test opens the gate.
#[derive(Default)]
struct Scripted {
    fetches: AtomicUsize,
    gate: Option<Semaphore>,
    fails: Mutex<Option<fn() -> Error>>,
}

impl Scripted {
    fn gated() -> Self {
        Self { gate: Some(Semaphore::new(0)), ..Self::default() }
    }
}

#[async_trait]
impl TokenSource for Arc<Scripted> {
    async fn fetch(&self, scope: &CallScope) -> Result<Token> {
        let number = self.fetches.fetch_add(1, SeqCst);
        scope.recorder().request();
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        let fails = *self.fails.lock().unwrap();
        match fails {
            Some(error) => Err(error()),
            None => Ok(Token { secret: Secret::new(format!("t-{number}")), expires_in: Duration::from_secs(100) }),
        }
    }
}

/// Returns the token of a header.
fn token_of(header: &HeaderValue) -> String {
    assert!(header.is_sensitive());
    header.to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned()
}

struct Bench {
    source: Arc<Scripted>,
    cache: TokenCache<Arc<Scripted>>,
}

impl Bench {
    fn new(source: Scripted) -> Self {
        let source = Arc::new(source);
        let client = Client::new(&OutboundPolicy::default()).unwrap();
        Self { cache: TokenCache::new(&client, source.clone()), source }
    }

    fn fetches(&self) -> usize {
        self.source.fetches.load(SeqCst)
    }

    fn open(&self) {
        self.source.gate.as_ref().unwrap().add_permits(1);
    }

    fn fail(&self, error: Option<fn() -> Error>) {
        *self.source.fails.lock().unwrap() = error;
    }

    /// Starts a call and polls it until it waits or ends.
    async fn call(&self, timeout: Duration) -> JoinHandle<Result<String>> {
        let cache = self.cache.clone();
        let call = tokio::spawn(async move { cache.0.get(&scope(timeout)).await.map(|token| token_of(&token.value)) });
        settle().await;
        call
    }

    async fn token(&self) -> Result<String> {
        let token = self.call(LONG).await.await.unwrap();
        settle().await;
        token
    }
}

/// Longer than any test advances the clock, because a scope's deadline uses the real clock.
const LONG: Duration = Duration::from_secs(100_000);

fn scope(timeout: Duration) -> CallScope {
    CallScope::new("r-1", timeout)
}

/// Runs all tasks that are ready.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_concurrent_calls_make_one_fetch() {
    let bench = Bench::new(Scripted::gated());
    let mut calls = Vec::new();
    for _ in 0..50 {
        calls.push(bench.call(LONG).await);
    }
    bench.open();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "t-0");
    }
    assert_eq!(bench.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn fetch_is_recorded_by_the_first_call() {
    let bench = Bench::new(Scripted::gated());
    let (first, second) = (scope(LONG), scope(LONG));
    let both = async { tokio::join!(bench.cache.0.get(&first), bench.cache.0.get(&second)) };
    let (tokens, ()) = tokio::join!(both, async {
        settle().await;
        bench.open();
    });
    assert!(tokens.0.is_ok() && tokens.1.is_ok());
    assert_eq!((first.recorder().requests(), second.recorder().requests()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn leaving_caller_does_not_cancel_the_fetch() {
    let bench = Bench::new(Scripted::gated());
    let first = bench.call(LONG).await;
    let second = bench.call(LONG).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    bench.open();
    assert_eq!(second.await.unwrap().unwrap(), "t-0");
    assert_eq!(bench.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_call_ends_at_its_own_deadline() {
    let bench = Bench::new(Scripted::gated());
    let first = bench.call(LONG).await;
    let second = bench.call(Duration::from_millis(100)).await;
    let error = second.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.origin()), (ErrorKind::Timeout, Origin::Upstream));
    bench.open();
    assert_eq!(first.await.unwrap().unwrap(), "t-0");
}

#[tokio::test(start_paused = true)]
async fn fetch_outlives_the_deadline_of_its_first_caller() {
    let bench = Bench::new(Scripted::gated());
    let first = bench.call(Duration::from_millis(100)).await;
    let second = bench.call(LONG).await;
    assert_eq!(first.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    bench.open();
    assert_eq!((second.await.unwrap().unwrap().as_str(), bench.fetches()), ("t-0", 1));
}

#[tokio::test(start_paused = true)]
async fn failed_fetch_fails_all_waiting_calls() {
    let bench = Bench::new(Scripted::gated());
    bench.fail(Some(|| {
        Error::upstream(ErrorKind::RateLimited, "slow down")
            .with_hint("wait")
            .with_retry_after(Some(Duration::from_secs(7)))
    }));
    let calls = [bench.call(LONG).await, bench.call(LONG).await, bench.call(LONG).await];
    bench.open();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.origin()), (ErrorKind::RateLimited, Origin::Upstream));
        assert_eq!((error.retry_after(), error.hint()), (Some(Duration::from_secs(7)), Some("wait")));
        assert_eq!(error.source().unwrap().to_string(), "slow down");
    }
    assert_eq!(bench.fetches(), 1);
    bench.fail(None);
    bench.open();
    assert_eq!(bench.token().await.unwrap(), "t-1");
}

#[tokio::test(start_paused = true)]
async fn token_is_refreshed_after_half_its_lifetime() {
    let bench = Bench::new(Scripted::default());
    assert_eq!(bench.token().await.unwrap(), "t-0");
    advance(Duration::from_secs(49)).await;
    assert_eq!(bench.token().await.unwrap(), "t-0");
    assert_eq!(bench.fetches(), 1);
    advance(Duration::from_secs(2)).await;
    let call = scope(LONG);
    assert_eq!(token_of(&bench.cache.0.get(&call).await.unwrap().value), "t-0");
    settle().await;
    assert_eq!((bench.fetches(), call.recorder().requests()), (2, 0));
    assert_eq!(bench.token().await.unwrap(), "t-1");
    assert_eq!(bench.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn failed_refresh_is_hidden_and_delayed() {
    let bench = Bench::new(Scripted::default());
    bench.token().await.unwrap();
    bench.fail(Some(|| Error::upstream(ErrorKind::Unavailable, "down")));
    advance(Duration::from_secs(60)).await;
    for _ in 0..5 {
        assert_eq!(bench.token().await.unwrap(), "t-0");
    }
    assert_eq!(bench.fetches(), 2);
    advance(REST).await;
    assert_eq!(bench.token().await.unwrap(), "t-0");
    assert_eq!(bench.fetches(), 3);
    // Without a usable token, calls fail.
    advance(Duration::from_secs(30)).await;
    assert_eq!(bench.token().await.unwrap_err().kind(), ErrorKind::Unavailable);
    bench.fail(None);
    assert_eq!(bench.token().await.unwrap(), "t-4");
}

#[tokio::test(start_paused = true)]
async fn token_is_not_used_shortly_before_expiry() {
    let bench = Bench::new(Scripted::default());
    bench.token().await.unwrap();
    advance(Duration::from_secs(100) - MARGIN).await;
    assert_eq!(bench.token().await.unwrap(), "t-1");
}

#[tokio::test(start_paused = true)]
async fn only_the_refused_token_is_removed() {
    let bench = Bench::new(Scripted::default());
    let first = bench.cache.0.get(&scope(LONG)).await.unwrap();
    bench.cache.0.remove(&first);
    assert_eq!(bench.token().await.unwrap(), "t-1");
    bench.cache.0.remove(&first);
    assert_eq!(bench.token().await.unwrap(), "t-1");
}

#[tokio::test(start_paused = true)]
async fn panicking_source_is_unexpected() {
    let bench = Bench::new(Scripted::default());
    bench.fail(Some(|| panic!("a bug of the source")));
    let error = bench.token().await.unwrap_err();
    assert_eq!((error.kind(), error.origin()), (ErrorKind::Unexpected, Origin::Ours));
    bench.fail(None);
    assert_eq!(bench.token().await.unwrap(), "t-1");
}

#[test]
fn extreme_lifetimes_are_limited() {
    for expires_in in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let lifetime = lifetime(expires_in);
        assert!(lifetime.fresh <= lifetime.good && lifetime.good == lifetime.usable);
        assert!(lifetime.usable <= LONGEST_LIFETIME);
    }
}

#[test]
fn token_response_is_parsed_and_hidden() {
    let answer = |text| serde_json::from_str::<TokenResponse>(text);
    let full = answer(r#"{"access_token": "t-1", "token_type": "Bearer", "expires_in": 300, "scope": "a b"}"#).unwrap();
    assert_eq!(full.scope.as_deref(), Some("a b"));
    assert!(!format!("{full:?}").contains("t-1"));
    let token = Token::from(full);
    assert_eq!((token.secret.expose(), token.expires_in), ("t-1", Duration::from_secs(300)));
    for bad in [r#"{"expires_in": 300}"#, r#"{"access_token": "t"}"#, r#"{"access_token": "", "expires_in": 1}"#] {
        assert!(answer(bad).is_err(), "{bad}");
    }
}
