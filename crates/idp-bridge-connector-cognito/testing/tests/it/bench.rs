//! A pool with a provider, and the steps that the tests share.

use idp_bridge_conformance::fake::Incoming;
use idp_bridge_conformance::fixture::{email, scope};
use idp_bridge_conformance::{FederationHarness as _, SignIn, Tokens};
use idp_bridge_connector_cognito::{CognitoConfig, CognitoStore};
use idp_bridge_connector_cognito_testing::fake::{FakeCognito, Status, User};
use idp_bridge_connector_cognito_testing::harness::CognitoHarness;
use idp_bridge_core::{
    AccessToken, Directory, ErrorKind, Federation, FederationSettings, Finding, IdentityProvider as _, LoggedOut,
    Logout, Result, Secret, UserId, UserKey, UserRecord, Verdict,
};
use serde_json::Value;

pub(crate) const PASSWORD: &str = "Correct-Horse-7";

/// A new pool, and a provider for it.
pub(crate) struct Bench {
    pub(crate) harness: CognitoHarness,
    pub(crate) provider: Directory<CognitoStore>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(settings: fn(&mut CognitoConfig)) -> Self {
        let harness = CognitoHarness::start_with_fake().await.unwrap().with("cognito (fake)", settings);
        harness.fake().with(|pool| pool.begins_with_an_empty_page = false);
        let provider = harness.build(harness.config()).unwrap();
        Self { harness, provider }
    }

    /// Replaces the provider by one with changed settings.
    pub(crate) fn rebuild(&mut self, change: impl FnOnce(&mut CognitoConfig, &mut FederationSettings)) {
        let (mut config, mut federation) = (self.harness.config(), self.harness.federation_settings());
        change(&mut config, &mut federation);
        self.provider = self.harness.build_with(config, federation).unwrap();
    }

    pub(crate) fn fake(&self) -> &FakeCognito {
        self.harness.fake()
    }

    /// Creates a user with this name and state, with an address and a customer that contain the name.
    pub(crate) fn insert(&self, name: &str, status: Status, verified: &str) -> UserId {
        self.insert_with(name, status, verified, |_| {})
    }

    pub(crate) fn insert_with(
        &self,
        name: &str,
        status: Status,
        verified: &str,
        change: impl FnOnce(&mut User),
    ) -> UserId {
        let (address, customer) = (email(name), format!("customer-of-{name}"));
        let attributes = [
            ("email", address.as_str()),
            ("email_verified", verified),
            ("preferred_username", &customer),
            ("custom:customer_id", &customer),
        ];
        let mut user = User::new(name, status, &attributes);
        user.password = Some(PASSWORD.into());
        change(&mut user);
        UserId::new(self.fake().insert(user)).unwrap()
    }

    /// Grants or revokes the bridge's right to this operation.
    pub(crate) fn allow(&self, action: &str, allowed: bool) {
        self.fake().with(|pool| {
            let actions = &mut pool.principals[0].actions;
            let _ = if allowed { actions.insert(action.into()) } else { actions.remove(action) };
        });
    }

    /// Takes the recorded requests: operations with their user, filter or group, and paths of the domain.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.fake().take_exchanges().iter().map(|exchange| summary(&exchange.request)).collect()
    }

    /// Takes the recorded mails: the operations that sent them.
    pub(crate) fn take_mails(&self) -> Vec<String> {
        let mails = self.fake().with(|pool| std::mem::take(&mut pool.mails));
        mails.into_iter().map(|mail| mail.operation).collect()
    }

    /// Reads a user, or returns the kind of the error.
    pub(crate) async fn get(&self, key: UserKey<'_>) -> Result<UserRecord, ErrorKind> {
        self.provider.get(&scope(), key).await.map_err(|error| error.kind())
    }

    pub(crate) fn oauth(&self) -> &dyn Federation {
        self.provider.federation().unwrap()
    }

    pub(crate) async fn sign_in(&self, name: &str) -> Tokens {
        self.harness.sign_in(&SignIn::new(email(name), PASSWORD)).await.unwrap()
    }

    /// Creates a confirmed user, and signs in.
    pub(crate) async fn insert_and_sign_in(&self, name: &str) -> (UserId, Tokens) {
        (self.insert(name, Status::Confirmed, "true"), self.sign_in(name).await)
    }

    /// Signs another access token of a login, with some claims changed.
    pub(crate) fn sign_changed(&self, tokens: &Tokens, claims: Value) -> AccessToken {
        let session = self.harness.session(tokens).unwrap();
        self.harness.sign_access(&session, claims).unwrap()
    }

    pub(crate) async fn log_out(&self, access: &AccessToken, refresh: Option<&Secret>) -> Result<LoggedOut> {
        let logout = Logout { token: access, identity: None, refresh_token: refresh, id_token_hint: None };
        self.oauth().log_out(&scope(), &logout).await
    }

    /// Returns whether the access token and the refresh token are active.
    pub(crate) async fn active(&self, tokens: &Tokens) -> [Option<bool>; 2] {
        let status = self.harness.check_tokens(&mut tokens.clone()).await.unwrap();
        [status.userinfo, status.refresh]
    }

    /// Returns the findings about the pool that are not ok.
    pub(crate) async fn faults(&self) -> Vec<Finding> {
        only_faults(self.provider.diagnose(&scope()).await)
    }

    /// Returns the findings about federation that are not ok.
    pub(crate) async fn oauth_faults(&self) -> Vec<Finding> {
        only_faults(self.oauth().diagnose(&scope()).await)
    }
}

fn only_faults(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|finding| finding.verdict != Verdict::Ok);
    findings
}

fn summary(request: &Incoming) -> String {
    let Some(target) = request.headers.get("x-amz-target") else { return request.path().to_owned() };
    let target = target.to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let about = ["Username", "Filter", "GroupName"].into_iter().find_map(|name| body[name].as_str());
    format!("{operation} {}", about.unwrap_or_default()).trim_end().to_owned()
}
