//! An HTTP client of the toy identity provider.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, LOCATION, RETRY_AFTER};
use http::{Method, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use idp_bridge_core::{CallScope, Error, ErrorKind, Result};
use serde_json::Value;
use tokio::net::TcpStream;

use super::Defect;

/// A client with a credential and at most one defect.
pub(super) struct Client {
    pub(super) authority: String,
    pub(super) realm: &'static str,
    pub(super) secret: &'static str,
    pub(super) defect: Option<Defect>,
    pub(super) token: Mutex<Option<String>>,
}

/// A request.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Vec<u8>,
}

/// A complete response.
pub(super) struct Reply {
    pub(super) status: u16,
    retry_after: Option<Duration>,
    location: Option<String>,
    pub(super) body: Bytes,
}

impl Request {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: Vec::new() }
    }

    fn is_write(&self) -> bool {
        self.method != Method::GET && self.path != "token" && self.path != "client"
    }
}

impl Reply {
    pub(super) fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .map_err(|_| Error::upstream(ErrorKind::InvalidResponse, "the response is not json"))
    }
}

impl Client {
    pub(super) fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// Sends a request with a token, and returns a success.
    pub(super) async fn send_authorized(&self, scope: &CallScope, request: Request) -> Result<Reply> {
        let token = self.token(scope).await?;
        let reply = self.send(scope, request, Some(&token)).await?;
        self.check(reply)
    }

    pub(super) async fn token(&self, scope: &CallScope) -> Result<String> {
        if let Some(token) = self.token.lock().unwrap().clone() {
            return Ok(token);
        }
        let request = Request { method: Method::POST, path: "token".into(), body: self.secret.as_bytes().to_vec() };
        let reply = self.check(self.send(scope, request, None).await?)?;
        let answer = reply.json()?;
        let token = answer["token"].as_str().ok_or_else(|| invalid("the response has no token"))?.to_owned();
        *self.token.lock().unwrap() = Some(token.clone());
        Ok(token)
    }

    /// Sends a request to another server.
    pub(super) async fn request_elsewhere(&self, authority: &str) -> Result<Response<Incoming>> {
        let request = Request::get("keys");
        let stream = TcpStream::connect(authority).await.map_err(|_| self.broken(&request))?;
        self.exchange(stream, &request, None).await
    }

    /// Converts an error response to an error.
    pub(super) fn check(&self, reply: Reply) -> Result<Reply> {
        let fail = |kind, message| Err(self.with_body(Error::upstream(kind, message), &reply));
        let reason = reply.json().ok().and_then(|body| body["error"].as_str().map(str::to_owned));
        match (reply.status, reason.as_deref().unwrap_or_default()) {
            (200 | 204, _) => Ok(reply),
            (404, "") if self.has(Defect::ConvertsForeignResponsesToNotFound) => {
                fail(ErrorKind::NotFound, "no such user")
            }
            (403, "") if self.has(Defect::ConvertsForbiddenToNotFound) => fail(ErrorKind::NotFound, "no such user"),
            (401, "") if self.has(Defect::BlamesTheCredentialForGateways) => {
                fail(ErrorKind::Unauthenticated, "the credential was refused")
            }
            (403, "") if self.has(Defect::BlamesTheRoleForGateways) => {
                fail(ErrorKind::PermissionDenied, "the credential lacks a right")
            }
            // A body of another server.
            (401 | 403 | 404, "") => fail(ErrorKind::InvalidResponse, "something in front of the toy refused"),
            (401, _) => fail(ErrorKind::Unauthenticated, "the credential was refused"),
            (403, _) if self.has(Defect::ConvertsForbiddenToNotFound) => fail(ErrorKind::NotFound, "no such user"),
            (403, _) => fail(ErrorKind::PermissionDenied, "the credential lacks a right"),
            (404, "user") => fail(ErrorKind::NotFound, "no such user"),
            (404, _) if self.has(Defect::ConvertsForeignResponsesToNotFound) => {
                fail(ErrorKind::NotFound, "no such user")
            }
            (404, "realm") => fail(ErrorKind::Misconfigured, "no such realm"),
            (400, "state") => fail(ErrorKind::State, "not in this state"),
            (429, _) => {
                let wait = reply.retry_after.filter(|_| !self.has(Defect::OmitsTheRetryAfter));
                fail(ErrorKind::RateLimited, "too many requests").map_err(|error| error.with_retry_after(wait))
            }
            (500.., "mail") if self.has(Defect::IgnoresMailFailures) => Ok(Reply { status: 204, ..reply }),
            (500.., _) if self.has(Defect::ConvertsOutageToNotFound) => fail(ErrorKind::NotFound, "no such user"),
            (500.., _) => fail(ErrorKind::Unavailable, "the identity provider failed"),
            _ => fail(ErrorKind::InvalidResponse, "the response is unexpected"),
        }
    }

