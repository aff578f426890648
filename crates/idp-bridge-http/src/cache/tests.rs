//! Tests of the cache with a paused clock.

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use idp_bridge_core::Origin;
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::advance;

use super::*;

/// Creates the error of a failed fetch.
type Failure = fn() -> Error;

/// Returns the numbers 0, 1 and so on, each when the test opens the gate.
struct Scripted {
    fetches: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
    fails: Arc<Mutex<Option<Failure>>>,
}

const LIFETIME: Lifetime =
    Lifetime { fresh: Duration::from_secs(30), good: Duration::from_secs(60), usable: Duration::from_secs(600) };

#[async_trait]
impl Source for Scripted {
    type Value = usize;

    const NAME: &'static str = "a number";

    async fn fetch(&self, scope: &CallScope) -> Result<(usize, Lifetime)> {
        let number = self.fetches.fetch_add(1, SeqCst);
        scope.recorder().count_request();
        let _permit = self.gate.acquire().await.unwrap();
        let fails = *self.fails.lock().unwrap();
        fails.map_or(Ok((number, LIFETIME)), |error| Err(error()))
    }
}

const LIMIT: Duration = Duration::from_secs(5);

struct Bench {
    cache: Cache<Scripted>,
    fetches: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
    fails: Arc<Mutex<Option<Failure>>>,
}

impl Bench {
    fn new() -> Self {
        let (fetches, gate, fails) = (Arc::default(), Arc::new(Semaphore::new(1)), Arc::default());
        let source = Scripted { fetches: Arc::clone(&fetches), gate: Arc::clone(&gate), fails: Arc::clone(&fails) };
        Self { cache: Cache::new(source, LIMIT), fetches, gate, fails }
    }

    fn fail(&self, error: Option<fn() -> Error>) {
        *self.fails.lock().unwrap() = error;
    }

    fn down(&self, down: bool) {
        self.fail(down.then_some(|| Error::upstream(ErrorKind::Unavailable, "down")));
    }

    async fn get(&self) -> Result<usize> {
        let found = self.cache.get(&scope()).await.map(|entry| entry.value);
        settle().await;
        found
    }

    async fn refresh(&self, than: &Arc<Entry<usize>>) -> Result<usize> {
        self.cache.refresh(&scope(), than).await.map(|entry| entry.value)
    }

    fn fetches(&self) -> usize {
        self.fetches.load(SeqCst)
    }
}

/// Longer than any test advances the clock, because a scope's deadline uses the real clock.
fn scope() -> CallScope {
    CallScope::new("r-1", Duration::from_secs(1_000_000))
}

