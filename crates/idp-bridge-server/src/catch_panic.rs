//! A panic in one call is that call's failure and nobody else's.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// What a panic was told; it may hold anything and goes nowhere.
pub(crate) type Panic = Box<dyn Any + Send>;

/// The future's value, or its panic. After a panic the future is not polled again, so nothing sees its broken state.
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
    async fn a_panic_is_a_value() {
        assert_eq!(catch_panic(async { 7 }).await.ok(), Some(7));
        let panicking = async {
            tokio::task::yield_now().await;
            panic!("no");
        };
        assert!(catch_panic(panicking).await.is_err());
    }
}
