//! An identity provider in process, with the tokens of a test and a record of its calls.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{
    AccessToken, CallKind, CallScope, Capabilities, Customer, CustomerId, Email, EndSession, Ended, Error, ErrorKind,
    Federation, FederationCapabilities, FederationMetadata, Finding, IdentityProvider, Liveness, LoggedOut, Logout,
    LogoutNotice, LogoutReach, Result, SessionId, Support, TokenIdentity, TokenUser, UserId, UserKey, UserRecord,
    async_trait,
};

use crate::clock::BEGIN;
use crate::scripted::{record, upstream};

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tokens of a logout, besides the access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogoutTokens {
    pub(crate) identified: bool,
    pub(crate) refresh_token: Option<String>,
    pub(crate) id_token_hint: Option<String>,
}

#[derive(Clone)]
pub(crate) struct Idp {
    capabilities: Capabilities,
    state: Arc<Mutex<State>>,
    /// Runs before each call.
    before: Arc<dyn Fn(&'static str) -> BoxFuture + Send + Sync>,
}

#[derive(Default)]
struct State {
    tokens: HashMap<String, TokenUser>,
    /// Tokens that `validate` rejects.
    ended: HashSet<String>,
    users: HashMap<String, UserRecord>,
    asked: Vec<&'static str>,
    failing: HashMap<&'static str, ErrorKind>,
    logged_out: Option<LoggedOut>,
    logouts: Vec<LogoutTokens>,
    notices: HashMap<String, LogoutNotice>,
}

impl Idp {
    /// Creates an identity provider without tokens and users. Its logouts end no access token.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut FederationCapabilities)) -> Self {
        let mut federation = FederationCapabilities {
            liveness: Liveness::Signature,
            logout: LogoutReach::Session,
            back_channel: Support::Supported,
            opaque_tokens: true,
            cache_seconds: 0,
        };
        change(&mut federation);
        let capabilities = Capabilities::all().with_federation(Some(federation));
        Self { capabilities, state: Arc::default(), before: Arc::new(|_| Box::pin(std::future::ready(()))) }
    }

    /// Removes the get by id.
    pub(crate) fn without_get(mut self) -> Self {
        self.capabilities = self.capabilities.with_call(CallKind::GetById, Support::unsupported("no such call"));
        self
    }

    /// Sets an action that runs before each call.
    pub(crate) fn run_before<F>(mut self, before: impl Fn(&'static str) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.before = Arc::new(move |asked| Box::pin(before(asked)));
        self
    }

    /// Adds a token of Ada with a claim, of session `s`, issued a minute ago, for an hour.
    pub(crate) fn ada(&self, token: &str) -> &Self {
        self.token(token, |_| {})
    }

    /// Adds a token of Ada with changes.
    pub(crate) fn token(&self, token: &str, change: impl FnOnce(&mut TokenUser)) -> &Self {
        let mut user = TokenUser {
            identity: TokenIdentity {
                subject: UserId::new("ada").unwrap(),
                client: Some("shop".into()),
                session: Some(SessionId::new("s").unwrap()),
                issued_at: Some(at(-60)),
                expires_at: Some(at(3540)),
            },
            email: Some(Email::new("ada@acme.example").unwrap()),
            email_verified: Some(true),
            customer: customer("c-1"),
            record: None,
        };
        change(&mut user);
        self.state().tokens.insert(token.into(), user);
        self
    }

    /// Adds a user.
    pub(crate) fn user(&self, id: &str, customer: Customer) -> &Self {
        let user = UserRecord { customer, ..record(id, "c", "ada@acme.example") };
        self.state().users.insert(id.into(), user);
        self
    }

    pub(crate) fn changed(&self, id: &str, change: impl FnOnce(&mut UserRecord)) {
        change(self.state().users.get_mut(id).unwrap());
    }

    /// Ends this token.
    pub(crate) fn end(&self, token: &str) -> &Self {
        self.state().ended.insert(token.into());
        self
    }

    /// Starts or stops failing this call.
    pub(crate) fn fail(&self, call: &'static str, kind: Option<ErrorKind>) {
        match kind {
            Some(kind) => self.state().failing.insert(call, kind),
            None => self.state().failing.remove(call),
        };
    }

    pub(crate) fn logs_out(&self, logged_out: LoggedOut) -> &Self {
        self.state().logged_out = Some(logged_out);
        self
    }

    pub(crate) fn notice(&self, token: &str, ended: Ended, issued_at: Timestamp) {
        self.state().notices.insert(token.into(), LogoutNotice { ended, issued_at });
    }

    /// Returns the calls since the last time.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state().asked)
    }

