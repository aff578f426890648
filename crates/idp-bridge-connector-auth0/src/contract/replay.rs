//! Replays recorded requests that the connector also makes, with their recorded responses.

use std::collections::BTreeMap;
use std::time::Duration;

use idp_bridge_conformance::Staged;
use idp_bridge_conformance::fake::{Answer, Fake, FakeServer, Incoming};
use idp_bridge_core::{
    AccessToken, CallScope, ConnectorContext, Email, Error, ErrorKind, InvalidValue, OauthClient, Result, Secret,
    TenantId, UserId,
};
use serde_json::{Value, json};

use super::recording::Recording;
use super::topic::Topic;
use crate::Auth0Config;
use crate::client::{Auth0Api, PasswordReset};
use crate::fake::Key;
use crate::map::{is_user_id, named_identity};

/// A request of the connector.
pub(super) enum Request {
    Token { with_key: bool },
    User(UserId),
    ByEmail(String),
    Mark(UserId, bool),
    Delete(UserId),
    Verify { id: UserId, client_id: Option<String> },
    Reset { reset: PasswordReset, email: Email },
    Userinfo,
    Revoke { with_secret: bool },
}

/// Returns the connector's request with the path, parameters and members of this recorded one.
pub(super) fn own_request(recording: &Recording) -> Option<Request> {
    let names: Vec<&str> = recording.sent.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let has_only = |known: &[&str]| names.len() == known.len() && known.iter().all(|name| names.contains(name));
    let member = |name: &str| recording.sent.get(name).and_then(Value::as_str);
    let id = || {
        let id = UserId::new(recording.segments.get(3)?.as_str()).ok()?;
        (recording.query.is_empty() && is_user_id(id.as_str())).then_some(id)
    };
    match recording.topic() {
        Topic::Token if recording.sent_type() == "application/x-www-form-urlencoded" => {
            let own = ["grant_type", "audience", "client_id"];
            let (by_secret, by_key) = (["client_secret"], ["client_assertion_type", "client_assertion"]);
            let with_key = has_only(&[&own[..], &by_key].concat());
            (with_key || has_only(&[&own[..], &by_secret].concat())).then_some(Request::Token { with_key })
        }
        Topic::GetUser => id().map(Request::User),
        Topic::UsersByEmail if recording.query.len() == 1 => {
            recording.query.get("email").cloned().map(Request::ByEmail)
        }
        Topic::UpdateUser if has_only(&["email_verified"]) => {
            Some(Request::Mark(id()?, recording.sent.get("email_verified")?.as_bool()?))
        }
        Topic::DeleteUser => id().map(Request::Delete),
        Topic::VerificationEmail => {
            let id = UserId::new(member("user_id")?).ok()?;
            let (needs, given) = (json!(named_identity(&id)), recording.sent.get("identity").cloned());
            let others = names.iter().filter(|name| !["user_id", "client_id", "identity"].contains(name)).count();
            let client_id = member("client_id").map(str::to_owned);
            (others == 0 && needs == given.unwrap_or_default()).then_some(Request::Verify { id, client_id })
        }
        Topic::ChangePassword if has_only(&["client_id", "email", "connection"]) => {
            let (client_id, connection) = (member("client_id")?.to_owned(), member("connection")?.to_owned());
            let email = Email::new(member("email")?).ok()?;
            Some(Request::Reset { reset: PasswordReset { connection, client_id }, email })
        }
        Topic::Userinfo => Some(Request::Userinfo),
        Topic::RevokeToken => {
            let with_secret = has_only(&["client_id", "client_secret", "token"]);
            (with_secret || has_only(&["client_id", "token"])).then_some(Request::Revoke { with_secret })
        }
        _ => None,
    }
}

/// Answers requests of one topic with the recorded response, and all others with a token.
struct Once {
    topic: Topic,
    answer: Answer,
}

impl Fake for Once {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let topic = Topic::from_request(&request.method, &request.segments().unwrap_or_default());
        if topic == self.topic {
            return self.answer.clone();
        }
        let token = json!({"access_token": "replayed", "expires_in": 86_400, "token_type": "Bearer"});
        Answer::new(200, "application/json", token.to_string())
    }
}

