//! Microsoft Entra ID with Graph, by <https://learn.microsoft.com/graph/api/resources/user> (November 2026).
//!
//! Searches find users by outdated data and return ids only; an answer has the properties of `$select`, and few others without it.

use idp_bridge_conformance::fake::{Answer, Incoming, Outcome};
use idp_bridge_http::Method;
use serde_json::{Map, Value, json};

use super::users::{User, Users};
use super::{Product, SECRET};

pub(super) struct Entra;

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const CLIENT: &str = "idp-bridge";
const CUSTOMER: &str = "extension_0123456789abcdef0123456789abcdef_customerId";

impl Product for Entra {
    fn names(&self) -> (&'static str, &'static str) {
        ("entra", "client_secret")
    }

    fn settings(&self) -> &'static [(&'static str, &'static str)] {
        &[("tenant", TENANT), ("client_id", CLIENT), ("customer_property", CUSTOMER)]
    }

    fn authorize(&self, request: &Incoming) -> Result<(), Answer> {
        if request.path().ends_with("/token") {
            return Ok(());
        }
        match request.bearer() {
            Some(token) if token == format!("token-of-{CLIENT}") => Ok(()),
            Some(token) if token.starts_with("token-of-") => Err(refusal(403, "Authorization_RequestDenied")),
            _ => Err(refusal(401, "InvalidAuthenticationToken")),
        }
    }

    fn handle(&self, users: &mut Users, request: &Incoming, path: (&Method, &[&str])) -> Outcome {
        let missing = || refusal(404, "Request_ResourceNotFound");
        let query = request.query().unwrap_or_default();
        let body = || request.json().ok_or_else(|| refusal(400, "BadRequest"));
        match path {
            (&Method::POST, [tenant, "oauth2", "v2.0", "token"]) => token(tenant, request),
            (&Method::GET, ["v1.0", "users"]) => {
                let filter = query.get("$filter").ok_or_else(|| refusal(400, "Request_BadRequest"))?;
                let (property, value) = parse(filter).ok_or_else(|| refusal(400, "Request_UnsupportedQuery"))?;
                let is_hit = |user: &User| match property.as_str() {
                    "mail" => user.email.eq_ignore_ascii_case(&value),
                    _ => user.customer.as_ref().is_some_and(|own| own.to_lowercase() == value.to_lowercase()),
                };
                let hits: Vec<Value> = users.filter(is_hit).map(|user| json!({"id": user.id})).collect();
                Ok(Answer::json(200, &json!({"value": hits})))
            }
            (&Method::POST, ["v1.0", "users"]) => {
                let body = body()?;
                let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
                let (id, email) = (users.next_uuid(), text("/mail").ok_or_else(|| refusal(400, "BadRequest"))?);
                let password = text("/passwordProfile/password").unwrap_or_default();
                let user = users.add(id, email, text(&format!("/{CUSTOMER}")), password);
                user.blocked = body["accountEnabled"] == false;
                Ok(Answer::json(201, &json!({"id": user.id})))
            }
            (&Method::GET, ["v1.0", "users", id]) => {
                let user = users.find(id).ok_or_else(missing)?;
                Ok(Answer::json(200, &selected(user, query.get("$select").map(String::as_str))))
            }
            (&Method::PATCH, ["v1.0", "users", id]) => {
                let email = body()?["mail"].as_str().unwrap_or_default().to_owned();
                users.change(id, |user| user.email = email).map(|_| Answer::empty(204)).ok_or_else(missing)
            }
            (&Method::DELETE, ["v1.0", "users", id]) if users.remove(id) => Ok(Answer::empty(204)),
            (&Method::DELETE, ["v1.0", "users", _]) => Err(missing()),
            _ => Err(refusal(400, "BadRequest")),
        }
    }
}

fn token(tenant: &str, request: &Incoming) -> Outcome {
    let form = request.form().unwrap_or_default();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let refused = |status, error: &str, number: u32| {
        Err(Answer::json(status, &json!({"error": error, "error_description": "AADSTS", "error_codes": [number]})))
    };
    if tenant != TENANT {
        return refused(400, "invalid_request", 90002);
    }
    if field("client_secret") != SECRET {
        return refused(401, "invalid_client", 7_000_215);
    }
    if field("grant_type") != "client_credentials" || field("scope") != "https://graph.microsoft.com/.default" {
        return refused(400, "invalid_scope", 70011);
    }
    let token = format!("token-of-{}", field("client_id"));
    Ok(Answer::json(200, &json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token})))
}

/// Returns the property and the value of a filter `property eq 'value'`.
fn parse(filter: &str) -> Option<(String, String)> {
    let (property, value) = filter.split_once(" eq ")?;
    let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
    let is_quoted = !value.replace("''", "").contains('\'');
    ([CUSTOMER, "mail"].contains(&property) && is_quoted).then(|| (property.to_owned(), value.replace("''", "'")))
}

/// Returns the selected properties of a user.
fn selected(user: &User, select: Option<&str>) -> Value {
    let all = json!({
        "id": user.id, "mail": user.email, "accountEnabled": !user.blocked, "createdDateTime": user.created, CUSTOMER: user.customer,
    });
    let names = select.unwrap_or("id,mail").split(',');
    let shown: Map<String, Value> = names.map(|name| (name.to_owned(), all[name].clone())).collect();
    shown.into()
}

fn refusal(status: u16, code: &str) -> Answer {
    Answer::json(status, &json!({"error": {"code": code, "message": "A message", "innerError": {}}}))
}
