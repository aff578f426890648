//! A raw HTTP client that can send malformed requests.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The time limit of any wait in a test.
pub(crate) const TOO_LONG: Duration = Duration::from_secs(20);

/// A request as text.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, target: impl Into<String>) -> Self {
        Self { method: method.into(), target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| own != name);
        self
    }

    /// Replaces a header.
    #[must_use]
    pub(crate) fn with(self, name: &str, value: impl Into<String>) -> Self {
        self.without(name).header(name, value)
    }

    #[must_use]
    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.with("content-type", "application/json")
    }

    /// Returns the head without its final empty line.
    pub(crate) fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: bridge\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head().into_bytes();
        if !self.body.is_empty() {
            bytes.extend(format!("content-length: {}\r\n", self.body.len()).into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the status, and the code of a problem.
    pub(crate) fn verdict(&self) -> (u16, String) {
        let code = if self.status == 200 { Value::Null } else { self.json()["code"].clone() };
        (self.status, code.as_str().unwrap_or_default().to_owned())
    }
}

/// A connection.
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::over(within(TcpStream::connect(address)).await.unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// Writes until the other side stops reading.
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within(self.stream.write_all(bytes.as_ref())).await;
    }

    /// Writes all bytes. Returns false if the other side closed.
    pub(crate) async fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    pub(crate) async fn send(&mut self, request: &Request) -> Answer {
        self.write(request.to_bytes()).await;
        self.answer()
            .await
            .unwrap_or_else(|| panic!("closed without an answer to {} {}", request.method, request.target))
    }

    /// Reads the next response, or returns `None` if the connection is closed.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        self.next(true).await
    }

    /// Reads the response to a HEAD, which has no body.
    pub(crate) async fn answer_to_head(&mut self) -> Option<Answer> {
        self.next(false).await
    }

    async fn next(&mut self, has_body: bool) -> Option<Answer> {
        let end = self.read_until(|read| find(read, b"\r\n\r\n")).await?;
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers: Vec<_> = lines.filter_map(header).collect();
        let answer = Answer { status, headers, body: String::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let length = if has_body { length } else { 0 };
        self.read_until(|read| (read.len() >= length).then_some(())).await?;
        let body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        Some(Answer { body, ..answer })
    }

    async fn read_until<T>(&mut self, mut found: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        loop {
            if let Some(found) = found(&self.read) {
                return Some(found);
            }
            match within(self.stream.read_buf(&mut self.read)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return None,
            }
        }
    }

    /// Waits until the other side closes.
    pub(crate) async fn closed(mut self) {
        assert_eq!(self.read_until(|read| (!read.is_empty()).then_some(())).await, None, "{:?}", self.read);
    }
}

fn find(read: &[u8], end: &[u8]) -> Option<usize> {
    read.windows(end.len()).position(|window| window == end)
}

/// Awaits a future within the time limit.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(TOO_LONG, future).await.expect("took too long")
}

/// Yields to other tasks until the condition is true.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    within(waiting).await;
}
