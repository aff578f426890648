//! A session of the connector with its fake, validated against the document.

use std::time::Duration;

use idp_bridge_conformance::fake::Exchange;
use idp_bridge_conformance::{Control, Harness as _, NewUser, Setup, TestResult};
use idp_bridge_core::{AccessToken, CallScope, CustomerId, Email, IdentityProvider, Logout, Secret, UserId, UserKey};
use idp_bridge_http::header;
use serde_json::{Value, json};

use super::openapi::{OpenApi, Operation, Sent};
use super::report::Report;
use crate::harness::Auth0Harness;
use crate::harness::federation::{Login, settings};

const PASSWORD: &str = "Correct-Horse-7-Battery";

/// Runs the session and validates its requests and responses.
pub(super) async fn check(document: &OpenApi, report: &mut Report) -> TestResult<()> {
    for exchange in exchanges().await? {
        let name = format!("{} {}", exchange.request.method, exchange.request.path());
        let segments = exchange.request.segments().unwrap_or_default();
        let Some(operation) = document.operation(&exchange.request.method, &segments) else {
            report.not_covered(&name);
            continue;
        };
        report.requests += 1;
        for problem in check_request(&operation, &exchange) {
            report.problem(&name, format!("the request is not as documented: {problem}"));
        }
        for problem in check_response(&operation, &exchange, report) {
            report.problem(&name, format!("the fake's response is not as documented: {problem}"));
        }
    }
    Ok(())
}

fn check_request(operation: &Operation<'_>, Exchange { request, .. }: &Exchange) -> Vec<String> {
    let Some(query) = request.query() else { return vec!["the query cannot be parsed".into()] };
    let content_type = request.header(&header::CONTENT_TYPE);
    let mut body = request.json().or_else(|| request.form().map(|form| json!(form)));
    // The document requires a secret even with an assertion, which replaces it.
    if let Some(form) =
        body.as_mut().and_then(Value::as_object_mut).filter(|form| form.contains_key("client_assertion"))
    {
        form.insert("client_secret".into(), json!(""));
    }
    operation.request(&Sent { query: &query, content_type, body: body.as_ref() })
}

fn check_response(operation: &Operation<'_>, Exchange { answer, .. }: &Exchange, report: &mut Report) -> Vec<String> {
    if !operation.has_status(answer.status) {
        return vec![format!("the status {} is not documented", answer.status)];
    }
    // The recorded body is a text, the documented one JSON.
    if answer.status == 401 && answer.body.as_ref() == b"Unauthorized" {
        report.without_schema += 1;
        return Vec::new();
    }
    let content_type = answer.header(&header::CONTENT_TYPE);
    let body = match serde_json::from_slice(&answer.body) {
        _ if answer.body.is_empty() => Value::Null,
        Ok(body) => body,
        Err(_) => Value::String(String::from_utf8_lossy(&answer.body).into_owned()),
    };
    match operation.answer(answer.status, content_type, &body) {
        Some(problems) => {
            report.answers += 1;
            problems
        }
        None => {
            report.without_schema += 1;
            Vec::new()
        }
    }
}

/// Makes every call with every kind of user, accepted and refused in every way, and returns the exchanges.
async fn exchanges() -> TestResult<Vec<Exchange>> {
    let harness = Auth0Harness::start().await?;
    let (ada, customer) = (Email::new("Ada+1@acme.example")?, CustomerId::new("cust \"1\" \\")?);
    let mut person = NewUser::person(ada.clone());
    person.customers = vec![customer.clone()];
    person.password = Some(PASSWORD.into());
    let id = harness.create(person).await?;
    let mut nameless = NewUser::person(ada.clone());
    nameless.email = None;
    harness.create(nameless).await?;
    harness.log_in(&ada, PASSWORD).await?;
    harness.fake().insert(json!({
        "user_id": "google-oauth2|1", "email": "grace@acme.example", "email_verified": false, "created_at": "2026-01-02T03:04:05.678Z",
        "identities": [{"provider": "google-oauth2", "user_id": 1, "connection": "google-oauth2", "isSocial": true}],
    }));
    let people = People { id, email: ada, customer, social: UserId::new("google-oauth2|1")? };
    let mut with_domain = harness.config();
    with_domain.custom_domain = Some("login.acme.example".into());
    for config in [harness.config(), harness.config_with_key()?, with_domain] {
        people.read(&harness.build(config)?).await;
    }
    for control in [Control::WrongSecret, Control::WrongRealm, Control::MissingRole, Control::ReadOnlyRole] {
        let broken = harness.provider(Setup::Broken(control)).await?;
        people.read(&*broken).await;
        people.change(&*broken).await;
    }
    log_in_and_out(&harness).await?;
    people.change(&*harness.provider(Setup::Working).await?).await;
    Ok(harness.fake().take_exchanges())
}

/// Creates a user, and validates and ends its logins in every way. Other tests check the results.
async fn log_in_and_out(harness: &Auth0Harness) -> TestResult<()> {
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

async fn visit(harness: &Auth0Harness, provider: &dyn IdentityProvider) -> TestResult<()> {
    let federation = provider.federation().ok_or("the provider has no federation")?;
    let scope = CallScope::new("session", Duration::from_secs(30));
    federation.diagnose(&scope).await;
    let _ = federation.metadata(&scope).await;
    let _ = federation.validate(&scope, &AccessToken::new("opaque--unknown")?).await;
    for audience in [Login::ORDINARY.audience, None] {
        let login = Login { audience, ..Login::ORDINARY };
        let tokens = harness.log_in_as("logs-in@acme.example", PASSWORD, login)?;
        let _ = federation.validate(&scope, &tokens.access).await;
        let Ok(identity) = federation.identify(&scope, &tokens.access).await else { continue };
        let (refresh, hint) = (tokens.refresh.as_ref(), tokens.id.as_ref());
        for (refresh_token, id_token_hint) in [(refresh, hint), (None, hint), (None, None)] {
            let logout = Logout { token: &tokens.access, identity: Some(&identity), refresh_token, id_token_hint };
            let _ = federation.log_out(&scope, &logout).await;
        }
    }
    Ok(())
}

struct People {
    id: UserId,
    email: Email,
    customer: CustomerId,
    social: UserId,
}

impl People {
    /// Makes the calls that read users or send mails. Other tests check their results.
    async fn read(&self, provider: &dyn IdentityProvider) {
        let scope = CallScope::new("session", Duration::from_secs(30));
        for key in [UserKey::Id(&self.id), UserKey::Email(&self.email), UserKey::Customer(&self.customer)] {
            let _ = provider.get(&scope, key).await;
        }
        if let (Ok(id), Ok(email)) = (UserId::new("auth0|missing"), Email::new("missing@acme.example")) {
            let _ = provider.get(&scope, UserKey::Id(&id)).await;
            let _ = provider.get(&scope, UserKey::Email(&email)).await;
        }
        let _ = provider.send_verification_email(&scope, &self.id).await;
        let _ = provider.send_verification_email(&scope, &self.social).await;
        let _ = provider.send_password_reset_email(&scope, &self.email).await;
        provider.diagnose(&scope).await;
    }

    async fn change(&self, provider: &dyn IdentityProvider) {
        let scope = CallScope::new("session", Duration::from_secs(30));
        let _ = provider.mark_email_verified(&scope, &self.id, None).await;
        let _ = provider.delete(&scope, &self.id).await;
    }
}
