//! Supabase Auth, by the OpenAPI document and the source of <https://github.com/supabase/auth> (v2.196, November 2026).

use idp_bridge_conformance::fake::{Answer, Incoming, Outcome};
use idp_bridge_core::jiff::SignedDuration;
use idp_bridge_http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::users::{User, Users};
use super::{Product, SECRET};

pub(super) struct Supabase;

impl Product for Supabase {
    fn names(&self) -> (&'static str, &'static str) {
        ("supabase", "key")
    }

    fn authorize(&self, request: &Incoming) -> Result<(), Answer> {
        let key = request.bearer().ok_or_else(|| refusal(401, "no_authorization"))?;
        if request.header(&HeaderName::from_static("apikey")) != Some(key) {
            return Err(Answer::json(401, &json!({"message": "No API key found in request"})));
        }
        match key {
            SECRET => Ok(()),
            "key-of-a-user" => Err(refusal(403, "not_admin")),
            _ => Err(refusal(403, "bad_jwt")),
        }
    }

    fn finish(&self, answer: Answer) -> Answer {
        answer.with(HeaderName::from_static("sb-gateway-version"), HeaderValue::from_static("1"))
    }

    fn handle(&self, users: &mut Users, request: &Incoming, path: (&Method, &[&str])) -> Outcome {
        let body = || request.json().ok_or_else(|| refusal(400, "bad_json"));
        let text = |body: &Value, name: &str| body[name].as_str().unwrap_or_default().to_lowercase();
        match path {
            (&Method::GET, ["admin", "users"]) => search(users, request),
            (&Method::POST, ["admin", "users"]) => {
                let body = body()?;
                let (id, customer) = (users.next_uuid(), body.pointer("/app_metadata/customer_id"));
                let password = body["password"].as_str().unwrap_or_default();
                let user = users.add(id, &text(&body, "email"), customer.and_then(Value::as_str), password);
                user.verified = body["email_confirm"] == true;
                user.blocked = body["ban_duration"] != "none";
                Ok(Answer::json(200, &show(user)))
            }
            (&Method::GET, ["admin", "users", id]) => found(users.find(id)),
            (&Method::PUT, ["admin", "users", id]) => {
                let body = body()?;
                found(users.change(id, |user| {
                    // `false` is ignored.
                    user.verified |= body["email_confirm"] == true;
                    if body["email"].is_string() {
                        user.email = text(&body, "email");
                    }
                }))
            }
            (&Method::DELETE, ["admin", "users", id]) if users.remove(id) => Ok(Answer::json(200, &json!({}))),
            (&Method::DELETE, ["admin", "users", _]) => found(None),
            (&Method::POST, ["token"]) => {
                let body = body()?;
                let user = users.log_in(&text(&body, "email"), body["password"].as_str().unwrap_or_default());
                user.map(|user| Answer::json(200, &show(user))).ok_or_else(|| refusal(400, "invalid_credentials"))
            }
            (&Method::POST, ["resend" | "recover"]) => {
                let body = body()?;
                if path.1 == ["resend"] && body["type"] != "signup" {
                    return Err(refusal(400, "validation_failed"));
                }
                let email = text(&body, "email");
                // The mail server refuses the recipient.
                if email.starts_with("undeliverable") {
                    return Err(refusal(500, "unexpected_failure"));
                }
                users.mail(&email);
                Ok(Answer::json(200, &json!({})))
            }
            _ => Err(Answer::new(404, "text/plain", "404 page not found")),
        }
    }
}

/// Returns one page of the users that have the filter in their addresses. A filter with a wildcard is refused.
fn search(users: &Users, request: &Incoming) -> Outcome {
    let query = request.query().unwrap_or_default();
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok()).filter(|number| *number > 0);
    let (page, size) = number("page").zip(number("per_page")).ok_or_else(|| refusal(400, "validation_failed"))?;
    let mut part = String::new();
    let mut rest = query.get("filter").map_or("", String::as_str).chars();
    while let Some(character) = rest.next() {
        match character {
            '%' | '_' => return Err(refusal(400, "validation_failed")),
            '\\' => part.extend(rest.next()),
            character => part.push(character),
        }
    }
    let hits: Vec<Value> =
        users.filter(|user| user.email.contains(&part)).skip((page - 1) * size).take(size).map(show).collect();
    Ok(Answer::json(200, &json!({"users": hits, "aud": "authenticated"})))
}

fn found(user: Option<&User>) -> Outcome {
    user.map(|user| Answer::json(200, &show(user))).ok_or_else(|| refusal(404, "user_not_found"))
}

fn show(user: &User) -> Value {
    // The end of a ban of the past is shown as well.
    let hours = if user.blocked { 876_000 } else { -1 };
    let banned_until = user.created + SignedDuration::from_hours(hours);
    json!({
        "id": user.id, "aud": "authenticated", "email": user.email, "created_at": user.created, "updated_at": user.updated,
        "last_sign_in_at": user.last_login, "email_confirmed_at": user.verified.then_some(user.created),
        "banned_until": banned_until, "app_metadata": {"provider": "email", "customer_id": user.customer},
        "user_metadata": {"customer_id": "written-by-the-user"},
    })
}

fn refusal(status: u16, code: &str) -> Answer {
    Answer::json(status, &json!({"code": status, "error_code": code, "msg": "A message"}))
}
