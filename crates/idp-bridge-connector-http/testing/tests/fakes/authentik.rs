//! authentik, by the OpenAPI document of 2026.8 in the npm package `@goauthentik/api` (November 2026).
//!
//! Paths end with a slash. Users that a token may not see are missing.

use idp_bridge_conformance::fake::{Answer, Incoming, Outcome};
use idp_bridge_http::Method;
use serde_json::{Value, json};

use super::users::{User, Users};
use super::{Product, SECRET};

pub(super) struct Authentik;

const EMAIL_STAGE: &str = "0c1d6a2e-0000-4000-8000-0123456789ab";

impl Product for Authentik {
    fn names(&self) -> (&'static str, &'static str) {
        ("authentik", "token")
    }

    fn settings(&self) -> &'static [(&'static str, &'static str)] {
        &[("email_stage", EMAIL_STAGE)]
    }

    fn authorize(&self, request: &Incoming) -> Result<(), Answer> {
        match request.bearer() {
            Some(SECRET) => Ok(()),
            Some("token-without-roles") if request.method == Method::GET && request.target.contains('?') => {
                Err(Answer::json(200, &json!({"pagination": {"count": 0}, "results": []})))
            }
            Some("token-without-roles") if request.method == Method::GET => Err(no_such_user()),
            Some("token-without-roles") => Err(refusal(403, "You do not have permission to perform this action.")),
            Some(_) => Err(refusal(403, "Token invalid/expired")),
            None => Err(refusal(403, "Authentication credentials were not provided.")),
        }
    }

    fn handle(&self, users: &mut Users, request: &Incoming, path: (&Method, &[&str])) -> Outcome {
        let body = || request.json().ok_or_else(|| refusal(400, "JSON parse error"));
        match path {
            (&Method::GET, ["api", "v3", "core", "users"]) => search(users, request),
            (&Method::POST, ["api", "v3", "core", "users"]) => {
                let body = body()?;
                let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
                let id = users.next_number().to_string();
                let user = users.add(id, text("/email").unwrap_or_default(), text("/attributes/customer_id"), "");
                user.blocked = body["is_active"] == false;
                Ok(Answer::json(201, &show(user)))
            }
            (&Method::GET, ["api", "v3", "core", "users", id]) => found(users.find(id)),
            (&Method::PATCH, ["api", "v3", "core", "users", id]) => {
                let email = body()?["email"].as_str().unwrap_or_default().to_owned();
                found(users.change(id, |user| user.email = email))
            }
            (&Method::DELETE, ["api", "v3", "core", "users", id]) if users.remove(id) => Ok(Answer::empty(204)),
            (&Method::POST, ["api", "v3", "core", "users", id, "recovery_email"]) => {
                let email = users.find(id).ok_or_else(no_such_user)?.email.clone();
                if body()?["email_stage"] != EMAIL_STAGE {
                    return Err(Answer::json(400, &json!({"email_stage": ["Invalid pk"]})));
                }
                users.mail(&email);
                Ok(Answer::empty(204))
            }
            _ => Err(no_such_user()),
        }
    }

    fn ends_with_slash(&self) -> bool {
        true
    }
}

fn search(users: &Users, request: &Incoming) -> Outcome {
    let query = request.query().unwrap_or_default();
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok()).filter(|number| *number > 0);
    let (page, size) = (number("page").unwrap_or(1), number("page_size").unwrap_or(20));
    let hits: Vec<Value> = match (query.get("search"), query.get("attributes")) {
        // In several fields, and as a part of them.
        (Some(text), None) => {
            let text = text.to_lowercase();
            users.filter(|user| user.email.to_lowercase().contains(&text)).map(show).collect()
        }
        (None, Some(attributes)) => {
            let attributes: Value = serde_json::from_str(attributes).map_err(|_| refusal(400, "no JSON"))?;
            let customer = attributes["customer_id"].as_str().ok_or_else(|| refusal(400, "unknown attribute"))?;
            users.filter(|user| user.customer.as_deref() == Some(customer)).map(show).collect()
        }
        // The administrator.
        (None, None) => vec![json!({"pk": 1, "type": "internal"})],
        _ => return Err(refusal(400, "unknown search")),
    };
    let count = hits.len();
    let hits: Vec<Value> = hits.into_iter().skip((page - 1) * size).take(size).collect();
    Ok(Answer::json(200, &json!({"pagination": {"count": count}, "results": hits})))
}

fn found(user: Option<&User>) -> Outcome {
    user.map(|user| Answer::json(200, &show(user))).ok_or_else(no_such_user)
}

fn show(user: &User) -> Value {
    json!({
        "pk": user.id.parse::<u64>().unwrap_or_default(), "username": user.email, "email": user.email, "is_active": !user.blocked,
        "date_joined": user.created, "last_updated": user.updated, "last_login": user.last_login, "type": "internal",
        "attributes": {"customer_id": user.customer},
    })
}

fn refusal(status: u16, detail: &str) -> Answer {
    Answer::json(status, &json!({"detail": detail}))
}

fn no_such_user() -> Answer {
    refusal(404, "No User matches the given query.")
}
