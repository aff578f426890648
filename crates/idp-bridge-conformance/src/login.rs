//! Logins of a case, and its calls of a provider's federation.

use idp_bridge_core::{
    AccessToken, CallScope, EndSession, Error, ErrorKind, Federation, FederationMetadata, Finding, LoggedOut, Logout,
    LogoutNotice, Recorder, Result, Secret, TokenIdentity, TokenUser,
};

use crate::context::{CaseContext, GRACE, Person, Provider, ample, ensure};
use crate::{FederationFacts, FederationHarness, NewUser, SignIn, TestResult, TokenStatus, Tokens};

/// The password of every user that logs in.
const PASSWORD: &str = "Correct-Horse-7-Battery";

/// A user with the tokens of one login.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) person: Person,
    pub(crate) tokens: Tokens,
}

/// Which tokens of a login are passed to a logout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// All tokens.
    All,
    /// Only the access token.
    AccessToken,
}

impl Login {
    pub(crate) fn id_token(&self) -> TestResult<&Secret> {
        Self::token(&self.tokens.id, "ID token", "IdToken")
    }

    pub(crate) fn refresh_token(&self) -> TestResult<&Secret> {
        Self::token(&self.tokens.refresh, "refresh token", "RefreshToken")
    }

    fn token<'a>(token: &'a Option<Secret>, name: &str, need: &str) -> TestResult<&'a Secret> {
        token.as_ref().ok_or_else(|| {
            format!("the harness returns no {name}, and does not declare `Need::{need}` as not applicable").into()
        })
    }
}

impl CaseContext {
    /// Returns the federation of the harness. Cases that use it are selected only if it exists.
    pub(crate) fn oauth(&self) -> TestResult<&dyn FederationHarness> {
        self.harness().federation().ok_or_else(|| "the harness has no federation".into())
    }

    pub(crate) fn facts(&self) -> TestResult<FederationFacts> {
        Ok(self.oauth()?.facts())
    }

    /// Returns the first of the tenant's clients.
    pub(crate) fn client(&self) -> TestResult<String> {
        self.facts()?.clients.into_iter().next().ok_or_else(|| "the harness returns no client".into())
    }

    /// Creates a user with a password. `shape` changes its properties first.
    pub(crate) async fn person_with_password(
        &self,
        name: &str,
        shape: impl FnOnce(&mut NewUser) + Send,
    ) -> TestResult<Person> {
        self.person_with(name, |user| {
            (user.email_verified, user.password) = (true, Some(PASSWORD.to_owned()));
            shape(user);
        })
        .await
    }

    /// Creates a user and logs it in.
    pub(crate) async fn log_in(&self, name: &str) -> TestResult<Login> {
        let person = self.person_with_password(name, |_| {}).await?;
        self.log_in_again(&person).await
    }

    /// Logs a user in again.
    pub(crate) async fn log_in_again(&self, person: &Person) -> TestResult<Login> {
        self.log_in_with(person, |_| {}).await
    }

    /// Logs a user in. `shape` changes the login first.
    pub(crate) async fn log_in_with(
        &self,
        person: &Person,
        shape: impl FnOnce(&mut SignIn) + Send,
    ) -> TestResult<Login> {
        let sign_in = self.sign_in(person, shape);
        let tokens = self
            .oauth()?
            .sign_in(&sign_in)
            .await
            .map_err(|error| format!("the harness could not log the user in: {error}"))?;
        self.mark_private(tokens.access.expose());
        for secret in [&tokens.refresh, &tokens.id].into_iter().flatten() {
            self.mark_private(secret.expose());
        }
        Ok(Login { person: person.clone(), tokens })
    }

    /// Returns a login of the user. `shape` changes it.
    pub(crate) fn sign_in(&self, person: &Person, shape: impl FnOnce(&mut SignIn)) -> SignIn {
        let mut sign_in = SignIn::new(person.email.clone(), PASSWORD);
        shape(&mut sign_in);
        sign_in
    }

    /// Returns which tokens of a login the identity provider accepts.
    pub(crate) async fn check_tokens(&self, login: &mut Login) -> TestResult<TokenStatus> {
        self.oauth()?.check_tokens(&mut login.tokens).await
    }

    /// Returns a provider behind the suite's proxy that has validated a token, so that its keys are cached.
    pub(crate) async fn proxied_and_known(&self, login: &Login) -> TestResult<(crate::proxy::Proxy, Provider<'_>)> {
        let (proxy, provider) = self.proxied().await?;
        proxy.record();
        let warm = provider.validate(&login.tokens.access).await?.succeeds();
        warm.map_err(|error| format!("the healthy provider does not validate a token: {error}"))?;
        Ok((proxy, provider))
    }
}

