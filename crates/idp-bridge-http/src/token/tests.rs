//! The cache alone, on paused time: who fetches, who waits, and who hears of a failure.

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use idp_bridge_core::{Error, ErrorKind, Origin, OutboundPolicy};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::advance;

use super::*;
use crate::cache::REST;

/// Gives the tokens `t-0`, `t-1` and so on, each when the test lets it.
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

    /// A call that has been polled, so that it waits or is done.
    async fn call(&self, timeout: Duration) -> JoinHandle<Result<String>> {
        let cache = self.cache.clone();
        let call = tokio::spawn(async move { Ok(cache.0.get(&scope(timeout)).await?.value.expose().to_owned()) });
        settle().await;
        call
    }

    async fn token(&self) -> Result<String> {
        let token = self.call(LONG).await.await.unwrap();
        settle().await;
        token
    }
}

/// Longer than any test advances the clock: a scope's deadline counts from the real now.
const LONG: Duration = Duration::from_secs(100_000);

fn scope(timeout: Duration) -> CallScope {
    CallScope::new("r-1", timeout)
}

/// Lets every task that can go on do so.
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
async fn a_fetch_is_counted_for_the_call_that_began_it() {
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
async fn a_first_caller_who_leaves_does_not_break_the_others() {
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
async fn a_waiting_call_ends_at_its_own_deadline() {
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
async fn a_failed_fetch_is_told_to_all_who_waited_and_not_kept() {
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
async fn from_half_of_its_life_on_a_token_is_replaced_in_the_background() {
    let bench = Bench::new(Scripted::default());
    assert_eq!(bench.token().await.unwrap(), "t-0");
    advance(Duration::from_secs(49)).await;
    assert_eq!(bench.token().await.unwrap(), "t-0");
    assert_eq!(bench.fetches(), 1);
    advance(Duration::from_secs(2)).await;
    let call = scope(LONG);
    assert_eq!(bench.cache.0.get(&call).await.unwrap().value.expose(), "t-0");
    settle().await;
    assert_eq!((bench.fetches(), call.recorder().requests()), (2, 0));
    assert_eq!(bench.token().await.unwrap(), "t-1");
    assert_eq!(bench.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_is_not_heard_of_and_not_repeated_at_once() {
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
    // Once the old token is too old, the failure is the calls' own.
    advance(Duration::from_secs(30)).await;
    assert_eq!(bench.token().await.unwrap_err().kind(), ErrorKind::Unavailable);
    bench.fail(None);
    assert_eq!(bench.token().await.unwrap(), "t-4");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_not_used_in_the_last_moments_of_its_life() {
    let bench = Bench::new(Scripted::default());
    bench.token().await.unwrap();
    advance(Duration::from_secs(100) - MARGIN).await;
    assert_eq!(bench.token().await.unwrap(), "t-1");
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_dropped_and_its_successor_is_not() {
    let bench = Bench::new(Scripted::default());
    let first = bench.cache.0.get(&scope(LONG)).await.unwrap();
    bench.cache.0.drop_refused(&first);
    assert_eq!(bench.token().await.unwrap(), "t-1");
    bench.cache.0.drop_refused(&first);
    assert_eq!(bench.token().await.unwrap(), "t-1");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_is_a_fault_of_ours_and_the_next_call_fetches_again() {
    let bench = Bench::new(Scripted::default());
    bench.fail(Some(|| panic!("a fault of the source")));
    let error = bench.token().await.unwrap_err();
    assert_eq!((error.kind(), error.origin()), (ErrorKind::Unexpected, Origin::Ours));
    bench.fail(None);
    assert_eq!(bench.token().await.unwrap(), "t-1");
}

#[test]
fn absurd_lives_do_no_harm() {
    for expires_in in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let life = life(expires_in);
        assert!(life.fresh <= life.good && life.good == life.usable && life.usable <= LONGEST_LIFE);
    }
}

#[test]
fn an_answer_of_a_token_endpoint_is_a_token_and_shows_nothing() {
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
