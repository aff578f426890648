//! A relay with a fixed address before changing servers, which records the sent bytes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// The server behind a relay.
#[derive(Debug, Clone, Default)]
pub enum Target {
    /// Connections are closed at once.
    #[default]
    Down,
    /// Connections are accepted, and nothing is answered.
    Hanging,
    /// Bytes are forwarded in both directions, to this host and port.
    At(String),
}

/// A running relay.
#[derive(Debug, Clone)]
pub struct Relay {
    address: String,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    target: Mutex<Target>,
    /// The bytes of all clients, in the order of arrival.
    sent: Mutex<Vec<u8>>,
    open: Mutex<Vec<TcpStream>>,
    accepted: AtomicUsize,
}

impl Relay {
    /// Starts a relay. Until it has a target, it closes connections.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self { address: listener.local_addr().unwrap().to_string(), shared: Arc::default() };
        let shared = Arc::clone(&relay.shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                shared.accepted.fetch_add(1, SeqCst);
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || shared.serve(client));
            }
        });
        relay
    }

    /// Returns the base URL of the relay, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the target, and closes all connections.
    pub fn set_target(&self, target: Target) {
        *self.shared.target.lock().unwrap() = target;
        self.shared.open.lock().unwrap().drain(..).for_each(|stream| close(&stream));
    }

    /// Returns the number of accepted connections.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(SeqCst)
    }

    /// Returns the number of recorded bytes.
    pub fn sent(&self) -> usize {
        self.shared.sent.lock().unwrap().len()
    }

    /// Returns whether the recorded bytes contain a text.
    pub fn has_sent(&self, text: &str) -> bool {
        let sent = self.shared.sent.lock().unwrap();
        sent.windows(text.len()).any(|part| part == text.as_bytes())
    }

    /// Returns the token after the last occurrence of a text in the recorded bytes.
    #[track_caller]
    pub fn last_after(&self, start: &str) -> String {
        let sent = String::from_utf8_lossy(&self.shared.sent.lock().unwrap()).into_owned();
        let (_, rest) = sent.rsplit_once(start).unwrap_or_else(|| panic!("{start:?} was not sent"));
        rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(*letter)).collect()
    }
}

impl Shared {
    /// Serves one connection. The end of one side ends the other.
    fn serve(&self, mut client: TcpStream) {
        let target = self.target.lock().unwrap().clone();
        let mut server = match target {
            Target::Down => return,
            Target::Hanging => None,
            Target::At(address) => match TcpStream::connect(address) {
                Ok(server) => Some(server),
                Err(_) => return,
            },
        };
        self.open.lock().unwrap().push(client.try_clone().unwrap());
        if let Some(server) = &server {
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                close(&to);
            });
        }
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            self.sent.lock().unwrap().extend_from_slice(&buffer[..length]);
            if server.as_mut().is_some_and(|server| server.write_all(&buffer[..length]).is_err()) {
                break;
            }
        }
        [Some(client), server].iter().flatten().for_each(close);
    }
}

/// Closes a connection, which the other side may have closed.
fn close(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}
