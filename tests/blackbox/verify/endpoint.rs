//! An endpoint that changes the requests to a bridge, and its answers.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use idp_bridge_protocol::{SigningKey, signature};

use crate::support::http::exchange;
use crate::support::sign::now;

/// A request or an answer.
#[derive(Debug)]
pub(super) struct Message {
    /// The first line and the headers, without the empty line.
    pub(super) head: String,
    body: Vec<u8>,
}

impl Message {
    /// Returns the body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Replaces a text of the body by another one of equal length.
    pub(super) fn replace(&mut self, from: &str, to: &str) {
        assert_eq!(from.len(), to.len(), "{from} {to}");
        self.body = self.text().replace(from, to).into();
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Returns the age of the signature in seconds, or zero for a malformed timestamp.
    pub(super) fn age(&self) -> i64 {
        let digits = self.header("webhook-timestamp").filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|text| text.parse().ok()).map_or(0, |time: i64| now() - time)
    }

    /// Replaces a signature of known versions by a valid one. A request without it stays unchanged.
    pub(super) fn sign_again(&mut self, key: &str) {
        let Some(id) = self.header("webhook-id").map(str::to_owned) else { return };
        if self.header("webhook-signature").is_none() || self.header("webhook-timestamp").is_none() {
            return;
        }
        let time = now();
        let token = signature::sign(&[SigningKey::parse(key).unwrap()], &id, time, &self.body);
        let lines = self.head.lines().map(|line| match line.split_once(": ") {
            Some(("webhook-timestamp", _)) => format!("webhook-timestamp: {time}"),
            Some(("webhook-signature", _)) => format!("webhook-signature: {token}"),
            _ => line.to_owned(),
        });
        self.head = lines.collect::<Vec<_>>().join("\r\n");
    }

    /// Keeps the first of several equal headers.
    pub(super) fn remove_duplicates(&mut self) {
        let mut kept: Vec<&str> = Vec::new();
        for line in self.head.lines() {
            if !kept.contains(&line) {
                kept.push(line);
            }
        }
        self.head = kept.join("\r\n");
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        Some(Self { head: String::from_utf8(bytes[..end].to_vec()).unwrap(), body: bytes[end + 4..].to_vec() })
    }

    fn read(stream: &mut TcpStream) -> Option<Self> {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            if let Some(message) = Self::parse(&bytes) {
                let length = message.header("content-length").map_or(0, |length| length.parse().unwrap());
                if message.body.len() >= length {
                    return Some(message);
                }
            }
            match stream.read(&mut buffer) {
                Ok(read @ 1..) => bytes.extend_from_slice(&buffer[..read]),
                _ => return None,
            }
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), b"\r\n\r\n", &self.body].concat()
    }
}

type Change = fn(&mut Message);

/// A running endpoint. Each connection has one request.
pub(super) struct Endpoint {
    address: String,
}

impl Endpoint {
    /// Starts an endpoint before the bridge at this address.
    pub(super) fn start(bridge: &str, change_request: Change, change_answer: Change) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let bridge = bridge.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(mut request) = Message::read(&mut stream) else { continue };
                change_request(&mut request);
                request.head += "\r\nconnection: close";
                let mut answer = Message::parse(&exchange(&bridge, &request.to_bytes())).unwrap();
                change_answer(&mut answer);
                // The client may have closed the connection.
                let _ = stream.write_all(&answer.to_bytes());
            }
        });
        Self { address }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