impl Provider<'_> {
    pub(crate) fn oauth(&self) -> TestResult<&dyn Federation> {
        self.federation().ok_or_else(|| "the provider declares federation, but does not implement it".into())
    }

    pub(crate) async fn identify(&self, token: &AccessToken) -> TestResult<FederationResult<TokenIdentity>> {
        self.identify_in(&ample(), token).await
    }

    pub(crate) async fn identify_in(
        &self,
        scope: &CallScope,
        token: &AccessToken,
    ) -> TestResult<FederationResult<TokenIdentity>> {
        self.call_federation(scope, "identify", self.oauth()?.identify(scope, token)).await
    }

    pub(crate) async fn validate(&self, token: &AccessToken) -> TestResult<FederationResult<TokenUser>> {
        self.validate_in(&ample(), token).await
    }

    pub(crate) async fn validate_in(
        &self,
        scope: &CallScope,
        token: &AccessToken,
    ) -> TestResult<FederationResult<TokenUser>> {
        self.call_federation(scope, "validate", self.oauth()?.validate(scope, token)).await
    }

    /// Identifies a token and logs it out, as the server does. An invalid opaque token has no identity.
    pub(crate) async fn log_out(&self, login: &Login, shown: Shown) -> TestResult<FederationResult<LoggedOut>> {
        let token = &login.tokens.access;
        let answer = self.identify(token).await?;
        let is_invalid = answer.result.as_ref().is_err_and(|error| error.kind() == ErrorKind::InvalidToken);
        let identity = if is_invalid && !token.is_jwt() { None } else { Some(answer.succeeds()?) };
        self.run_log_out(&ample(), identity.as_ref(), login, shown).await
    }

    pub(crate) async fn log_out_in(
        &self,
        scope: &CallScope,
        identity: &TokenIdentity,
        login: &Login,
        shown: Shown,
    ) -> TestResult<FederationResult<LoggedOut>> {
        self.run_log_out(scope, Some(identity), login, shown).await
    }

    async fn run_log_out(
        &self,
        scope: &CallScope,
        identity: Option<&TokenIdentity>,
        login: &Login,
        shown: Shown,
    ) -> TestResult<FederationResult<LoggedOut>> {
        let all = shown == Shown::All;
        let logout = Logout {
            token: &login.tokens.access,
            identity,
            refresh_token: login.tokens.refresh.as_ref().filter(|_| all),
            id_token_hint: login.tokens.id.as_ref().filter(|_| all),
        };
        self.call_federation(scope, "log_out", self.oauth()?.log_out(scope, &logout)).await
    }

    pub(crate) async fn end_session_url(&self, end: &EndSession<'_>) -> TestResult<FederationResult<String>> {
        let scope = ample();
        self.call_federation(&scope, "end_session_url", self.oauth()?.end_session_url(&scope, end)).await
    }

    pub(crate) async fn check_logout_token(&self, token: &AccessToken) -> TestResult<FederationResult<LogoutNotice>> {
        let scope = ample();
        self.call_federation(&scope, "check_logout_token", self.oauth()?.check_logout_token(&scope, token)).await
    }

    pub(crate) async fn metadata_in(&self, scope: &CallScope) -> TestResult<FederationResult<FederationMetadata>> {
        self.call_federation(scope, "metadata", self.oauth()?.metadata(scope)).await
    }

    pub(crate) async fn diagnose_oauth_in(&self, scope: &CallScope) -> TestResult<Vec<Finding>> {
        let diagnosis = async { Ok(self.oauth().map_err(unexpected)?.diagnose(scope).await) };
        self.call_federation(scope, "diagnose", diagnosis).await?.succeeds()
    }

    /// Waits for the result, and checks that it came by the deadline and that an error shows nothing private.
    async fn call_federation<T>(
        &self,
        scope: &CallScope,
        method: &'static str,
        answer: impl Future<Output = Result<T>> + Send,
    ) -> TestResult<FederationResult<T>> {
        let allowed = scope.remaining() + GRACE;
        let Ok(result) = tokio::time::timeout(allowed, answer).await else {
            return Err(format!("`{method}` had not ended {} ms after its deadline", GRACE.as_millis()).into());
        };
        if let Err(error) = &result {
            self.context().check_error(error)?;
        }
        Ok(FederationResult { method, result, recorder: scope.recorder().clone() })
    }
}

fn unexpected(error: impl std::fmt::Display) -> Error {
    Error::ours(ErrorKind::Unexpected, error.to_string())
}

/// The result of a call of federation.
#[derive(Debug)]
pub(crate) struct FederationResult<T> {
    method: &'static str,
    pub(crate) result: Result<T>,
    pub(crate) recorder: Recorder,
}

impl<T: std::fmt::Debug> FederationResult<T> {
    /// Returns the value of a success.
    pub(crate) fn succeeds(self) -> TestResult<T> {
        self.result.map_err(|error| format!("`{}` should have succeeded: {error:?}", self.method).into())
    }

    /// Checks that the call failed with one of these kinds, and returns the error.
    pub(crate) fn fails(self, kinds: &[ErrorKind]) -> TestResult<Error> {
        match self.result {
            Err(error) if kinds.contains(&error.kind()) => Ok(error),
            other => Err(format!("`{}` should have failed with {kinds:?}: {other:?}", self.method).into()),
        }
    }

    /// Checks that the call failed with `InvalidToken`.
    pub(crate) fn rejects_token(self) -> TestResult<()> {
        self.fails(&[ErrorKind::InvalidToken]).map(drop)
    }

    /// Checks that the call failed with `InvalidToken`, or with `Unavailable` and a retry hint until the keys are refreshed.
    pub(crate) fn rejects_or_defers_token(self) -> TestResult<()> {
        let error = self.fails(&[ErrorKind::InvalidToken, ErrorKind::Unavailable])?;
        ensure!(
            error.kind() == ErrorKind::InvalidToken || error.retry_after().is_some(),
            "an `Unavailable` for an unknown key should have a retry hint"
        );
        Ok(())
    }

    /// Checks that no request was recorded.
    pub(crate) fn makes_no_request(&self) -> TestResult<()> {
        let requests = self.recorder.requests();
        ensure!(requests == 0, "`{}` should have made no request, not {requests}", self.method);
        Ok(())
    }
}
