//! An address that stays while bridges come and go behind it, and that remembers what was sent to them.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Hands bytes on, both ways.
#[derive(Debug, Clone)]
pub(crate) struct Relay {
    address: String,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Where to; nowhere as long as there is none.
    target: Mutex<String>,
    /// What clients sent, in the order of its arrival.
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

    /// From now on new connections lead there.
    pub(crate) fn lead_to(&self, address: &str) {
        address.clone_into(&mut self.shared.target.lock().unwrap());
    }

    /// What the last request with this had after it, up to the next byte that is of no token.
    #[track_caller]
    pub(crate) fn last_after(&self, start: &str) -> String {
        let sent = String::from_utf8_lossy(&self.shared.sent.lock().unwrap()).into_owned();
        let (_, rest) = sent.rsplit_once(start).unwrap_or_else(|| panic!("nobody sent {start:?}"));
        rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(*letter)).collect()
    }
}

impl Shared {
    /// Serves one connection; where no bridge is, what came is remembered all the same, and then it is closed.
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
        // The other side learns of the end of this one.
        for stream in [Some(client), bridge].into_iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
