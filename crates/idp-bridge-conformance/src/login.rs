//! Logins that a case makes, and its questions to the OAuth side of a provider.

use idp_bridge_core::{
    AccessToken, CallScope, EndSession, Error, ErrorKind, Federation, FederationMetadata, Finding, LoggedOut, Logout,
    LogoutNotice, Recorder, Result, TokenIdentity, TokenUser,
};

use crate::scene::{GRACE, Person, Provider, Scene, ample, ensure};
use crate::{Alive, FederationFacts, FederationHarness, NewUser, SignIn, Staged, Tokens};

/// The password of everybody who logs in.
const PASSWORD: &str = "Correct-Horse-7-Battery";

/// A user with the tokens of one login.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) person: Person,
    pub(crate) tokens: Tokens,
}

/// Which of its tokens a caller shows at a logout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// All that the login gave.
    All,
    /// The access token alone.
    AccessToken,
}

impl Scene {
    /// The OAuth side of the environment; cases that ask for it are selected only if there is one.
    pub(crate) fn oauth(&self) -> Staged<&dyn FederationHarness> {
        self.harness().federation().ok_or_else(|| "the harness has no federation".into())
    }

    pub(crate) fn facts(&self) -> Staged<FederationFacts> {
        Ok(self.oauth()?.facts())
    }

    /// The first of the tenant's clients.
    pub(crate) fn client(&self) -> Staged<String> {
        self.facts()?.clients.into_iter().next().ok_or_else(|| "the harness names no client".into())
    }

    /// Makes a user who can log in, and whatever else the case wants of it.
    pub(crate) async fn resident(&self, name: &str, shape: impl FnOnce(&mut NewUser) + Send) -> Staged<Person> {
        self.person_with(name, |user| {
            (user.email_verified, user.password) = (true, Some(PASSWORD.to_owned()));
            shape(user);
        })
        .await
    }

    /// Makes a user and logs it in.
    pub(crate) async fn log_in(&self, name: &str) -> Staged<Login> {
        let person = self.resident(name, |_| {}).await?;
        self.log_in_again(&person).await
    }

    /// One more login of a user.
    pub(crate) async fn log_in_again(&self, person: &Person) -> Staged<Login> {
        self.log_in_with(person, |_| {}).await
    }

    /// A login of a user as the case wants it.
    pub(crate) async fn log_in_with(&self, person: &Person, shape: impl FnOnce(&mut SignIn) + Send) -> Staged<Login> {
        let sign_in = self.sign_in(person, shape);
        let tokens = self
            .oauth()?
            .sign_in(&sign_in)
            .await
            .map_err(|error| format!("the harness could not log the user in: {error}"))?;
        self.hide(tokens.access.expose());
        for secret in [&tokens.refresh, &tokens.id].into_iter().flatten() {
            self.hide(secret.expose());
        }
        Ok(Login { person: person.clone(), tokens })
    }

    /// What a user logs in with.
    pub(crate) fn sign_in(&self, person: &Person, shape: impl FnOnce(&mut SignIn)) -> SignIn {
        let mut sign_in = SignIn::new(person.email.clone(), PASSWORD);
        shape(&mut sign_in);
        sign_in
    }

    /// What the identity provider itself says of a login.
    pub(crate) async fn alive(&self, login: &mut Login) -> Staged<Alive> {
        self.oauth()?.alive(&mut login.tokens).await
    }

    /// A provider behind the suite's proxy that knows the keys and has used its credentials.
    pub(crate) async fn proxied_and_known(&self, login: &Login) -> Staged<(crate::proxy::Proxy, Provider<'_>)> {
        let (proxy, provider) = self.proxied().await?;
        proxy.record();
        let warm = provider.validate(&login.tokens.access).await?.good();
        warm.map_err(|error| format!("the healthy provider does not validate: {error}"))?;
        Ok((proxy, provider))
    }
}

