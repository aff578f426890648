//! Confines a panic to the request that caused it.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// The payload of a panic. It may contain personal data and is never logged.
pub(crate) type Panic = Box<dyn Any + Send>;

/// Returns the future's output, or its panic.
///
/// After a panic the future is not polled again, so its inconsistent state is never used.
pub(crate) async fn catch_panic<F: Future>(future: F) -> Result<F::Output, Panic> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panic_becomes_an_error() {
        assert_eq!(catch_panic(async { 7 }).await.ok(), Some(7));
        let panicking = async {
            tokio::task::yield_now().await;
            panic!("no");
        };
        assert!(catch_panic(panicking).await.is_err());
    }
}
