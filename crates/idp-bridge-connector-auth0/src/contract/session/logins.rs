//! The logins of the session: validation, every kind of logout, and refusals.

use std::time::Duration;

use idp_bridge_conformance::{Harness as _, NewUser, Staged, Tokens};
use idp_bridge_core::{AccessToken, CallScope, Email, Federation, IdentityProvider, Logout, Secret, TokenIdentity};

use crate::harness::Auth0Harness;
use crate::harness::federation::{Login, settings};

const PASSWORD: &str = "Correct-Horse-7-Battery";

/// Creates a user, and validates and ends its logins in every way. Other tests check the results.
pub(super) async fn run(harness: &Auth0Harness) -> Staged<()> {
    let mut person = NewUser::person(Email::new("logs-in@acme.example")?);
    person.password = Some(PASSWORD.into());
    harness.create(person).await?;
    let mut opaque = harness.config();
    opaque.accept_opaque = true;
    let mut enterprise = opaque.clone();
    enterprise.enterprise_sessions = true;
    let mut wrong = settings();
    wrong.clients.iter_mut().for_each(|client| client.secret = Some(Secret::new("wrong")));
    for (config, settings) in [(opaque.clone(), settings()), (enterprise.clone(), settings()), (opaque, wrong)] {
        visit(harness, &harness.build_with(config, Some(settings))?).await?;
    }
    // Once more with a plan and scopes that allow ending sessions.
    harness.allow_sessions();
    visit(harness, &harness.build(enterprise)?).await
}

async fn visit(harness: &Auth0Harness, provider: &dyn IdentityProvider) -> Staged<()> {
    let Some(federation) = provider.federation() else { return Err("the provider has no federation".into()) };
    let scope = CallScope::new("session", Duration::from_secs(30));
    federation.diagnose(&scope).await;
    let _ = federation.metadata(&scope).await;
    let _ = federation.validate(&scope, &AccessToken::new("opaque--unknown")?).await;
    for audience in [Login::ORDINARY.audience, None] {
        let login = Login { audience, ..Login::ORDINARY };
        let tokens = harness.log_in_as("logs-in@acme.example", PASSWORD, login).await?;
        let _ = federation.validate(&scope, &tokens.access).await;
        if let Ok(identity) = federation.identify(&scope, &tokens.access).await {
            log_out(federation, &scope, &tokens, &identity).await;
        }
    }
    Ok(())
}

async fn log_out(federation: &dyn Federation, scope: &CallScope, tokens: &Tokens, identity: &TokenIdentity) {
    let (refresh_token, id_token_hint) = (tokens.refresh.as_ref(), tokens.id.as_ref());
    for (refresh_token, id_token_hint) in [(refresh_token, id_token_hint), (None, id_token_hint), (None, None)] {
        let logout = Logout { token: &tokens.access, identity: Some(identity), refresh_token, id_token_hint };
        let _ = federation.log_out(scope, &logout).await;
    }
}
