//! A relay to an identity provider, which can be down or hang.

use std::io::copy;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// The behavior of the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Bytes are relayed in both directions.
    Up,
    /// Connections are closed at once.
    Down,
    /// Connections are accepted, and nothing is answered.
    Hang,
}

/// A relay to an identity provider.
pub(super) struct Relay {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    upstream: String,
    mode: Mutex<Mode>,
    accepted: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// Starts a relay to this URL.
    pub(super) fn start(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let upstream = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let (mode, open) = (Mutex::new(Mode::Up), Mutex::default());
        let state = Arc::new(State { upstream, mode, accepted: AtomicUsize::new(0), open });
        let relay = Self { address, state: Arc::clone(&state) };
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| state.serve(stream)));
        relay
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the behavior, and closes all connections.
    pub(super) fn set(&self, mode: Mode) {
        *self.state.mode.lock().unwrap() = mode;
        for stream in self.state.open.lock().unwrap().drain(..) {
            // The other side may have closed it.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Returns the number of accepted connections. In an outage each request needs one.
    pub(super) fn accepted(&self) -> usize {
        self.state.accepted.load(SeqCst)
    }
}

impl State {
    fn serve(&self, stream: TcpStream) {
        self.accepted.fetch_add(1, SeqCst);
        let mode = *self.mode.lock().unwrap();
        if mode == Mode::Down {
            return;
        }
        self.open.lock().unwrap().push(stream.try_clone().unwrap());
        if mode == Mode::Up {
            let upstream = TcpStream::connect(&self.upstream).unwrap();
            let (back_from, back_to) = (upstream.try_clone().unwrap(), stream.try_clone().unwrap());
            relay(stream, upstream);
            relay(back_from, back_to);
        }
    }
}

/// Copies bytes until one side closes, and closes the other one.
fn relay(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let _ = copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}