    fn with_body(&self, error: Error, reply: &Reply) -> Error {
        if self.has(Defect::LeaksBodies) {
            return error.with("body", String::from_utf8_lossy(&reply.body).into_owned());
        }
        error
    }

    pub(super) async fn send(&self, scope: &CallScope, request: Request, token: Option<&str>) -> Result<Reply> {
        if !self.has(Defect::RecordsNoAttempts) {
            scope.recorder().count_request();
        }
        let once =
            if request.is_write() { !self.has(Defect::RetriesWrites) } else { self.has(Defect::NeverRetriesReads) };
        let attempts = if once { 1 } else { 3 };
        for _ in 1..attempts {
            match self.attempt(scope, &request, token).await {
                Ok(reply) if reply.status < 500 => return Ok(reply),
                Err(error) if error.kind() != ErrorKind::Unavailable => return Err(error),
                _ => {}
            }
        }
        self.attempt(scope, &request, token).await
    }

    async fn attempt(&self, scope: &CallScope, request: &Request, token: Option<&str>) -> Result<Reply> {
        let attempt = self.attempt_without_end(scope, request, token);
        if self.has(Defect::IgnoresTheDeadline) {
            return attempt.await;
        }
        let late = || Error::ours(ErrorKind::Timeout, "the deadline passed");
        if scope.remaining().is_zero() {
            return Err(late());
        }
        tokio::time::timeout(scope.remaining(), attempt).await.map_err(|_| late())?
    }

    async fn attempt_without_end(&self, scope: &CallScope, request: &Request, token: Option<&str>) -> Result<Reply> {
        let recorder = scope.recorder();
        if !self.has(Defect::RecordsNoAttempts) {
            recorder.count_attempt();
        }
        let is_write = request.is_write();
        let stream = TcpStream::connect(&self.authority).await.map_err(|_| self.broken(request))?;
        if is_write && !self.has(Defect::RecordsWritesLate) {
            recorder.begin_write();
        }
        let response = self.exchange(stream, request, token).await?;
        if is_write && self.has(Defect::RecordsWritesLate) {
            recorder.begin_write();
        }
        let refused = response.status().is_client_error() || self.has(Defect::RecordsWritesRefused);
        if is_write && refused {
            recorder.write_refused();
        }
        let reply = self.read(response, request).await?;
        match &reply.location {
            Some(path) if self.has(Defect::FollowsRedirects) => {
                let stream = TcpStream::connect(&self.authority).await.map_err(|_| self.broken(request))?;
                let elsewhere = Request::get(format!("//{}", path.trim_start_matches('/')));
                self.read(self.exchange(stream, &elsewhere, token).await?, request).await
            }
            _ => Ok(reply),
        }
    }

    async fn exchange(&self, stream: TcpStream, request: &Request, token: Option<&str>) -> Result<Response<Incoming>> {
        let broken = |_| self.broken(request);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let path = match request.path.strip_prefix("//") {
            Some(elsewhere) => format!("/{elsewhere}"),
            None => format!("/{}/{}", self.realm, request.path),
        };
        let request = http::Request::builder()
            .method(&request.method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(AUTHORIZATION, token.unwrap_or_default())
            .body(Full::new(Bytes::from(request.body.clone())))
            .map_err(|_| Error::ours(ErrorKind::InvalidInput, "the url is invalid"))?;
        sender.send_request(request).await.map_err(broken)
    }

    async fn read(&self, response: Response<Incoming>, request: &Request) -> Result<Reply> {
        let (head, body) = response.into_parts();
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bound = if self.has(Defect::ReadsWithoutBound) { usize::MAX } else { 1 << 20 };
        let body = Limited::new(body, bound).collect().await.map_err(|error| {
            if error.is::<hyper::Error>() { self.broken(request) } else { invalid("the response is too long") }
        })?;
        Ok(Reply {
            status: head.status.as_u16(),
            retry_after: text(RETRY_AFTER).and_then(|wait| wait.parse().ok()).map(Duration::from_secs),
            location: text(LOCATION),
            body: body.to_bytes(),
        })
    }

    fn broken(&self, request: &Request) -> Error {
        let kind =
            if self.has(Defect::ConvertsOutageToNotFound) { ErrorKind::NotFound } else { ErrorKind::Unavailable };
        let error = Error::upstream(kind, "the connection broke");
        if self.has(Defect::LeaksIds) { error.with("path", request.path.clone()) } else { error }
    }
}

pub(super) fn invalid(message: &'static str) -> Error {
    Error::upstream(ErrorKind::InvalidResponse, message)
}
