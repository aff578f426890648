//! A tenant with a provider, and the steps that the tests share.

use idp_bridge_conformance::fixture::{customer, email, scope, text_claim};
use idp_bridge_conformance::{Harness as _, NewUser, Tokens};
use idp_bridge_connector_auth0::{Auth0Config, Auth0Store};
use idp_bridge_connector_auth0_testing::fake::{Exchange, FakeAuth0};
use idp_bridge_connector_auth0_testing::harness::Auth0Harness;
use idp_bridge_connector_auth0_testing::harness::federation::{BROWSER_APPLICATION, Login, settings};
use idp_bridge_core::{
    AccessToken, CallScope, Directory, ErrorKind, Federation, FederationSettings, IdentityProvider as _, LoggedOut,
    Logout, Outcome, Result, Secret, TokenIdentity, UserId, UserKey, UserRecord,
};
use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "Correct-Horse-7-Battery";
/// A login of a public application with rotating refresh tokens.
pub(crate) const IN_BROWSER: Login<'_> = Login { client_id: BROWSER_APPLICATION, ..Login::ORDINARY };
/// A login without an API.
pub(crate) const OPAQUE: Login<'_> = Login { audience: None, ..Login::ORDINARY };

/// A fresh tenant with a provider.
pub(crate) struct Bench {
    pub(crate) harness: Auth0Harness,
    pub(crate) provider: Directory<Auth0Store>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(settings: fn(&mut Auth0Config)) -> Self {
        let harness = Auth0Harness::start().await.unwrap().with(settings);
        let provider = harness.build(harness.config()).unwrap();
        Self { harness, provider }
    }

    /// Replaces the provider by one with changed settings.
    pub(crate) fn rebuild(&mut self, change: impl FnOnce(&mut Auth0Config, &mut FederationSettings)) {
        let (mut config, mut federation) = (self.harness.config(), settings());
        change(&mut config, &mut federation);
        self.provider = self.harness.build_with(config, Some(federation)).unwrap();
    }

    pub(crate) fn fake(&self) -> &FakeAuth0 {
        self.harness.fake()
    }

    /// Creates a user in the database, and clears the recorded requests.
    pub(crate) async fn create(&self, name: &str, customers: &[&str]) -> UserId {
        let mut user = NewUser::person(email(name));
        user.customers = customers.iter().map(|text| customer(text)).collect();
        user.password = Some(PASSWORD.into());
        let id = self.harness.create(user).await.unwrap();
        self.fake().take_exchanges();
        id
    }

    /// Adds a user of another connection, as its first login does.
    pub(crate) fn insert(&self, id: &str, email: &str, more: Value) -> UserId {
        let (provider, rest) = id.split_once('|').unwrap();
        let mut user = json!({
            "user_id": id, "email": email, "email_verified": false, "created_at": "2026-01-02T03:04:05.678Z",
            "identities": [{"provider": provider, "user_id": rest, "connection": provider, "isSocial": true}],
        });
        set_all(&mut user, more);
        self.fake().insert(user);
        UserId::new(id).unwrap()
    }

