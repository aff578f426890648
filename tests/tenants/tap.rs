//! A wire tap that forwards bytes to an identity provider and counts them.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

/// A tap before one identity provider.
#[derive(Debug)]
pub(crate) struct Tap {
    url: String,
    sent: Arc<AtomicUsize>,
}

impl Tap {
    /// Starts a tap before the identity provider at this `http` URL.
    pub(crate) fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = upstream.strip_prefix("http://").unwrap().to_owned();
        let sent = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&sent);
        thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                let upstream = TcpStream::connect(&upstream).unwrap();
                let (back_from, back_to) = (upstream.try_clone().unwrap(), caller.try_clone().unwrap());
                let counter = Arc::clone(&counter);
                thread::spawn(move || forward(caller, upstream, &counter));
                thread::spawn(move || forward(back_from, back_to, &AtomicUsize::new(0)));
            }
        });
        Self { url, sent }
    }

    /// Returns the URL of the tap.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the number of bytes that were sent to the identity provider so far.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(SeqCst)
    }
}

/// Forwards one direction of a connection until either side closes it.
fn forward(mut from: TcpStream, mut to: TcpStream, counter: &AtomicUsize) {
    let mut buffer = [0; 16 * 1024];
    let mut copy = || -> io::Result<()> {
        loop {
            let read = from.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            counter.fetch_add(read, SeqCst);
            to.write_all(&buffer[..read])?;
        }
    };
    // The end of one side ends the other, also after an error.
    let _ = copy();
    let _ = to.shutdown(Shutdown::Write);
}
