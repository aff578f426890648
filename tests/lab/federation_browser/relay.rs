//! A relay with a fixed address before changing bridges, which records the sent bytes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Forwards bytes in both directions.
#[derive(Debug, Clone)]
pub(crate) struct Relay {
    address: String,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The address of the bridge, or an empty string.
    target: Mutex<String>,
    /// The bytes of all clients, in the order of arrival.
    sent: Mutex<Vec<u8>>,
}

impl Relay {
    pub(crate) fn start() -> Self {
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

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the target of new connections.
    pub(crate) fn set_target(&self, address: &str) {
        address.clone_into(&mut self.shared.target.lock().unwrap());
    }

    /// Returns the token after the last occurrence of a text in the recorded bytes.
    #[track_caller]
    pub(crate) fn last_after(&self, start: &str) -> String {
        let sent = String::from_utf8_lossy(&self.shared.sent.lock().unwrap()).into_owned();
        let (_, rest) = sent.rsplit_once(start).unwrap_or_else(|| panic!("{start:?} was not sent"));
        rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(*letter)).collect()
    }
}

impl Shared {
    /// Serves one connection. Without a bridge, the bytes are recorded and the connection is closed.
    fn serve(&self, mut client: TcpStream) {
        let mut bridge: Option<TcpStream> = None;
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            self.sent.lock().unwrap().extend_from_slice(&buffer[..length]);
            if bridge.is_none() {
                let target = self.target.lock().unwrap().clone();
                let Ok(stream) = TcpStream::connect(target) else { break };
                let (mut back, mut to) = (stream.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut back, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                bridge = Some(stream);
            }
            if bridge.as_mut().is_none_or(|bridge| bridge.write_all(&buffer[..length]).is_err()) {
                break;
            }
        }
        // The end of one side ends the other.
        for stream in [Some(client), bridge].into_iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
