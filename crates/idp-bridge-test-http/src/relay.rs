//! A relay with a fixed address before changing servers, which records the sent bytes and injects faults.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The time between two bytes of [`Fault::SlowAnswer`].
const PAUSE: Duration = Duration::from_millis(50);
/// The text before the access token of a request.
const BEARER: &[u8] = b"authorization: Bearer ";
/// The text before the lifetime of an access token in a response.
const LIFETIME: &[u8] = b"\"expires_in\":";

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
    /// Connections to this host and port have a fault.
    Faulty(String, Fault),
}

/// A fault of a connection. The last ones are about HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Resets the connection before the first byte of the request is read.
    ResetRequest,
    /// Forwards the request, and closes the connection instead of returning the response.
    LostAnswer,
    /// Forwards half of the first part of the response, and closes the connection.
    CutAnswer,
    /// Forwards the response one byte after the other.
    SlowAnswer,
    /// Forwards the request, and never the response.
    NoAnswer,
    /// Inverts all bytes of the response.
    InvertedAnswer,
    /// Sends this response to each request, and closes the connection.
    Respond(Vec<u8>),
    /// Sends the beginning of a response, and then spaces until the client closes the connection.
    RespondWithoutEnd(Vec<u8>),
    /// Closes the connection of a request with one of these texts in its target, and forwards all others.
    ResetTargets(&'static [&'static str]),
    /// Shortens the lifetime of access tokens in responses to this number of seconds, a digit, and lets the server refuse the
    /// tokens of the client that are older.
    TokensExpire(u8),
    /// Alters the access tokens that the client sent before this fault, so that the server refuses them.
    OldTokensAreRefused,
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
    /// The access tokens of [`Fault::OldTokensAreRefused`].
    refused: Mutex<BTreeSet<Vec<u8>>>,
    /// The access tokens of [`Fault::TokensExpire`], with the times of their first requests.
    expiring: Mutex<BTreeMap<Vec<u8>, Instant>>,
    /// The clients, and whether the bytes of their connections are dropped.
    open: Mutex<Vec<(TcpStream, Arc<AtomicBool>)>>,
    accepted: AtomicUsize,
    /// The number of connections that the client has closed.
    ended: AtomicUsize,
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
        if matches!(target, Target::Faulty(_, Fault::OldTokensAreRefused)) {
            let sent = self.shared.sent.lock().unwrap();
            let tokens = find_tokens(&sent).into_iter().map(|range| sent[range].to_vec());
            self.shared.refused.lock().unwrap().extend(tokens);
        }
        *self.shared.target.lock().unwrap() = target;
        self.shared.open.lock().unwrap().drain(..).for_each(|(stream, _)| close(&stream));
    }

    /// Drops all further bytes of the present connections, without closing them.
    pub fn freeze(&self) {
        self.shared.open.lock().unwrap().iter().for_each(|(_, is_frozen)| is_frozen.store(true, SeqCst));
    }

    /// Returns the host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the number of connections that the client has closed.
    pub fn ended(&self) -> usize {
        self.shared.ended.load(SeqCst)
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

    /// Returns the number of access tokens that clients sent during [`Fault::TokensExpire`].
    pub fn expiring_tokens(&self) -> usize {
        self.shared.expiring.lock().unwrap().len()
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
        let (address, fault) = match target {
            Target::Down => return,
            Target::Hanging => (None, None),
            Target::At(address) => (Some(address), None),
            Target::Faulty(address, fault) => (Some(address), Some(fault)),
        };
        if fault == Some(Fault::ResetRequest) {
            // The system resets a connection that is closed with unread bytes.
            let _ = client.peek(&mut [0]);
            return;
        }
        let is_frozen = Arc::<AtomicBool>::default();
        self.open.lock().unwrap().push((client.try_clone().unwrap(), Arc::clone(&is_frozen)));
        if let Some(response) = fault.as_ref().and_then(Fault::response) {
            self.respond(client, response);
            return;
        }
        let Ok(mut server) = address.map(TcpStream::connect).transpose() else {
            // The list of open connections holds it, too.
            close(&client);
            return;
        };
        if let Some(server) = &server {
            let (from, to, fault) = (server.try_clone().unwrap(), client.try_clone().unwrap(), fault.clone());
            let is_frozen = Arc::clone(&is_frozen);
            std::thread::spawn(move || {
                forward_answers(from, &to, fault.as_ref(), &is_frozen);
                if !is_frozen.load(SeqCst) {
                    close(&to);
                }
            });
        }
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            let bytes = &mut buffer[..length];
            self.sent.lock().unwrap().extend_from_slice(bytes);
            match &fault {
                Some(Fault::ResetTargets(targets)) if is_for(bytes, targets) => break,
                Some(Fault::TokensExpire(seconds)) => self.alter_expired(bytes, Duration::from_secs((*seconds).into())),
                Some(Fault::OldTokensAreRefused) => self.alter_refused(bytes),
                _ => {}
            }
            if !is_frozen.load(SeqCst) && server.as_mut().is_some_and(|server| server.write_all(bytes).is_err()) {
                break;
            }
        }
        self.ended.fetch_add(1, SeqCst);
        [Some(client), server].iter().flatten().for_each(close);
    }

    /// Sends a response when the first bytes arrive.
    fn respond(&self, mut client: TcpStream, (response, has_end): (&[u8], bool)) {
        let mut buffer = [0; 16 * 1024];
        let Ok(length @ 1..) = client.read(&mut buffer) else { return };
        self.sent.lock().unwrap().extend_from_slice(&buffer[..length]);
        let mut sent = client.write_all(response);
        while sent.is_ok() && !has_end {
            sent = client.write_all(&[b' '; 16 * 1024]);
        }
        let _ = client.shutdown(Shutdown::Write);
        // Unread bytes would reset the connection, and with it the response.
        while let Ok(1..) = client.read(&mut buffer) {}
    }

    fn alter_expired(&self, bytes: &mut [u8], lifetime: Duration) {
        let mut expiring = self.expiring.lock().unwrap();
        for range in find_tokens(bytes) {
            let first = expiring.entry(bytes[range.clone()].to_vec()).or_insert_with(Instant::now);
            if first.elapsed() > lifetime {
                bytes[range].reverse();
            }
        }
    }

    fn alter_refused(&self, bytes: &mut [u8]) {
        let refused = self.refused.lock().unwrap();
        for range in find_tokens(bytes) {
            if refused.contains(&bytes[range.clone()]) {
                bytes[range].reverse();
            }
        }
    }
}

