//! An OpenID Provider on 127.0.0.1 with replaceable document and keys.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Clock, Error, ErrorKind, OutboundPolicy, Result};
use idp_bridge_http::Client;
use idp_bridge_http::oidc::{Claims, OpenIdProvider, OpenIdSettings, Rules};
use serde_json::{Value, json};

use super::keys::Key;
use crate::server::{Received, Reply, Server, answer, scope};

/// The current time in all tests.
pub(crate) const NOW: i64 = 1_700_000_000;

#[derive(Debug)]
pub(crate) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }
}

#[derive(Default)]
struct State {
    base: OnceLock<String>,
    document: Mutex<Value>,
    keys: Mutex<Value>,
    down: AtomicBool,
}

pub(crate) struct Issuer {
    pub(crate) server: Server,
    pub(crate) provider: OpenIdProvider,
    pub(crate) key: Key,
    state: Arc<State>,
}

impl Issuer {
    /// Starts an issuer with one key, `k-1`.
    pub(crate) async fn start(key: Key) -> Self {
        Self::answering(key, |_| None).await
    }

    /// Starts an issuer with responses of the test, which take precedence.
    pub(crate) async fn answering(key: Key, own: impl Fn(&Received) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let server = Server::start(move |_, received| own(received).unwrap_or_else(|| shared.answer(received))).await;
        let base = server.base();
        *state.document.lock().unwrap() = document(&base);
        *state.keys.lock().unwrap() = json!([key.jwk("k-1")]);
        state.base.set(base.clone()).unwrap();
        let policy = OutboundPolicy::default();
        let settings = OpenIdSettings::new(base, &policy);
        let provider = OpenIdProvider::new(Client::new(&policy).unwrap(), settings, Arc::new(FixedClock)).unwrap();
        Self { server, provider, key, state }
    }

    /// Creates another provider for this issuer, with changed settings.
    pub(crate) fn provider_with(&self, change: impl FnOnce(&mut OpenIdSettings)) -> Result<OpenIdProvider> {
        let policy = OutboundPolicy::default();
        let mut settings = OpenIdSettings::new(self.server.base(), &policy);
        change(&mut settings);
        OpenIdProvider::new(Client::new(&policy).unwrap(), settings, Arc::new(FixedClock))
    }

    pub(crate) fn set_keys(&self, keys: Value) {
        *self.state.keys.lock().unwrap() = keys;
    }

    pub(crate) fn change_document(&self, change: impl FnOnce(&mut Value)) {
        change(&mut self.state.document.lock().unwrap());
    }

    pub(crate) fn down(&self, down: bool) {
        self.state.down.store(down, SeqCst);
    }

    /// Returns the number of requests for this path.
    pub(crate) fn requests(&self, path: &str) -> usize {
        self.server.received().iter().filter(|received| received.head.contains(&format!(" {path} "))).count()
    }

    /// Returns valid claims.
    pub(crate) fn claims(&self) -> Value {
        json!({"iss": self.server.base(), "sub": "u-1", "client_id": "shop", "iat": NOW - 10, "exp": NOW + 300})
    }

    /// Returns a valid token.
    pub(crate) fn token(&self) -> String {
        self.key.token(&self.header(), &self.claims())
    }

    pub(crate) fn header(&self) -> Value {
        let algorithm = match &self.key {
            Key::Rsa(_) => "RS256",
            Key::P256(_) => "ES256",
            Key::P384(_) => "ES384",
            Key::Ed(_) => "EdDSA",
        };
        json!({"alg": algorithm, "kid": "k-1", "typ": "at+jwt"})
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<Claims> {
        self.provider.verify(&scope(), token, &Rules::access_token()).await
    }

    /// Checks that a token is invalid, and returns the error.
    pub(crate) async fn refusal(&self, token: &str) -> Error {
        let error = self.verify(token).await.expect_err(token);
        assert_eq!(error.kind(), ErrorKind::InvalidToken, "{error:?} for {token}");
        error
    }
}

impl State {
    fn answer(&self, received: &Received) -> Reply {
        let path = received.head.split(' ').nth(1).unwrap_or_default();
        match path {
            _ if self.down.load(SeqCst) => answer(503, &[], ""),
            "/.well-known/openid-configuration" => answer(200, &[], &self.document.lock().unwrap().to_string()),
            "/jwks" => answer(200, &[], &json!({"keys": *self.keys.lock().unwrap()}).to_string()),
            _ => answer(404, &[], ""),
        }
    }
}

fn document(base: &str) -> Value {
    let at = |path: &str| format!("{base}/{path}");
    json!({
        "issuer": base,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "jwks_uri": at("jwks"),
        "userinfo_endpoint": at("userinfo"),
        "introspection_endpoint": at("introspect"),
        "revocation_endpoint": at("revoke"),
        "end_session_endpoint": at("logout?from=document"),
        "scopes_supported": ["openid", "customer"],
    })
}
