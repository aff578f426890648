//! FusionAuth, by its OpenAPI document of 1.69 (<https://github.com/FusionAuth/fusionauth-openapi>, June 2026).
//!
//! Refusals have no body, except those of malformed requests. Each user counts as verified, as in a tenant that verifies no
//! addresses, and search results are outdated.

use idp_bridge_conformance::fake::{Answer, Incoming, Outcome};
use idp_bridge_http::quote::read_double_quoted;
use idp_bridge_http::{Method, header};
use serde_json::{Value, json};

use super::users::{User, Users};
use super::{Product, SECRET};

pub(super) struct FusionAuth;

const PROBE_USER: &str = "5b0bd0f2-6f5c-4c39-9a5f-0f9a3a1f3a11";

impl Product for FusionAuth {
    fn names(&self) -> (&'static str, &'static str) {
        ("fusionauth", "key")
    }

    fn settings(&self) -> &'static [(&'static str, &'static str)] {
        &[("probe_user", PROBE_USER)]
    }

    fn authorize(&self, request: &Incoming) -> Result<(), Answer> {
        match request.header(&header::AUTHORIZATION) {
            Some(SECRET) => Ok(()),
            Some("key-of-another-tenant") if request.path().ends_with("/search") => {
                Err(Answer::json(200, &json!({"total": 0, "users": []})))
            }
            Some("key-of-another-tenant") => Err(Answer::empty(404)),
            _ => Err(Answer::empty(401)),
        }
    }

    fn handle(&self, users: &mut Users, request: &Incoming, path: (&Method, &[&str])) -> Outcome {
        let (method, ["api", path @ ..]) = path else { return Err(Answer::empty(404)) };
        let query = request.query().ok_or_else(malformed)?;
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match (method, path, query.as_slice()) {
            (&Method::GET, ["user", "search"], query) => search(users, query),
            (&Method::GET, ["user", PROBE_USER], []) => Ok(Answer::json(200, &json!({"user": {"id": PROBE_USER}}))),
            (&Method::GET, ["user", id], []) => found(users.find(id)),
            (&Method::GET, ["user"], [("loginId", address), ("loginIdTypes", "email")]) => {
                // Addresses are stored in small letters.
                found(users.filter(|user| user.email == *address).next())
            }
            (&Method::DELETE, ["user", id], [("hardDelete", "true")]) if users.remove(id) => Ok(Answer::empty(200)),
            (&Method::DELETE, ["user", id], []) => done(users.change(id, |user| user.blocked = true)),
            (&Method::PUT, ["user", "verify-email"], [("email", address)]) => {
                mail(users, address).map(|()| Answer::json(200, &json!({"verificationId": "a-secret"})))
            }
            (&Method::POST | &Method::PATCH, path, []) => {
                write(users, method, path, &request.json().ok_or_else(malformed)?)
            }
            _ => Err(Answer::empty(404)),
        }
    }
}

/// Handles the requests with a body.
fn write(users: &mut Users, method: &Method, path: &[&str], body: &Value) -> Outcome {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let email = text("/user/email").to_lowercase();
    match (method, path) {
        (&Method::POST, ["user"]) => {
            let id = users.next_uuid();
            let customer = body.pointer("/user/data/customer_id").and_then(Value::as_str);
            let user = users.add(id, &email, customer, text("/user/password"));
            Ok(Answer::json(200, &show(user)))
        }
        (&Method::PATCH, ["user", id]) => found(users.change(id, |user| {
            user.verified &= user.email == email;
            user.email = email;
        })),
        (&Method::POST, ["identity", "verify"]) if body["loginIdType"] == "email" => {
            let id = users.filter(|user| user.email == text("/loginId")).map(|user| user.id.clone()).next();
            done(id.and_then(|id| users.change(&id, |user| user.verified = true)))
        }
        (&Method::POST, ["user", "forgot-password"]) => {
            if body["loginIdTypes"] != json!(["email"]) || body["sendForgotPasswordMessage"] != true {
                return Err(malformed());
            }
            mail(users, text("/loginId")).map(|()| Answer::json(200, &json!({"changePasswordId": "a-secret"})))
        }
        (&Method::POST, ["login"]) => found(users.log_in(text("/loginId"), text("/password"))),
        _ => Err(Answer::empty(404)),
    }
}

/// Answers a search, which matches words without regard to case.
fn search(users: &Users, query: &[(&str, &str)]) -> Outcome {
    let value = |name: &str| query.iter().find(|(own, _)| *own == name).map(|(_, value)| *value);
    let number = |name: &str, default: usize| value(name).map_or(Some(default), |value| value.parse().ok());
    let (start, size) = number("startRow", 0).zip(number("numberOfResults", 25)).ok_or_else(malformed)?;
    let (field, value) = value("queryString").and_then(|query| query.split_once(':')).ok_or_else(malformed)?;
    let value = read_double_quoted(value).ok_or_else(malformed)?;
    let hits: Vec<Value> = match field {
        "id" if value == PROBE_USER => vec![json!({"id": PROBE_USER})],
        "data.customer_id" => {
            let wanted = words(&value);
            let is_hit = |user: &User| {
                let own = words(user.customer.as_deref().unwrap_or_default());
                !wanted.is_empty() && own.windows(wanted.len()).any(|part| part == wanted.as_slice())
            };
            users.filter(is_hit).map(outdated).collect()
        }
        _ => return Err(malformed()),
    };
    let total = hits.len();
    let hits: Vec<Value> = hits.into_iter().skip(start).take(size).collect();
    Ok(Answer::json(200, &json!({"total": total, "users": hits})))
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Sends a mail, also to a deactivated user.
fn mail(users: &Users, address: &str) -> Result<(), Answer> {
    let email = users.filter(|user| user.email == address).map(|user| user.email.clone()).next();
    users.mail(&email.ok_or_else(|| Answer::empty(404))?);
    Ok(())
}

fn found(user: Option<&User>) -> Outcome {
    user.map(|user| Answer::json(200, &show(user))).ok_or_else(|| Answer::empty(404))
}

fn done(user: Option<&User>) -> Outcome {
    user.map(|_| Answer::empty(200)).ok_or_else(|| Answer::empty(404))
}

fn show(user: &User) -> Value {
    let reason = if user.verified { "Administrative" } else { "Disabled" };
    let mut shown = json!({
        "id": user.id, "active": !user.blocked, "email": user.email, "verified": true, "username": "u",
        "insertInstant": user.created.as_millisecond(), "lastUpdateInstant": user.updated.as_millisecond(),
        "data": {"customer_id": user.customer, "email": "written-by-the-user@acme.example"},
        "identities": [
            {"type": "username", "value": "u", "primary": true, "verified": false, "verifiedReason": "Unverifiable"},
            {"type": "email", "value": user.email, "primary": true, "verified": user.verified, "verifiedReason": reason},
        ],
    });
    if let Some(time) = user.last_login {
        shown["lastLoginInstant"] = time.as_millisecond().into();
    }
    json!({"user": shown})
}

/// Returns the user as a search returns it.
fn outdated(user: &User) -> Value {
    json!({"id": user.id, "active": true, "email": "outdated@acme.example", "data": {"customer_id": "outdated"}})
}

fn malformed() -> Answer {
    let error = json!({"code": "[invalid]request", "message": "The request is invalid"});
    Answer::json(400, &json!({"fieldErrors": {}, "generalErrors": [error]}))
}
