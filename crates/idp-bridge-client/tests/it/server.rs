//! A scripted server that answers one request per connection.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};

/// The behavior of the server.
#[derive(Debug, Clone)]
pub(crate) enum Script {
    /// Sends this response and closes the connection.
    Whole(String),
    /// Sends a body without an end.
    Endless,
    /// Sends no response.
    Silent,
    /// Closes the connection without a response.
    Cut,
}

impl Script {
    pub(crate) fn new(status: u16, media_type: &str, body: &str) -> Self {
        let length = body.len();
        Self::Whole(format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    }

    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::new(status, "application/json", body)
    }

    pub(crate) fn with_header(self, header: &str) -> Self {
        match self {
            Self::Whole(text) => Self::Whole(text.replacen("\r\n", &format!("\r\n{header}\r\n"), 1)),
            other => other,
        }
    }
}

/// A received request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A server with a script.
#[derive(Debug)]
pub(crate) struct ScriptedBridge {
    address: SocketAddr,
    requests: Mutex<mpsc::UnboundedReceiver<Request>>,
}

impl ScriptedBridge {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), sender.clone()));
            }
        });
        Self { address, requests: Mutex::new(requests) }
    }

    /// Creates a server that does not listen.
    pub(crate) async fn closed() -> Self {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        Self { address, requests: Mutex::new(mpsc::unbounded_channel().1) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the next received request.
    pub(crate) async fn request(&self) -> Request {
        self.requests.lock().await.recv().await.unwrap()
    }
}

async fn serve(stream: TcpStream, script: Script, requests: mpsc::UnboundedSender<Request>) {
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream).await else { return };
    // The test may have dropped the receiver.
    let _ = requests.send(request);
    let mut stream = stream.into_inner();
    let written = match script {
        Script::Whole(answer) => stream.write_all(answer.as_bytes()).await,
        Script::Cut => Ok(()),
        Script::Silent => std::future::pending().await,
        Script::Endless => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
            let mut written = stream.write_all(head.as_bytes()).await;
            while written.is_ok() {
                written = stream.write_all(b"4\r\n    \r\n").await;
            }
            written
        }
    };
    // The client may close the connection early.
    let _ = written;
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers: http::HeaderMap = lines[1..]
        .iter()
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    let mut body = vec![0; headers["content-length"].to_str().unwrap().parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { line: lines.remove(0), headers, body })
}
