//! Limits the wait for a request head: the idle timeout until its first byte, the head timeout from then on.
//!
//! hyper has a single timeout for both, which starts after the previous response. hyper uses its timer for this timeout
//! only, so a custom timer implements both limits. The first head of a connection has only the head timeout, since a
//! client that connects has a request to send.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use super::activity::Activity;
use crate::limits::ServerLimits;

/// The timer of a connection.
#[derive(Debug)]
pub(super) struct HeadTimer {
    head: Duration,
    idle: Duration,
    activity: Arc<Activity>,
}

/// The wait for a request head.
struct HeadSleep {
    sleep: Pin<Box<tokio::time::Sleep>>,
    head: Duration,
    activity: Arc<Activity>,
    /// The number of reads before this wait. `None` once the head has begun.
    idle_since: Option<u64>,
}

impl HeadTimer {
    pub(super) fn new(limits: &ServerLimits, activity: Arc<Activity>) -> Self {
        Self { head: limits.head, idle: limits.idle, activity }
    }

    fn wait(&self) -> Pin<Box<dyn Sleep>> {
        let reads = self.activity.reads();
        let (longest, idle_since) = if reads == 0 { (self.head, None) } else { (self.idle, Some(reads)) };
        Box::pin(HeadSleep {
            sleep: Box::pin(tokio::time::sleep(longest)),
            head: self.head,
            activity: Arc::clone(&self.activity),
            idle_since,
        })
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        self.wait()
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Sleep>> {
        self.wait()
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

impl Future for HeadSleep {
    type Output = ();

    /// hyper polls this after each read that did not complete the head, so no waker is needed.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.idle_since.is_some_and(|reads| reads != self.activity.reads()) {
            self.idle_since = None;
            let begun = tokio::time::Instant::now();
            let ends = begun + self.head;
            self.sleep.as_mut().reset(ends);
        }
        self.sleep.as_mut().poll(context)
    }
}

impl Sleep for HeadSleep {}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::watched::Watched;
    use super::*;

    fn limits() -> ServerLimits {
        ServerLimits::default()
    }

    async fn wait_time(timer: &HeadTimer) -> Duration {
        let begun = tokio::time::Instant::now();
        timer.sleep_until(timer.now()).await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn later_heads_may_wait_longer_than_first() {
        let activity = Arc::new(Activity::default());
        let timer = HeadTimer::new(&limits(), Arc::clone(&activity));
        assert_eq!(wait_time(&timer).await.as_secs(), 5);
        let (mut caller, stream) = tokio::io::duplex(64);
        let mut watched = Watched::new(stream, activity, limits().write);
        caller.write_all(b"G").await.unwrap();
        assert_eq!(watched.read_u8().await.unwrap(), b'G');
        assert_eq!(wait_time(&timer).await.as_secs(), 75);
    }

    #[tokio::test(start_paused = true)]
    async fn first_byte_starts_the_head_timeout() {
        let activity = Arc::new(Activity::default());
        let timer = HeadTimer::new(&limits(), Arc::clone(&activity));
        let (mut caller, stream) = tokio::io::duplex(64);
        let mut watched = Watched::new(stream, activity, limits().write);
        caller.write_all(b"G").await.unwrap();
        watched.read_u8().await.unwrap();
        let begun = tokio::time::Instant::now();
        let mut wait = timer.sleep_until(timer.now());
        for seconds in [30, 33] {
            tokio::time::sleep_until(begun + Duration::from_secs(seconds)).await;
            caller.write_all(b"E").await.unwrap();
            watched.read_u8().await.unwrap();
            assert!(poll_fn(|context| Poll::Ready(wait.as_mut().poll(context).is_pending())).await);
        }
        wait.await;
        assert_eq!(begun.elapsed().as_secs(), 35);
    }
}
