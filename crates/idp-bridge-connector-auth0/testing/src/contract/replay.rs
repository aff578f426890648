//! Serves recorded responses to calls of the connector, and compares recorded requests with those of the calls.

use std::collections::BTreeMap;
use std::time::Duration;

use idp_bridge_conformance::TestResult;
use idp_bridge_conformance::fake::{Answer, Fake, FakeServer, Incoming, SigningKey};
use idp_bridge_connector_auth0::{Auth0, Auth0Config, Auth0Store};
use idp_bridge_core::{
    AccessToken, CallScope, Connector as _, ConnectorContext, CustomerId, Directory, Email, Error, ErrorKind,
    FederationSettings, IdentityProvider as _, Logout, OauthClient, Result, Secret, TenantId, UserId, UserKey, Verdict,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::recording::Recording;
use super::report::{Count, Report};
use super::topic::Topic;

/// An id that the scripted user has if the recording names none.
const ANY_USER: &str = "auth0|replayed";

/// Serves a recorded response, and what the call needs besides.
struct Script {
    topic: Topic,
    answer: Answer,
    served: usize,
    /// The user of the other responses.
    user: Value,
}

impl Fake for Script {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let segments = request.segments().unwrap_or_default();
        let topic = Topic::from_request(&request.method, &segments);
        if topic == self.topic {
            self.served += 1;
            // A search has one page.
            if topic != Topic::SearchUsers || self.served == 1 {
                return self.answer.clone();
            }
        }
        let body = match topic {
            Topic::Token => json!({"access_token": "replayed", "expires_in": 86_400, "token_type": "Bearer"}),
            Topic::GetUser => {
                let mut user = self.user.clone();
                if let (Some(user), Some(id)) = (user.as_object_mut(), segments.get(3)) {
                    user.insert("user_id".into(), json!(id));
                }
                user
            }
            Topic::UsersByEmail => json!([self.user]),
            _ => json!([]),
        };
        Answer::new(200, "application/json", body.to_string())
    }
}

/// Serves a recorded response to the call that uses it, and checks the outcome and the request.
pub(super) async fn check(recording: &Recording, report: &mut Report) -> TestResult<()> {
    let Some(topic) = served_as(recording) else {
        report.not_used(recording);
        return Ok(());
    };
    if topic == Topic::Connections {
        match is_list_of_connections(&recording.answer) {
            true => report.count(recording, Count::Read),
            false => report.problem(&recording.id, "the connector's types cannot parse the response"),
        }
        return Ok(());
    }
    let answer = recording.answer()?;
    let user = scripted_user(recording);
    let server = FakeServer::start(Script { topic, answer, served: 0, user }).await?;
    let provider = build(recording, server.url())?;
    let ended = call(recording, &provider).await.map_err(|error| error.kind());
    check_outcome(recording, ended, report);
    if !is_own_request(recording) {
        return Ok(());
    }
    report.count(recording, Count::Replayed);
    let exchanges = server.take_exchanges();
    let mut sent = exchanges.iter().map(|exchange| &exchange.request);
    let is_meant =
        |sent: &&Incoming| Topic::from_request(&sent.method, &sent.segments().unwrap_or_default()) == recording.topic();
    match sent.find(is_meant) {
        Some(sent) => differences(recording, sent).iter().for_each(|problem| report.problem(&recording.id, problem)),
        None => report.problem(&recording.id, "the call did not make the request"),
    }
    Ok(())
}

/// Returns the topic of the connector's request that gets the response; `None` if the connector does not use it.
fn served_as(recording: &Recording) -> Option<Topic> {
    match recording.topic() {
        // The body is a user.
        Topic::CreateUser => Some(Topic::GetUser),
        // The errors of the Management API have one form.
        Topic::OtherManagement if recording.status >= 400 => Some(Topic::GetUser),
        Topic::OtherManagement | Topic::Other => None,
        topic => Some(topic),
    }
}

