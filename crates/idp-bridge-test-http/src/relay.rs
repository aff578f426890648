//! A relay with a fixed address before changing servers, which records the sent bytes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Forwards bytes in both directions.
#[derive(Debug, Clone)]
pub struct Relay {
    address: String,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The address of the server, or an empty string.
    target: Mutex<String>,
    /// The bytes of all clients, in the order of arrival.
    sent: Mutex<Vec<u8>>,
}

impl Relay {
    /// Starts a relay without a target.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self { address: listener.local_addr().unwrap().to_string(), shared: Arc::default() };
        let shared = Arc::clone(&relay.shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
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

    /// Sets the target of new connections.
    pub fn set_target(&self, address: &str) {
        address.clone_into(&mut self.shared.target.lock().unwrap());
    }

    /// Returns the number of recorded bytes.
    pub fn sent(&self) -> usize {
        self.shared.sent.lock().unwrap().len()
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
    /// Serves one connection. Without a server, the bytes are recorded and the connection is closed.
    fn serve(&self, mut client: TcpStream) {
        let mut server: Option<TcpStream> = None;
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            self.sent.lock().unwrap().extend_from_slice(&buffer[..length]);
            if server.is_none() {
                let target = self.target.lock().unwrap().clone();
                let Ok(stream) = TcpStream::connect(target) else { break };
                let (mut back, mut to) = (stream.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut back, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                server = Some(stream);
            }
            if server.as_mut().is_none_or(|server| server.write_all(&buffer[..length]).is_err()) {
                break;
            }
        }
        // The end of one side ends the other.
        for stream in [Some(client), server].into_iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