    /// Returns the requests since the last call, without those for tokens.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        let mut exchanges = self.fake().take_exchanges();
        exchanges.retain(|exchange| exchange.request.path() != "/oauth/token");
        exchanges
    }

    /// Returns methods and targets of these requests, without the common prefix.
    pub(crate) fn requests(&self) -> Vec<String> {
        let line = |exchange: &Exchange| {
            let target = exchange.request.target.trim_start_matches("/api/v2/");
            format!("{} {target}", exchange.request.method)
        };
        self.exchanges().iter().map(line).collect()
    }

    /// Returns the JSON bodies of these requests with one method.
    pub(crate) fn bodies(&self, method: &str) -> Vec<Value> {
        let exchanges = self.exchanges();
        let of_method = exchanges.iter().filter(|exchange| exchange.request.method == method);
        of_method.map(|exchange| exchange.request.json().unwrap()).collect()
    }

    /// Reads a user, or returns the kind of the error.
    pub(crate) async fn get(&self, key: UserKey<'_>) -> Result<UserRecord, ErrorKind> {
        self.provider.get(&scope(), key).await.map_err(|error| error.kind())
    }

    pub(crate) fn oauth(&self) -> &dyn Federation {
        self.provider.federation().unwrap()
    }

    pub(crate) async fn log_in(&self, name: &str, login: Login<'_>) -> Tokens {
        let tokens = self.harness.log_in_as(email(name).as_str(), PASSWORD, login).unwrap();
        self.fake().take_exchanges();
        tokens
    }

    /// Creates a user and logs it in.
    pub(crate) async fn create_and_log_in(&self, name: &str, login: Login<'_>) -> (UserId, Tokens) {
        (self.create(name, &[name]).await, self.log_in(name, login).await)
    }

    /// Returns the kind of error of both methods, `None` if the token is valid.
    pub(crate) async fn verdict(&self, token: &str) -> Option<ErrorKind> {
        let token = AccessToken::new(token).unwrap();
        let identified = self.oauth().identify(&scope(), &token).await.map(drop).map_err(|error| error.kind());
        let validated = self.oauth().validate(&scope(), &token).await.map(drop).map_err(|error| error.kind());
        assert_eq!(identified, validated);
        validated.err()
    }

    /// Returns the verdict on an access token with these claims changed.
    pub(crate) async fn verdict_with(&self, tokens: &Tokens, claims: Value) -> Option<ErrorKind> {
        self.verdict(&self.altered(tokens.access.expose(), claims)).await
    }

    /// Signs a token with some claims changed.
    pub(crate) fn altered(&self, token: &str, claims: Value) -> String {
        self.harness.altered(token, |own| set_all(own, claims)).unwrap()
    }

    pub(crate) async fn identity(&self, tokens: &Tokens) -> TokenIdentity {
        self.oauth().identify(&scope(), &tokens.access).await.unwrap()
    }

    /// Logs out with the access token and these other tokens.
    pub(crate) async fn log_out(
        &self,
        tokens: &Tokens,
        refresh: Option<&Secret>,
        hint: Option<&Secret>,
    ) -> Result<LoggedOut> {
        let identity = self.identity(tokens).await;
        let logout =
            Logout { token: &tokens.access, identity: Some(&identity), refresh_token: refresh, id_token_hint: hint };
        self.oauth().log_out(&scope(), &logout).await
    }

    pub(crate) fn is_refreshable(&self, tokens: &Tokens) -> bool {
        let token = tokens.refresh.as_ref().unwrap();
        self.fake().with(|tenant| tenant.is_refreshable(token.expose()))
    }

    /// Returns whether the session of a login is active.
    pub(crate) fn has_session(&self, tokens: &Tokens) -> bool {
        self.fake().with(|tenant| tenant.has_session(&session_of(tokens)))
    }
}

/// Returns the session that the ID token names.
pub(crate) fn session_of(tokens: &Tokens) -> String {
    text_claim(tokens.id.as_ref().unwrap().expose(), "sid").unwrap()
}

/// Sets members of an object.
pub(crate) fn set_all(object: &mut Value, members: Value) {
    let Value::Object(members) = members else { panic!("the members are an object") };
    object.as_object_mut().unwrap().extend(members);
}

/// Checks that a write failed with this kind and was not applied.
pub(crate) fn assert_not_applied<T>(scope: &CallScope, result: Result<T>, kind: ErrorKind) {
    let failed = result.err().map(|error| error.kind());
    assert_eq!((failed, scope.recorder().outcome()), (Some(kind), Outcome::NotApplied));
}

/// Returns the request that reads this user.
pub(crate) fn read_of(id: &UserId) -> String {
    format!("GET users/{}", id.as_str().replace('|', "%7C"))
}