/// Returns the user that a recording is about.
fn user_id(recording: &Recording) -> &str {
    let from_path = recording.segments.get(3).map(String::as_str).filter(|id| id.contains('|'));
    recording.answered("user_id").or(recording.sent("user_id")).or(from_path).unwrap_or(ANY_USER)
}

fn email(recording: &Recording) -> &str {
    let from_query = recording.query.get("email").map(String::as_str);
    recording.answered("email").or(recording.sent("email")).or(from_query).unwrap_or("replayed@acme.example")
}

/// Returns an unverified user with a password in the recorded connection.
fn scripted_user(recording: &Recording) -> Value {
    let id = user_id(recording);
    let rest = id.split_once('|').map_or(id, |(_, rest)| rest);
    let identity = json!({"provider": "auth0", "connection": recording.sent("connection"), "user_id": rest});
    json!({"user_id": id, "email": email(recording), "email_verified": false, "identities": [identity]})
}

/// Builds a provider with the settings of the recorded request.
fn build(recording: &Recording, url: String) -> TestResult<Directory<Auth0Store>> {
    let mut config = Auth0Config::new("replay.eu.auth0.com", "replay", Secret::new("replay"));
    config.endpoint = Some(url);
    config.accept_opaque = true;
    config.email_client_id = recording.sent("client_id").map(str::to_owned);
    config.connection = recording.sent("connection").filter(|_| config.email_client_id.is_some()).map(str::to_owned);
    if recording.topic() == Topic::Token && recording.sent("client_assertion").is_some() {
        let key = SigningKey::rs256("replay")?.private_pem()?;
        (config.client_secret, config.private_key) = (None, Some(Secret::new(key)));
    }
    let secret = recording.sent("client_secret").map(Secret::new);
    let clients = vec![OauthClient { id: "replay".into(), secret }];
    let federation = Some(FederationSettings { clients, ..FederationSettings::default() });
    let context = ConnectorContext { federation, ..ConnectorContext::new(TenantId::new("replay")?) };
    Ok(Auth0::build(config, &context)?)
}

/// Makes the call that uses the recorded response.
async fn call(recording: &Recording, provider: &Directory<Auth0Store>) -> Result<()> {
    let invalid = |_| Error::ours(ErrorKind::Unexpected, "a recorded value is invalid");
    let scope = CallScope::new("replay", Duration::from_secs(10));
    let id = UserId::new(user_id(recording)).map_err(invalid)?;
    let email = Email::new(email(recording)).map_err(invalid)?;
    let token = AccessToken::new("replayed").map_err(invalid)?;
    let federation = provider.federation().ok_or_else(|| Error::unsupported("federation is off"))?;
    match recording.topic() {
        Topic::UsersByEmail => provider.get(&scope, UserKey::Email(&email)).await.map(drop),
        Topic::SearchUsers => {
            let customer = CustomerId::new("replayed").map_err(invalid)?;
            provider.get(&scope, UserKey::Customer(&customer)).await.map(drop)
        }
        Topic::UpdateUser => provider.mark_email_verified(&scope, &id, None).await,
        Topic::DeleteUser => provider.delete(&scope, &id).await.map(drop),
        Topic::VerificationEmail => provider.send_verification_email(&scope, &id).await,
        Topic::ChangePassword => provider.send_password_reset_email(&scope, &email).await,
        Topic::Userinfo => federation.identify(&scope, &token).await.map(drop),
        Topic::RevokeToken => {
            let refresh = Secret::new("replayed");
            let logout = Logout { token: &token, identity: None, refresh_token: Some(&refresh), id_token_hint: None };
            federation.log_out(&scope, &logout).await.map(drop)
        }
        Topic::EmailTemplate => {
            let findings = provider.diagnose(&scope).await;
            let finding = findings.iter().find(|finding| finding.check.contains("Verification Email"));
            match finding.map(|finding| (finding.verdict, finding.detail.is_some())) {
                Some((Verdict::Ok, _) | (Verdict::Failed, false)) => Ok(()),
                Some((Verdict::NotVisible, _)) => Err(Error::upstream(ErrorKind::NotFound, "not visible")),
                _ => Err(Error::upstream(ErrorKind::InvalidResponse, "the check failed")),
            }
        }
        _ => provider.get(&scope, UserKey::Id(&id)).await.map(drop),
    }
}

