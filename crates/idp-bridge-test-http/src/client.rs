//! The client.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Answer, Request};

/// The time limit of any wait in a test.
pub const TOO_LONG: Duration = Duration::from_secs(20);

/// Connects, with a time limit for reads.
#[track_caller]
pub fn connect(address: &str) -> std::net::TcpStream {
    let stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TOO_LONG)).unwrap();
    stream
}

/// Sends bytes and reads until the server closes the connection.
#[track_caller]
pub fn exchange(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    // The server may close the connection before it has read the whole request.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// A connection for several requests.
pub struct Connection<S = TcpStream> {
    stream: S,
    read: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Self {
        Self::over(within(TcpStream::connect(address)).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Uses an open connection.
    pub fn over(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// Writes until the other side stops reading.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within(self.stream.write_all(bytes.as_ref())).await;
    }

    /// Writes all bytes. Returns false if the other side closed.
    pub async fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Sends a request and reads its response.
    pub async fn send(&mut self, request: &Request) -> Answer {
        self.write(request.to_bytes()).await;
        let answer = self.answer().await;
        answer.unwrap_or_else(|| panic!("closed without an answer to {} {}", request.method, request.target))
    }

    /// Reads the next response, or returns `None` if the connection is closed.
    pub async fn answer(&mut self) -> Option<Answer> {
        self.next(true).await
    }

    /// Reads the response to a HEAD, which has no body.
    pub async fn answer_to_head(&mut self) -> Option<Answer> {
        self.next(false).await
    }

    async fn next(&mut self, has_body: bool) -> Option<Answer> {
        let is_end = |read: &[u8]| read.windows(4).position(|window| window == b"\r\n\r\n");
        let end = self.read_until(is_end).await?;
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
        let answer = Answer::parse_head(head.trim_end());
        let length = answer.header("content-length").filter(|_| has_body).map_or(0, |length| length.parse().unwrap());
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
    pub async fn closed(mut self) {
        assert_eq!(self.read_until(|read| (!read.is_empty()).then_some(())).await, None, "{:?}", self.read);
    }
}

/// Awaits a future within the time limit.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(TOO_LONG, future).await.expect("took too long")
}

/// Yields to other tasks until the condition is true.
pub async fn until(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    within(waiting).await;
}