impl Provider<'_> {
    pub(crate) fn oauth(&self) -> Staged<&dyn Federation> {
        self.federation().ok_or_else(|| "the provider declares federation, and has none".into())
    }

    pub(crate) async fn identify(&self, token: &AccessToken) -> Staged<Told<TokenIdentity>> {
        self.identify_in(&ample(), token).await
    }

    pub(crate) async fn identify_in(&self, scope: &CallScope, token: &AccessToken) -> Staged<Told<TokenIdentity>> {
        self.told(scope, "identify", self.oauth()?.identify(scope, token)).await
    }

    pub(crate) async fn validate(&self, token: &AccessToken) -> Staged<Told<TokenUser>> {
        self.validate_in(&ample(), token).await
    }

    pub(crate) async fn validate_in(&self, scope: &CallScope, token: &AccessToken) -> Staged<Told<TokenUser>> {
        self.told(scope, "validate", self.oauth()?.validate(scope, token)).await
    }

    /// Ends a login as the server does: it is identified, and then ended. Of an opaque token that has died nothing is known.
    pub(crate) async fn log_out(&self, login: &Login, shown: Shown) -> Staged<Told<LoggedOut>> {
        let token = &login.tokens.access;
        let told = self.identify(token).await?;
        let is_dead = told.result.as_ref().is_err_and(|error| error.kind() == ErrorKind::InvalidToken);
        let identity = if is_dead && !token.is_jwt() { None } else { Some(told.good()?) };
        self.end(&ample(), identity.as_ref(), login, shown).await
    }

    pub(crate) async fn log_out_in(
        &self,
        scope: &CallScope,
        identity: &TokenIdentity,
        login: &Login,
        shown: Shown,
    ) -> Staged<Told<LoggedOut>> {
        self.end(scope, Some(identity), login, shown).await
    }

    async fn end(
        &self,
        scope: &CallScope,
        identity: Option<&TokenIdentity>,
        login: &Login,
        shown: Shown,
    ) -> Staged<Told<LoggedOut>> {
        let all = shown == Shown::All;
        let logout = Logout {
            token: &login.tokens.access,
            identity,
            refresh_token: login.tokens.refresh.as_ref().filter(|_| all),
            id_token_hint: login.tokens.id.as_ref().filter(|_| all),
        };
        self.told(scope, "log_out", self.oauth()?.log_out(scope, &logout)).await
    }

    pub(crate) async fn end_session_url(&self, end: &EndSession<'_>) -> Staged<Told<String>> {
        let scope = ample();
        self.told(&scope, "end_session_url", self.oauth()?.end_session_url(&scope, end)).await
    }

    pub(crate) async fn check_logout_token(&self, token: &AccessToken) -> Staged<Told<LogoutNotice>> {
        let scope = ample();
        self.told(&scope, "check_logout_token", self.oauth()?.check_logout_token(&scope, token)).await
    }

    pub(crate) async fn metadata_in(&self, scope: &CallScope) -> Staged<Told<FederationMetadata>> {
        self.told(scope, "metadata", self.oauth()?.metadata(scope)).await
    }

    pub(crate) async fn diagnose_oauth_in(&self, scope: &CallScope) -> Staged<Vec<Finding>> {
        let diagnosis = async { Ok(self.oauth().map_err(unexpected)?.diagnose(scope).await) };
        self.told(scope, "diagnose", diagnosis).await?.good()
    }

    /// Waits for an answer, and checks what holds for every one: it comes by its deadline, and an error shows nothing private.
    async fn told<T>(
        &self,
        scope: &CallScope,
        what: &'static str,
        answer: impl Future<Output = Result<T>> + Send,
    ) -> Staged<Told<T>> {
        let allowed = scope.remaining() + GRACE;
        let Ok(result) = tokio::time::timeout(allowed, answer).await else {
            return Err(format!("`{what}` had not ended {} ms after its deadline", GRACE.as_millis()).into());
        };
        if let Err(error) = &result {
            self.scene().check_clean(error)?;
        }
        Ok(Told { what, result, recorder: scope.recorder().clone() })
    }
}

fn unexpected(error: impl std::fmt::Display) -> Error {
    Error::ours(ErrorKind::Unexpected, error.to_string())
}

/// What the OAuth side answered.
#[derive(Debug)]
pub(crate) struct Told<T> {
    what: &'static str,
    pub(crate) result: Result<T>,
    pub(crate) recorder: Recorder,
}

impl<T: std::fmt::Debug> Told<T> {
    /// The good answer.
    pub(crate) fn good(self) -> Staged<T> {
        self.result.map_err(|error| format!("`{}` should have succeeded: {error:?}", self.what).into())
    }

    /// That it failed with one of these kinds.
    pub(crate) fn fails(self, kinds: &[ErrorKind]) -> Staged<Error> {
        match self.result {
            Err(error) if kinds.contains(&error.kind()) => Ok(error),
            other => Err(format!("`{}` should have failed with {kinds:?}: {other:?}", self.what).into()),
        }
    }

    /// That the token is not good.
    pub(crate) fn refuses(self) -> Staged<()> {
        self.fails(&[ErrorKind::InvalidToken]).map(drop)
    }

    /// Checks that the token is rejected, or that it has to wait for the next refresh of the keys.
    pub(crate) fn refuses_or_waits(self) -> Staged<()> {
        let error = self.fails(&[ErrorKind::InvalidToken, ErrorKind::Unavailable])?;
        ensure!(
            error.kind() == ErrorKind::InvalidToken || error.retry_after().is_some(),
            "an `Unavailable` for an unknown key says when to retry"
        );
        Ok(())
    }

    /// That it asked the identity provider nothing.
    pub(crate) fn asked_nothing(&self) -> Staged<()> {
        let requests = self.recorder.requests();
        ensure!(requests == 0, "`{}` should have made no request, not {requests}", self.what);
        Ok(())
    }
}
