//! An Okta org, with the error bodies of the recorded exchanges that the definition names.
//!
//! It is stricter than Okta: each search result is outdated, and other searches, queries and paths are refused.

use idp_bridge_conformance::fake::{Answer, Incoming, Outcome};
use idp_bridge_http::quote::read_double_quoted;
use idp_bridge_http::{HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};

use super::users::{User, Users};
use super::{Product, SECRET};

pub(super) struct Okta;

impl Product for Okta {
    fn names(&self) -> (&'static str, &'static str) {
        ("okta", "token")
    }

    fn authorize(&self, request: &Incoming) -> Result<(), Answer> {
        let is_own = request.header(&header::AUTHORIZATION) == Some(&format!("SSWS {SECRET}"));
        if is_own || request.path().ends_with("/authn") {
            return Ok(());
        }
        Err(refusal(401, "E0000011", "Invalid token provided"))
    }

    fn finish(&self, answer: Answer) -> Answer {
        answer.with(HeaderName::from_static("x-okta-request-id"), HeaderValue::from_static("req-1"))
    }

    fn handle(&self, users: &mut Users, request: &Incoming, path: (&Method, &[&str])) -> Outcome {
        let (method, ["api", "v1", path @ ..]) = path else { return Err(no_such_path()) };
        let body = || request.json().ok_or_else(|| invalid("body"));
        match (method, path) {
            (&Method::POST, ["authn"]) => {
                let body = body()?;
                let text = |name: &str| body[name].as_str().unwrap_or_default();
                let user = users.log_in(text("username"), text("password"));
                user.map(|_| Answer::json(200, &json!({"status": "SUCCESS"})))
                    .ok_or_else(|| refusal(401, "E0000004", "Authentication failed"))
            }
            (&Method::GET, ["users"]) => search(users, request),
            (&Method::POST, ["users"]) => create(users, &body()?),
            (&Method::GET, ["users", name]) => {
                let id = find(users, name)?.id.clone();
                shown(users.find(&id), name)
            }
            (&Method::POST, ["users", id]) => {
                let email = body()?["profile"]["email"].as_str().ok_or_else(|| invalid("profile"))?.to_owned();
                shown(users.change(id, |user| user.email = email), id)
            }
            (&Method::DELETE, ["users", id]) => {
                // The first request deactivates, the second one deletes.
                if users.find(id).ok_or_else(|| no_such_user(id))?.deactivated {
                    users.remove(id);
                } else {
                    users.change(id, |user| user.deactivated = true);
                }
                Ok(Answer::empty(204))
            }
            (&Method::POST, ["users", id, "lifecycle", "suspend"]) => {
                let user = users.change(id, |user| user.blocked = true);
                user.map(|_| Answer::json(200, &json!({}))).ok_or_else(|| no_such_user(id))
            }
            (&Method::POST, ["users", id, "credentials", "forgot_password"]) => forget(users, request, id),
            (&Method::GET, ["meta", "schemas", "user", "default"]) => {
                let property =
                    json!({"title": "Customer", "permissions": [{"principal": "SELF", "action": "READ_ONLY"}]});
                Ok(Answer::json(200, &json!({"definitions": {"custom": {"properties": {"customerId": property}}}})))
            }
            _ => Err(no_such_path()),
        }
    }
}

/// Finds a user by id, login, or the part of a login before `@`.
fn find<'a>(users: &'a Users, name: &'a str) -> Result<&'a User, Answer> {
    let is_named = |user: &User| user.email.eq_ignore_ascii_case(name) || user.email.split('@').next() == Some(name);
    users.find(name).or_else(|| users.filter(is_named).next()).ok_or_else(|| no_such_user(name))
}

fn search(users: &Users, request: &Incoming) -> Outcome {
    let query = request.query().ok_or_else(|| invalid("query"))?;
    let names: Vec<&str> = query.keys().map(String::as_str).collect();
    let Some(search) = query.get("search") else {
        let first: Vec<Value> = users.filter(|_| true).take(1).map(outdated).collect();
        return if names == ["limit"] { Ok(Answer::json(200, &first.into())) } else { Err(invalid("query")) };
    };
    let parsed = search.split_once(" eq ").and_then(|(name, value)| Some((name, read_double_quoted(value)?)));
    let (name, value) = parsed.filter(|_| names == ["limit", "search"]).ok_or_else(|| invalid("search"))?;
    let field = |user: &User| match name {
        "profile.email" => Some(user.email.to_lowercase()),
        "profile.customerId" => user.customer.as_ref().map(|own| own.to_lowercase()),
        _ => None,
    };
    let hits = users.filter(|user| field(user) == Some(value.to_lowercase())).map(outdated);
    Ok(Answer::json(200, &hits.collect::<Vec<_>>().into()))
}

fn create(users: &mut Users, body: &Value) -> Outcome {
    let profile = body["profile"].as_object().ok_or_else(|| invalid("profile"))?;
    let known = ["login", "email", "firstName", "lastName", "customerId"];
    if profile.keys().any(|name| !known.contains(&name.as_str())) {
        return Err(refusal(400, "E0000001", "Api validation failed: user"));
    }
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let number = users.next_number();
    let (id, email) = (format!("00u{number:08}{number:09}"), text("/profile/email").ok_or_else(|| invalid("email"))?);
    let password = text("/credentials/password/value").unwrap_or_default();
    let user = users.add(id, email, text("/profile/customerId"), password);
    Ok(Answer::json(200, &show(user)))
}

fn forget(users: &Users, request: &Incoming, id: &str) -> Outcome {
    let user = users.find(id).ok_or_else(|| no_such_user(id))?;
    if request.query().is_none_or(|query| query.get("sendEmail").is_none_or(|own| own != "true")) {
        // The answer would have the link.
        return Err(invalid("sendEmail"));
    }
    match status(user) {
        "ACTIVE" => Ok(Answer::json(200, &json!({}))),
        _ => Err(refusal(403, "E0000034", "Forgot password not allowed on specified user.")),
    }
}

fn status(user: &User) -> &'static str {
    match (user.deactivated, user.blocked) {
        (true, _) => "DEPROVISIONED",
        (false, true) => "SUSPENDED",
        (false, false) => "ACTIVE",
    }
}

fn shown(user: Option<&User>, name: &str) -> Outcome {
    user.map(|user| Answer::json(200, &show(user))).ok_or_else(|| no_such_user(name))
}

fn show(user: &User) -> Value {
    json!({
        "id": user.id, "status": status(user), "created": user.created, "activated": null, "lastLogin": user.last_login,
        "lastUpdated": user.updated, "type": {"id": "oty1"},
        "profile": {"login": user.email, "email": user.email, "firstName": "N", "lastName": "N", "customerId": user.customer},
    })
}

/// Returns the user as a search returns it.
fn outdated(user: &User) -> Value {
    let mut shown = show(user);
    shown["status"] = "STAGED".into();
    shown["lastUpdated"] = user.created.to_string().into();
    shown["profile"] = json!({"login": user.email, "email": "outdated@acme.example"});
    shown
}

fn refusal(status: u16, code: &str, summary: &str) -> Answer {
    Answer::json(
        status,
        &json!({"errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oae1", "errorCauses": []}),
    )
}

fn no_such_user(name: &str) -> Answer {
    refusal(404, "E0000007", &format!("Not found: Resource not found: {name} (User)"))
}

fn no_such_path() -> Answer {
    refusal(404, "E0000008", "The requested path was not found")
}

fn invalid(what: &str) -> Answer {
    refusal(400, "E0000031", &format!("Invalid search criteria: {what}"))
}