/// Compares the outcome of a call with its recorded response.
fn check_outcome(recording: &Recording, ended: Result<(), ErrorKind>, report: &mut Report) {
    let problem = || format!("the call should not have ended with {ended:?}");
    if recording.status >= 400 {
        let code = recording.answered("errorCode").unwrap_or_default();
        let says_missing = ["inexistent_user", "inexistent_email_template"].contains(&code);
        return match ended {
            Err(kind) if (kind == ErrorKind::NotFound) == says_missing => report.count(recording, Count::Refused),
            _ => report.problem(&recording.id, problem()),
        };
    }
    let is_parsed = match (recording.topic(), ended) {
        (_, Ok(())) => true,
        // The scripted users have no customer.
        (Topic::SearchUsers, Err(kind)) => kind == ErrorKind::NotFound,
        // The recorded change may be another one than of the flag.
        (Topic::UpdateUser, Err(kind)) => kind == ErrorKind::Conflict,
        // The authors of a recording may have replaced the subject.
        (Topic::Userinfo, Err(kind)) => {
            kind == ErrorKind::InvalidToken && recording.answered("sub").is_some_and(|sub| !sub.contains('|'))
        }
        _ => false,
    };
    match is_parsed {
        true => report.count(recording, Count::Read),
        false if recording.query.contains_key("fields") && lacks_ids(&recording.answer) => {
            report.count(recording, Count::Partial);
        }
        false => report.problem(&recording.id, problem()),
    }
}

/// Returns whether a response contains a user without id, as only requests with `fields` cause, which the connector never makes.
fn lacks_ids(answer: &Value) -> bool {
    let users = answer.as_array().or_else(|| answer.get("users").and_then(Value::as_array));
    let users = users.map_or(std::slice::from_ref(answer), Vec::as_slice);
    users.iter().any(|user| user.get("user_id").is_none())
}

/// Returns whether a value is a list of connections: an array, or an object if the request has `include_totals` or `take`.
fn is_list_of_connections(answer: &Value) -> bool {
    #[derive(Deserialize)]
    struct Connection {
        #[serde(rename = "name")]
        _name: String,
        #[serde(rename = "strategy")]
        _strategy: String,
    }
    Vec::<Connection>::deserialize(answer.get("connections").unwrap_or(answer)).is_ok()
}

/// Returns whether the connector makes a request with the path, parameters and members of the recorded one.
fn is_own_request(recording: &Recording) -> bool {
    let bare_user = recording.query.is_empty() && recording.segments.get(3).is_some_and(|id| id.contains('|'));
    match recording.topic() {
        Topic::Token if recording.sent_type() == "application/x-www-form-urlencoded" => {
            let own = ["grant_type", "audience", "client_id"];
            let by_key = [&own[..], &["client_assertion_type", "client_assertion"]].concat();
            recording.sends_only(&by_key) || recording.sends_only(&[&own[..], &["client_secret"]].concat())
        }
        Topic::GetUser | Topic::DeleteUser => bare_user,
        Topic::UsersByEmail => recording.query.len() == 1 && recording.query.contains_key("email"),
        Topic::UpdateUser => bare_user && recording.sends_only(&["email_verified"]),
        Topic::VerificationEmail => {
            let is_database = recording.sent("user_id").is_some_and(|id| id.starts_with("auth0|"));
            let known = ["user_id", "client_id", "identity"];
            let names = recording.sent.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
            names.clone().all(|name| known.contains(&name))
                && is_database != names.clone().any(|name| name == "identity")
        }
        Topic::ChangePassword => recording.sends_only(&["client_id", "email", "connection"]),
        Topic::Userinfo => true,
        Topic::RevokeToken => {
            recording.sends_only(&["client_id", "token"])
                || recording.sends_only(&["client_id", "client_secret", "token"])
        }
        _ => false,
    }
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