impl Fault {
    /// Returns the response that needs no server, and whether it has an end.
    fn response(&self) -> Option<(&[u8], bool)> {
        match self {
            Self::Respond(response) => Some((response, true)),
            Self::RespondWithoutEnd(response) => Some((response, false)),
            _ => None,
        }
    }
}

/// Forwards the bytes of a server with a fault, until one side closes.
fn forward_answers(mut from: TcpStream, mut to: &TcpStream, fault: Option<&Fault>, is_frozen: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let bytes = &mut buffer[..length];
        let forwarded = match fault {
            _ if is_frozen.load(SeqCst) => Ok(()),
            Some(Fault::LostAnswer) => return,
            Some(Fault::CutAnswer) => {
                let _ = to.write_all(&bytes[..length / 2]);
                return;
            }
            Some(Fault::SlowAnswer) => bytes.chunks(1).try_for_each(|byte| {
                std::thread::park_timeout(PAUSE);
                to.write_all(byte)
            }),
            Some(Fault::NoAnswer) => Ok(()),
            Some(Fault::InvertedAnswer) => {
                bytes.iter_mut().for_each(|byte| *byte = !*byte);
                to.write_all(bytes)
            }
            Some(Fault::TokensExpire(seconds)) => {
                shorten_lifetimes(bytes, *seconds);
                to.write_all(bytes)
            }
            _ => to.write_all(bytes),
        };
        if forwarded.is_err() {
            return;
        }
    }
}

/// Returns whether the bytes begin with a request that has one of these texts in its target.
fn is_for(bytes: &[u8], targets: &[&str]) -> bool {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    targets.iter().any(|target| line.windows(target.len()).any(|part| part == target.as_bytes()))
}

/// Replaces the lifetimes of access tokens by this digit and spaces, which keep the length of the response.
fn shorten_lifetimes(bytes: &mut [u8], seconds: u8) {
    let parts = bytes.windows(LIFETIME.len()).enumerate().filter(|(_, part)| *part == LIFETIME);
    let starts: Vec<_> = parts.map(|(start, _)| start + LIFETIME.len()).collect();
    for start in starts {
        let digits = bytes[start..].iter_mut().take_while(|byte| byte.is_ascii_digit());
        for (number, digit) in digits.enumerate() {
            *digit = if number == 0 { b'0' + seconds } else { b' ' };
        }
    }
}

/// Returns the places of the access tokens in requests.
fn find_tokens(bytes: &[u8]) -> Vec<Range<usize>> {
    let starts = bytes.windows(BEARER.len()).enumerate().filter(|(_, part)| part.eq_ignore_ascii_case(BEARER));
    let to_end = |(start, _): (usize, &[u8])| {
        let start = start + BEARER.len();
        let length = bytes[start..].iter().position(|byte| *byte == b'\r').unwrap_or(bytes.len() - start);
        start..start + length
    };
    starts.map(to_end).collect()
}

/// Closes a connection, which the other side may have closed.
fn close(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}