    /// Returns the tokens of logouts since the last time.
    pub(crate) fn logouts(&self) -> Vec<LogoutTokens> {
        std::mem::take(&mut self.state().logouts)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn begin(&self, call: &'static str, scope: &CallScope) -> Result<()> {
        scope.recorder().count_request();
        self.state().asked.push(call);
        (self.before)(call).await;
        match self.state().failing.get(call) {
            Some(kind) => Err(upstream(*kind)),
            None => Ok(()),
        }
    }

    fn known(&self, token: &AccessToken) -> Result<TokenUser> {
        let known = self.state().tokens.get(token.expose()).cloned();
        known.ok_or_else(|| Error::invalid_token("no issuer knows this token"))
    }
}

#[async_trait]
impl IdentityProvider for Idp {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn get(&self, scope: &CallScope, key: UserKey<'_>) -> Result<UserRecord> {
        self.begin("get", scope).await?;
        let UserKey::Id(id) = key else { panic!("unexpected get with {key:?}") };
        self.state().users.get(id.as_str()).cloned().ok_or_else(Error::no_such_user)
    }

    async fn diagnose(&self, _: &CallScope) -> Vec<Finding> {
        Vec::new()
    }

    fn federation(&self) -> Option<&dyn Federation> {
        Some(self)
    }
}

#[async_trait]
impl Federation for Idp {
    async fn identify(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenIdentity> {
        self.begin("identify", scope).await?;
        if !token.is_jwt() && self.state().ended.contains(token.expose()) {
            return Err(Error::invalid_token("the opaque token has ended"));
        }
        self.known(token).map(|user| user.identity)
    }

    async fn validate(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenUser> {
        self.begin("validate", scope).await?;
        if self.state().ended.contains(token.expose()) {
            return Err(Error::invalid_token("the token has ended"));
        }
        self.known(token)
    }

    async fn log_out(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        let text = |secret: Option<&idp_bridge_core::Secret>| secret.map(|secret| secret.expose().to_owned());
        self.state().logouts.push(LogoutTokens {
            identified: logout.identity.is_some(),
            refresh_token: text(logout.refresh_token),
            id_token_hint: text(logout.id_token_hint),
        });
        self.begin("log_out", scope).await?;
        Ok(self.state().logged_out.unwrap_or(LoggedOut::Session))
    }

    async fn end_session_url(&self, scope: &CallScope, end: &EndSession<'_>) -> Result<String> {
        self.begin("end_session_url", scope).await?;
        let hint = end.id_token_hint.map_or("-", |hint| hint.expose());
        let state = end.state.unwrap_or("-").replace(' ', "%20");
        Ok(format!("https://idp.example/end?{}&{}&{hint}&{state}", end.client_id, end.post_logout_redirect_uri))
    }

    async fn check_logout_token(&self, scope: &CallScope, token: &AccessToken) -> Result<LogoutNotice> {
        self.begin("check_logout_token", scope).await?;
        let notice = self.state().notices.get(token.expose()).cloned();
        notice.ok_or_else(|| Error::invalid_token("no issuer knows this logout token"))
    }

    async fn metadata(&self, scope: &CallScope) -> Result<FederationMetadata> {
        self.begin("metadata", scope).await?;
        Ok(FederationMetadata {
            issuer: "https://idp.example".into(),
            authorization_endpoint: "https://idp.example/auth".into(),
            token_endpoint: "https://idp.example/token".into(),
            jwks_uri: "https://idp.example/keys".into(),
            customer_claim: Some("customer_id".into()),
            scopes: vec!["openid".into(), "email".into()],
        })
    }

    async fn diagnose(&self, _: &CallScope) -> Vec<Finding> {
        Vec::new()
    }
}

/// Returns a time relative to the beginning of the tests.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(BEGIN + second).unwrap()
}

pub(crate) fn customer(text: &str) -> Customer {
    Customer::One(CustomerId::new(text).unwrap())
}
