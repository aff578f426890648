//! A dedicated thread for file operations. The runtime's blocking threads are shared with other work.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::{io, thread};

/// Runs jobs in order until it is dropped.
pub(super) struct Worker(Sender<Job>);

type Job = Box<dyn FnOnce() + Send>;

impl Worker {
    /// Starts the thread.
    pub(super) fn start(name: &str) -> io::Result<Self> {
        let (sender, jobs) = channel::<Job>();
        thread::Builder::new().name(name.into()).spawn(move || {
            for job in jobs {
                // A job that panics drops the sender of its result, which its caller notices.
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
        })?;
        Ok(Self(sender))
    }

    /// Queues a job.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        // The thread outlives this sender. If it were gone, the job's caller would notice the dropped result.
        let _ = self.0.send(Box::new(job));
    }
}
