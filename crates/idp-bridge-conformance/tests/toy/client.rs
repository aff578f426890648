//! The way to the toy identity provider: deadline, attempts, bound, token.

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

use super::Sin;

/// Where to ask, with what, and with which sin.
pub(super) struct Client {
    pub(super) authority: String,
    pub(super) realm: &'static str,
    pub(super) secret: &'static str,
    pub(super) sin: Option<Sin>,
    pub(super) token: Mutex<Option<String>>,
}

/// What to ask.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Vec<u8>,
}

/// An answer, read to its end.
pub(super) struct Reply {
    pub(super) status: u16,
    retry_after: Option<Duration>,
    location: Option<String>,
    pub(super) body: Bytes,
}

impl Ask {
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
            .map_err(|_| Error::upstream(ErrorKind::InvalidResponse, "the answer is no json"))
    }
}

impl Client {
    pub(super) fn sins(&self, sin: Sin) -> bool {
        self.sin == Some(sin)
    }

    /// Asks with a token, and answers only what is a success.
    pub(super) async fn ask(&self, scope: &CallScope, ask: Ask) -> Result<Reply> {
        let token = self.token(scope).await?;
        let reply = self.send(scope, ask, Some(&token)).await?;
        self.judge(reply)
    }

    pub(super) async fn token(&self, scope: &CallScope) -> Result<String> {
        if let Some(token) = self.token.lock().unwrap().clone() {
            return Ok(token);
        }
        let ask = Ask { method: Method::POST, path: "token".into(), body: self.secret.as_bytes().to_vec() };
        let reply = self.judge(self.send(scope, ask, None).await?)?;
        let answer = reply.json()?;
        let token = answer["token"].as_str().ok_or_else(|| invalid("the answer holds no token"))?.to_owned();
        *self.token.lock().unwrap() = Some(token.clone());
        Ok(token)
    }

    /// Asks somebody else than the identity provider.
    pub(super) async fn visit(&self, authority: &str) -> Result<Response<Incoming>> {
        let ask = Ask::get("keys");
        let stream = TcpStream::connect(authority).await.map_err(|_| self.broken(&ask))?;
        self.exchange(stream, &ask, None).await
    }

    /// The one function that turns an answer into a kind.
    pub(super) fn judge(&self, reply: Reply) -> Result<Reply> {
        let fail = |kind, message| Err(self.told(Error::upstream(kind, message), &reply));
        let reason = reply.json().ok().and_then(|body| body["error"].as_str().map(str::to_owned));
        match (reply.status, reason.as_deref().unwrap_or_default()) {
            (200 | 204, _) => Ok(reply),
            (404, "") if self.sins(Sin::TakesStrangersForNobody) => fail(ErrorKind::NotFound, "no such user"),
            (403, "") if self.sins(Sin::TakesForbiddenForNobody) => fail(ErrorKind::NotFound, "no such user"),
            (401, "") if self.sins(Sin::BlamesTheCredentialForGateways) => {
                fail(ErrorKind::Unauthenticated, "the credential was refused")
            }
            (403, "") if self.sins(Sin::BlamesTheRoleForGateways) => {
                fail(ErrorKind::PermissionDenied, "the credential lacks a right")
            }
            // Not the toy's own words.
            (401 | 403 | 404, "") => fail(ErrorKind::InvalidResponse, "something in front of the toy refused"),
            (401, _) => fail(ErrorKind::Unauthenticated, "the credential was refused"),
            (403, _) if self.sins(Sin::TakesForbiddenForNobody) => fail(ErrorKind::NotFound, "no such user"),
            (403, _) => fail(ErrorKind::PermissionDenied, "the credential lacks a right"),
            (404, "user") => fail(ErrorKind::NotFound, "no such user"),
            (404, _) if self.sins(Sin::TakesStrangersForNobody) => fail(ErrorKind::NotFound, "no such user"),
            (404, "realm") => fail(ErrorKind::Misconfigured, "no such realm"),
            (400, "state") => fail(ErrorKind::State, "not in this state"),
            (429, _) => {
                let wait = reply.retry_after.filter(|_| !self.sins(Sin::ForgetsTheWait));
                fail(ErrorKind::RateLimited, "too many requests").map_err(|error| error.with_retry_after(wait))
            }
            (500.., "mail") if self.sins(Sin::TakesMailFailureForDone) => Ok(Reply { status: 204, ..reply }),
            (500.., _) if self.sins(Sin::TakesOutageForNobody) => fail(ErrorKind::NotFound, "no such user"),
            (500.., _) => fail(ErrorKind::Unavailable, "the identity provider failed"),
            _ => fail(ErrorKind::InvalidResponse, "the answer makes no sense"),
        }
    }

