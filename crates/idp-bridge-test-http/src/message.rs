//! Requests and responses.

use std::collections::BTreeMap;

use serde_json::Value;

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path and the query.
    pub target: String,
    /// The headers, without `host`. A `content-length` is added unless the body is empty or the headers have a length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// Creates a request without headers and body.
    pub fn new(method: &str, target: impl Into<String>) -> Self {
        Self { method: method.to_owned(), target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// Creates a GET request.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Removes the headers of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| own != name);
        self
    }

    /// Replaces the value of a header.
    #[must_use]
    pub fn with(self, name: &str, value: impl Into<String>) -> Self {
        self.without(name).header(name, value)
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a JSON body with its content type.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.with("content-type", "application/json").body(body.to_string())
    }

    /// Returns the head without its final empty line and without an added length.
    pub fn head(&self) -> String {
        let lines = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{} {} HTTP/1.1\r\nhost: bridge\r\n{}", self.method, self.target, lines.collect::<String>())
    }

    /// Returns the bytes of the request.
    pub fn to_bytes(&self) -> Vec<u8> {
        let has_length = self.headers.iter().any(|(name, _)| name == "content-length" || name == "transfer-encoding");
        let is_added = !self.body.is_empty() && !has_length;
        let length = if is_added { format!("content-length: {}\r\n", self.body.len()) } else { String::new() };
        [self.head().as_bytes(), length.as_bytes(), b"\r\n", &self.body].concat()
    }

    /// Returns the bytes of the last request of a connection, which the server closes afterwards.
    pub fn to_last_bytes(&self) -> Vec<u8> {
        self.clone().with("connection", "close").to_bytes()
    }

    /// Sends the request on a new connection, and reads the response.
    #[track_caller]
    pub fn send(&self, address: &str) -> Answer {
        Answer::parse(&crate::exchange(address, &self.to_last_bytes()))
    }
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers by name in lower case. Values of repeated headers are joined with newlines.
    pub headers: BTreeMap<String, String>,
    /// The body, without chunks.
    pub body: String,
}

impl Answer {
    /// Parses a response with everything until the end of its connection.
    #[track_caller]
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
        let answer = Self::parse_head(head);
        let is_chunked = answer.header("transfer-encoding") == Some("chunked");
        Self { body: if is_chunked { without_chunks(body) } else { body.to_owned() }, ..answer }
    }

    /// Parses the status line and the headers.
    #[track_caller]
    pub(crate) fn parse_head(head: &str) -> Self {
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in lines.map(|line| line.split_once(':').unwrap()) {
            let values = headers.entry(name.to_lowercase()).or_default();
            *values = format!("{values}\n{}", value.trim()).trim_start_matches('\n').to_owned();
        }
        Self { status, headers, body: String::new() }
    }

    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Parses the body.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Returns the status, and the code of a problem.
    #[track_caller]
    pub fn verdict(&self) -> (u16, String) {
        let code = if self.status == 200 { Value::Null } else { self.json()["code"].clone() };
        (self.status, code.as_str().unwrap_or_default().to_owned())
    }

    /// Checks that the body is a valid problem document, and returns its status and code.
    #[track_caller]
    pub fn problem(&self) -> (u16, String) {
        let problem = self.json();
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert_eq!(self.headers["cache-control"], "no-store", "{self:?}");
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert_eq!(problem["type"], "about:blank", "{self:?}");
        assert!(problem["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{self:?}");
        if matches!(self.status, 429 | 503) {
            let seconds: u64 = self.headers["retry-after"].parse().unwrap();
            assert!((1..=300).contains(&seconds), "{self:?}");
        }
        (self.status, problem["code"].as_str().unwrap().to_owned())
    }
}

fn without_chunks(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((length, more)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        body += &more[..length];
        rest = more[length..].trim_start_matches("\r\n");
    }
    body
}
