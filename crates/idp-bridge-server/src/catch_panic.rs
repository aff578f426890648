//! Confines a panic to the request that caused it.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

/// The payload of a panic. It may contain personal data and is never logged.
pub(crate) type Panic = Box<dyn Any + Send>;

/// Returns the future's output, or its panic.
///
/// After a panic the future is not polled again, so its inconsistent state is never used.
pub(crate) fn catch_panic<F: Future>(future: F) -> impl Future<Output = Result<F::Output, Panic>> {
    // No `async` block, which would have space for the future twice: where it is captured, and where it is awaited.
    AssertUnwindSafe(future).catch_unwind()
}