async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_wait_for_one_fetch() {
    let bench = Bench::new();
    let closed = bench.gate.acquire().await.unwrap();
    let (first, second) = (scope(), scope());
    let (one, two, ()) = tokio::join!(bench.cache.get(&first), bench.cache.get(&second), async {
        settle().await;
        drop(closed);
    });
    assert_eq!((one.unwrap().value, two.unwrap().value, bench.fetches()), (0, 0, 1));
    assert_eq!((first.recorder().requests(), second.recorder().requests()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn failed_fetch_fails_all_waiting_calls() {
    let bench = Bench::new();
    bench.fail(Some(|| {
        let error = Error::upstream(ErrorKind::RateLimited, "slow down").with_hint("wait");
        error.with_retry_after(Some(Duration::from_secs(7)))
    }));
    let closed = bench.gate.acquire().await.unwrap();
    let (one, two, ()) = tokio::join!(bench.get(), bench.get(), async {
        settle().await;
        drop(closed);
    });
    for error in [one, two].map(Result::unwrap_err) {
        assert_eq!((error.kind(), error.origin()), (ErrorKind::RateLimited, Origin::Upstream));
        assert_eq!((error.retry_after(), error.hint()), (Some(Duration::from_secs(7)), Some("wait")));
        assert_eq!(error.source().unwrap().to_string(), "slow down");
    }
    assert_eq!(bench.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn panicking_source_is_unexpected() {
    let bench = Bench::new();
    bench.fail(Some(|| panic!("a bug of the source")));
    let error = bench.get().await.unwrap_err();
    assert_eq!((error.kind(), error.origin()), (ErrorKind::Unexpected, Origin::Ours));
    bench.fail(None);
    assert_eq!(bench.get().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn value_is_refreshed_in_the_background() {
    let bench = Bench::new();
    bench.get().await.unwrap();
    advance(LIFETIME.fresh - Duration::from_secs(1)).await;
    assert_eq!((bench.get().await.unwrap(), bench.fetches()), (0, 1));
    bench.down(true);
    advance(Duration::from_secs(1)).await;
    // The first call starts the refresh, which fails. The next ones make no fetch.
    for _ in 0..5 {
        assert_eq!(bench.get().await.unwrap(), 0);
    }
    assert_eq!(bench.fetches(), 2);
    bench.down(false);
    advance(RETRY_DELAY).await;
    let call = scope();
    assert_eq!(bench.cache.get(&call).await.unwrap().value, 0);
    settle().await;
    assert_eq!((bench.get().await.unwrap(), bench.fetches(), call.recorder().requests()), (2, 3, 0));
}

#[tokio::test(start_paused = true)]
async fn only_the_given_value_is_removed() {
    let bench = Bench::new();
    let first = bench.cache.get(&scope()).await.unwrap();
    for _ in 0..2 {
        bench.cache.remove(&first);
        assert_eq!(bench.get().await.unwrap(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn old_value_is_used_until_its_end() {
    let bench = Bench::new();
    assert_eq!(bench.get().await.unwrap(), 0);
    bench.down(true);
    advance(LIFETIME.good).await;
    // The first call waits for the failed fetch. The next ones make no fetch.
    for _ in 0..3 {
        assert_eq!(bench.get().await.unwrap(), 0);
    }
    assert_eq!(bench.fetches(), 2);
    advance(RETRY_DELAY).await;
    assert_eq!(bench.get().await.unwrap(), 0);
    assert_eq!(bench.fetches(), 3);
    advance(LIFETIME.usable).await;
    assert_eq!(bench.get().await.unwrap_err().kind(), ErrorKind::Unavailable);
    bench.down(false);
    assert_eq!(bench.get().await.unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn outdated_value_is_replaced_before_use() {
    let bench = Bench::new();
    bench.get().await.unwrap();
    advance(LIFETIME.good).await;
    let call = scope();
    assert_eq!(bench.cache.get(&call).await.unwrap().value, 1);
    assert_eq!(call.recorder().requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn usable_value_limits_the_wait() {
    let bench = Bench::new();
    bench.get().await.unwrap();
    advance(LIFETIME.good).await;
    let _closed = bench.gate.acquire().await.unwrap();
    let begun = Instant::now();
    assert_eq!(bench.get().await.unwrap(), 0);
    assert!(begun.elapsed() <= STALE_WAIT + Duration::from_millis(10), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn short_deadlines_cancel_no_fetch() {
    let bench = Bench::new();
    let closed = bench.gate.acquire().await.unwrap();
    for _ in 0..3 {
        let hasty = CallScope::new("r-2", Duration::ZERO);
        assert_eq!(bench.cache.get(&hasty).await.unwrap_err().kind(), ErrorKind::Timeout);
    }
    drop(closed);
    assert_eq!((bench.get().await.unwrap(), bench.fetches()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn slow_fetch_ends_at_its_own_limit() {
    let bench = Bench::new();
    let closed = bench.gate.acquire().await.unwrap();
    let begun = Instant::now();
    let error = bench.get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(begun.elapsed() <= LIMIT + Duration::from_millis(10), "{:?}", begun.elapsed());
    drop(closed);
    assert_eq!(bench.get().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn repeated_failures_are_spaced_out() {
    let bench = Bench::new();
    bench.down(true);
    for _ in 0..100 {
        assert_eq!(bench.get().await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    let free = FREE_FAILURES as usize;
    assert_eq!(bench.fetches(), free);
    advance(FETCH_INTERVAL).await;
    for _ in 0..100 {
        assert!(bench.get().await.is_err());
    }
    assert_eq!(bench.fetches(), free + 1);
    bench.down(false);
    advance(FETCH_INTERVAL).await;
    assert_eq!(bench.get().await.unwrap(), free + 1);
}

#[tokio::test(start_paused = true)]
async fn refreshes_are_limited_to_one_in_the_interval() {
    let bench = Bench::new();
    let first = bench.cache.get(&scope()).await.unwrap();
    for _ in 0..20 {
        assert_eq!(bench.refresh(&first).await.unwrap(), 1);
    }
    let second = bench.cache.get(&scope()).await.unwrap();
    advance(Duration::from_secs(3)).await;
    for _ in 0..20 {
        let error = bench.refresh(&second).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.retry_after(), Some(REFRESH_INTERVAL - Duration::from_secs(3)));
    }
    assert_eq!(bench.fetches(), 2);
    advance(REFRESH_INTERVAL - Duration::from_secs(3)).await;
    assert_eq!(bench.refresh(&second).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn simultaneous_refreshes_share_a_fetch() {
    let bench = Bench::new();
    let first = bench.cache.get(&scope()).await.unwrap();
    let closed = bench.gate.acquire().await.unwrap();
    let (one, two, ()) = tokio::join!(bench.refresh(&first), bench.refresh(&first), async {
        settle().await;
        drop(closed);
    });
    assert_eq!((one.unwrap(), two.unwrap(), bench.fetches()), (1, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn refresh_survives_its_hasty_caller() {
    let bench = Bench::new();
    let first = bench.cache.get(&scope()).await.unwrap();
    let closed = bench.gate.acquire().await.unwrap();
    let hasty = CallScope::new("r-2", Duration::ZERO);
    assert_eq!(bench.cache.refresh(&hasty, &first).await.unwrap_err().kind(), ErrorKind::Timeout);
    drop(closed);
    assert_eq!((bench.refresh(&first).await.unwrap(), bench.fetches()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn failed_refresh_keeps_value_and_delays_no_fetch() {
    let bench = Bench::new();
    let first = bench.cache.get(&scope()).await.unwrap();
    bench.down(true);
    for _ in 0..5 {
        assert_eq!(bench.refresh(&first).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert_eq!((bench.get().await.unwrap(), bench.fetches()), (0, 2));
    bench.down(false);
    // The failed forced refresh does not delay the next fetch.
    bench.cache.remove(&first);
    assert_eq!((bench.get().await.unwrap(), bench.fetches()), (2, 3));
}
