//! Recorded exchanges, one file each.

use std::collections::BTreeMap;
use std::path::Path;

use idp_bridge_conformance::TestResult;
use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::Value;

use super::topic::Topic;

/// A recorded exchange.
pub(super) struct Recording {
    pub(super) id: String,
    pub(super) method: Method,
    /// The path, decoded segment by segment.
    pub(super) segments: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
    /// The request body: JSON, or the fields of a form.
    pub(super) sent: Value,
    pub(super) status: u16,
    /// The response body: JSON, or a text.
    pub(super) answer: Value,
    request_headers: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct File {
    id: String,
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    query: Option<String>,
    headers: BTreeMap<String, String>,
    body: Value,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Value,
}

/// Reads every `.json` file below this folder.
pub(super) fn read_all(folder: &Path) -> TestResult<Vec<Recording>> {
    let mut recordings = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| format!("`{}`: {error}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let read =
                    || -> TestResult<Recording> { Recording::new(serde_json::from_slice(&std::fs::read(&path)?)?) };
                recordings.push(read().map_err(|error| format!("`{}`: {error}", path.display()))?);
            }
        }
    }
    if recordings.is_empty() {
        return Err(format!("`{}` contains no recordings (`.json` files)", folder.display()).into());
    }
    recordings.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(recordings)
}

impl Recording {
    fn new(File { id, request, response }: File) -> TestResult<Self> {
        let target = match &request.query {
            Some(query) => format!("{}?{query}", request.path),
            None => request.path,
        };
        let method = request.method.parse()?;
        let incoming = Incoming::new(method, &target);
        Ok(Self {
            id,
            segments: incoming.segments().ok_or("the path cannot be read")?,
            query: incoming.query().ok_or("the query cannot be read")?,
            method: incoming.method,
            sent: request.body,
            status: response.status,
            answer: response.body,
            request_headers: request.headers,
            headers: response.headers,
        })
    }

    /// Returns the topic of the exchange.
    pub(super) fn topic(&self) -> Topic {
        Topic::from_request(&self.method, &self.segments)
    }

    /// Returns the content type of the request, without parameters.
    pub(super) fn sent_type(&self) -> &str {
        self.request_headers.get("content-type").map_or("", |kind| kind.split(';').next().unwrap_or_default())
    }

    /// Returns the content type of the response.
    pub(super) fn content_type(&self) -> Option<&str> {
        self.headers.get("content-type").map(String::as_str)
    }

    /// Returns the raw body of the response.
    fn bytes(&self) -> Vec<u8> {
        match &self.answer {
            Value::Null => Vec::new(),
            Value::String(text) if !self.content_type().is_some_and(|kind| kind.contains("json")) => {
                text.as_bytes().to_vec()
            }
            json => json.to_string().into_bytes(),
        }
    }

    /// Returns a member of the response that is a text.
    pub(super) fn answered(&self, name: &str) -> Option<&str> {
        self.answer.get(name).and_then(Value::as_str)
    }

    /// Returns a member of the request that is a text.
    pub(super) fn sent(&self, name: &str) -> Option<&str> {
        self.sent.get(name).and_then(Value::as_str)
    }

    /// Returns whether the request has exactly these members.
    pub(super) fn sends_only(&self, known: &[&str]) -> bool {
        let sent = self.sent.as_object();
        sent.map_or(0, |sent| sent.len()) == known.len()
            && sent.is_none_or(|sent| known.iter().all(|name| sent.contains_key(*name)))
    }

    /// Returns the response for a replay.
    pub(super) fn answer(&self) -> TestResult<Answer> {
        let mut answer = Answer::empty(self.status);
        for (name, value) in &self.headers {
            answer = answer.with(name.parse::<HeaderName>()?, HeaderValue::from_str(value)?);
        }
        answer.body = self.bytes().into();
        Ok(answer)
    }
}