/// Makes the request, and returns how it or its outcome differs from the recording.
pub(super) async fn replay(recording: &Recording, request: Request) -> Staged<Vec<String>> {
    let server = FakeServer::start(Once { topic: recording.topic(), answer: recording.answer()? }).await?;
    let mut config = Auth0Config::new("replay.eu.auth0.com", "replay", Secret::new("replay"));
    config.endpoint = Some(server.url());
    match &request {
        Request::Token { with_key: true } => {
            (config.client_secret, config.private_key) = (None, Some(Key::generate()?.private));
        }
        Request::Verify { client_id, .. } => config.email_client_id.clone_from(client_id),
        _ => {}
    }
    let api = Auth0Api::new(&config, &ConnectorContext::new(TenantId::new("replay")?))?;
    let ended = send(&api, request).await;
    let exchanges = server.take_exchanges();
    let is_meant =
        |sent: &&Incoming| Topic::from_request(&sent.method, &sent.segments().unwrap_or_default()) == recording.topic();
    let sent = exchanges.iter().map(|exchange| &exchange.request).find(is_meant);
    let mut problems = sent.map_or_else(|| vec!["no request was made".into()], |sent| differences(recording, sent));
    problems.extend(check_outcome(recording, ended));
    Ok(problems)
}

async fn send(api: &Auth0Api, request: Request) -> Result<()> {
    let scope = CallScope::new("replay", Duration::from_secs(10));
    match request {
        Request::Token { .. } => api.granted_scopes(&scope).await.map(drop),
        Request::User(id) => api.user(&scope, &id).await.map(drop),
        Request::ByEmail(email) => api.users_by_email(&scope, &email).await.map(drop),
        Request::Mark(id, verified) => api.set_email_verified(&scope, &id, verified).await.map(drop),
        Request::Delete(id) => api.delete(&scope, &id).await,
        Request::Verify { id, .. } => api.send_verification(&scope, &id).await.map(drop),
        Request::Reset { reset, email } => api.send_password_mail(&scope, &reset, &email).await,
        Request::Userinfo => api.userinfo(&scope, &AccessToken::new("replayed").map_err(unusable)?).await.map(drop),
        Request::Revoke { with_secret } => {
            let client = OauthClient { id: "replay".into(), secret: with_secret.then(|| Secret::new("replay")) };
            api.revoke(&scope, &client, &Secret::new("replayed")).await
        }
    }
}

fn unusable(error: InvalidValue) -> Error {
    Error::ours(ErrorKind::Unexpected, "the token of the replay is invalid").with_source(error)
}

/// Returns the differences between a request and the recorded one. Values that name a tenant or that the recording's authors
/// replaced may differ.
fn differences(recording: &Recording, sent: &Incoming) -> Vec<String> {
    let mut problems = Vec::new();
    if sent.method != recording.method || sent.segments().as_ref() != Some(&recording.segments) {
        problems.push(format!("another request was made: {} {}", sent.method, sent.path()));
    }
    if sent.query().as_ref() != Some(&recording.query) {
        problems.push("the query differs".into());
    }
    let body = sent.json().or_else(|| sent.form().map(|form| json!(form)));
    let (own, recorded) = (body.unwrap_or_default(), &recording.sent);
    let differs = match recording.topic() {
        // Ids, secrets and tokens differ; the fields and the fixed values do not.
        Topic::Token | Topic::RevokeToken => fixed_fields(&own) != fixed_fields(recorded),
        _ => own != *recorded,
    };
    if differs {
        problems.push("the body differs".into());
    }
    problems
}

/// Returns the names of a form's fields, with the values of those that are equal for all clients.
fn fixed_fields(form: &Value) -> BTreeMap<&str, Option<&Value>> {
    let is_fixed = |name: &str| ["grant_type", "client_assertion_type"].contains(&name);
    let fields = form.as_object().into_iter().flatten();
    fields.map(|(name, value)| (name.as_str(), is_fixed(name).then_some(value))).collect()
}

/// Compares the outcome of a call with the one that its recorded response means.
fn check_outcome(recording: &Recording, ended: Result<(), Error>) -> Option<String> {
    let expected = recording.error_kind();
    let kind = ended.err().map(|error| error.kind());
    (kind != expected).then(|| format!("the call should have ended with {expected:?}, not with {kind:?}"))
}