    fn told(&self, error: Error, reply: &Reply) -> Error {
        if self.sins(Sin::LeaksBodies) {
            return error.with("body", String::from_utf8_lossy(&reply.body).into_owned());
        }
        error
    }

    pub(super) async fn send(&self, scope: &CallScope, ask: Ask, token: Option<&str>) -> Result<Reply> {
        if !self.sins(Sin::TellsNoAttempts) {
            scope.recorder().request();
        }
        let once = if ask.is_write() { !self.sins(Sin::RetriesWrites) } else { self.sins(Sin::NeverRetriesReads) };
        let attempts = if once { 1 } else { 3 };
        for _ in 1..attempts {
            match self.attempt(scope, &ask, token).await {
                Ok(reply) if reply.status < 500 => return Ok(reply),
                Err(error) if error.kind() != ErrorKind::Unavailable => return Err(error),
                _ => {}
            }
        }
        self.attempt(scope, &ask, token).await
    }

    async fn attempt(&self, scope: &CallScope, ask: &Ask, token: Option<&str>) -> Result<Reply> {
        let attempt = self.attempt_without_end(scope, ask, token);
        if self.sins(Sin::IgnoresTheDeadline) {
            return attempt.await;
        }
        let late = || Error::ours(ErrorKind::Timeout, "the deadline passed");
        if scope.remaining().is_zero() {
            return Err(late());
        }
        tokio::time::timeout(scope.remaining(), attempt).await.map_err(|_| late())?
    }

    async fn attempt_without_end(&self, scope: &CallScope, ask: &Ask, token: Option<&str>) -> Result<Reply> {
        let recorder = scope.recorder();
        if !self.sins(Sin::TellsNoAttempts) {
            recorder.attempt();
        }
        let tells = ask.is_write();
        let stream = TcpStream::connect(&self.authority).await.map_err(|_| self.broken(ask))?;
        if tells && !self.sins(Sin::TellsWritesLate) {
            recorder.write_begins();
        }
        let response = self.exchange(stream, ask, token).await?;
        if tells && self.sins(Sin::TellsWritesLate) {
            recorder.write_begins();
        }
        let refused = response.status().is_client_error() || self.sins(Sin::TellsWritesRefused);
        if tells && refused {
            recorder.write_refused();
        }
        let reply = self.read(response, ask).await?;
        match &reply.location {
            Some(path) if self.sins(Sin::FollowsRedirects) => {
                let stream = TcpStream::connect(&self.authority).await.map_err(|_| self.broken(ask))?;
                let elsewhere = Ask::get(format!("//{}", path.trim_start_matches('/')));
                self.read(self.exchange(stream, &elsewhere, token).await?, ask).await
            }
            _ => Ok(reply),
        }
    }

    async fn exchange(&self, stream: TcpStream, ask: &Ask, token: Option<&str>) -> Result<Response<Incoming>> {
        let broken = |_| self.broken(ask);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let path = match ask.path.strip_prefix("//") {
            Some(elsewhere) => format!("/{elsewhere}"),
            None => format!("/{}/{}", self.realm, ask.path),
        };
        let request = http::Request::builder()
            .method(&ask.method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(AUTHORIZATION, token.unwrap_or_default())
            .body(Full::new(Bytes::from(ask.body.clone())))
            .map_err(|_| Error::ours(ErrorKind::InvalidInput, "no url can be made of this"))?;
        sender.send_request(request).await.map_err(broken)
    }

    async fn read(&self, response: Response<Incoming>, ask: &Ask) -> Result<Reply> {
        let (head, body) = response.into_parts();
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bound = if self.sins(Sin::ReadsWithoutBound) { usize::MAX } else { 1 << 20 };
        let body = Limited::new(body, bound).collect().await.map_err(|error| {
            if error.is::<hyper::Error>() { self.broken(ask) } else { invalid("the answer is too long") }
        })?;
        Ok(Reply {
            status: head.status.as_u16(),
            retry_after: text(RETRY_AFTER).and_then(|wait| wait.parse().ok()).map(Duration::from_secs),
            location: text(LOCATION),
            body: body.to_bytes(),
        })
    }

    fn broken(&self, ask: &Ask) -> Error {
        let kind = if self.sins(Sin::TakesOutageForNobody) { ErrorKind::NotFound } else { ErrorKind::Unavailable };
        let error = Error::upstream(kind, "the connection broke");
        if self.sins(Sin::LeaksIds) { error.with("path", ask.path.clone()) } else { error }
    }
}

pub(super) fn invalid(message: &'static str) -> Error {
    Error::upstream(ErrorKind::InvalidResponse, message)
}
