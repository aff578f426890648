//! The checks of users: unknown ones, a known one, and the fields of the User model.

use idp_bridge_client::{Code, CustomerId, Email, TenantId, UserId};
use idp_bridge_core::jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::expected::{Expected, read_body, read_code};
use super::target::Target;
use super::{Checked, Options};

const GETS: &str = "Operations";
const USER: &str = "User";

/// Checks gets of unknown users, and of the known one.
pub(super) async fn check(target: &Target, options: &Options) -> Vec<Checked> {
    let mut checked = vec![check_unknown(target).await];
    let mut lookups = Vec::new();
    lookups.extend(options.user_id.as_ref().map(|id| ("users.get_by_id", "id", id.as_str().to_owned())));
    if let Some(email) = &options.user_email {
        lookups.push(("users.get_by_email", "email", email.as_str().to_owned()));
        lookups.push(("users.get_by_email", "email", email.as_str().to_ascii_uppercase()));
    }
    let customer = options.user_customer.as_ref();
    lookups.extend(customer.map(|customer| ("users.get_by_customer", "customer", customer.as_str().to_owned())));
    if lookups.is_empty() {
        let reason = "give `--user-id`, `--user-email` or `--user-customer` of an existing user";
        checked.push(Checked::skipped("a known user is found", GETS, reason));
        checked.push(Checked::skipped("a user has the fields and formats of the User model", USER, reason));
        return checked;
    }
    let (mut found, mut fields, mut users) = (Vec::new(), Vec::new(), Vec::new());
    for (kind, member, value) in lookups {
        match get(target, kind, member, &value).await {
            Ok(user) => {
                found.extend(check_requested(&user, member, &value).map(|mistake| format!("{kind}: {mistake}")));
                fields.extend(check_fields(&user, target.tenant()).into_iter().map(|text| format!("{kind}: {text}")));
                users.push(user);
            }
            Err(mistake) => found.push(format!("{kind}: {mistake}")),
        }
    }
    if users.windows(2).any(|pair| pair.first() != pair.last()) {
        found.push("the gets return different users".into());
    }
    checked.push(Checked::new("a known user is found", GETS, found));
    checked.push(Checked::new("a user has the fields and formats of the User model", USER, fields));
    checked
}

/// Checks that unknown users are not found. A call that the identity provider does not support is left out.
async fn check_unknown(target: &Target) -> Checked {
    let (name, section) = ("an unknown user is not found", GETS);
    let unique = target.unique();
    let (mut details, mut tried) = (Vec::new(), 0);
    for (kind, data) in [
        ("users.get_by_id", json!({"id": unique})),
        ("users.get_by_email", json!({"email": format!("{unique}@nobody.example")})),
        ("users.get_by_customer", json!({"customer": unique})),
    ] {
        match target.send(target.call(kind, &data)).await {
            Ok(answer) if is_not_offered(read_code(&answer).as_deref()) => {}
            Ok(answer) => {
                tried += 1;
                let mistakes = Expected::Problem(404, Code::UserNotFound).compare(&answer);
                details.extend(mistakes.into_iter().map(|mistake| format!("{kind}: {mistake}")));
            }
            Err(error) => details.push(format!("{kind}: {error}")),
        }
    }
    if tried == 0 && details.is_empty() {
        return Checked::skipped(name, section, "the tenant offers no get");
    }
    Checked::new(name, section, details)
}

/// Returns whether a code means that the tenant does not offer the call.
pub(super) fn is_not_offered(code: Option<&str>) -> bool {
    code.is_some_and(|code| code == Code::NotSupported.as_str() || code == Code::Forbidden.as_str())
}

/// Returns the user of a get.
async fn get(target: &Target, kind: &str, member: &str, value: &str) -> Result<Map<String, Value>, String> {
    let answer = target.send(target.call(kind, &json!({member: value}))).await.map_err(|error| error.to_string())?;
    let mut body = read_body(&answer)?;
    match body.get_mut("user").map(Value::take) {
        Some(Value::Object(user)) => Ok(user),
        _ => Err("the body has no object `user`".into()),
    }
}

/// Returns a mistake if a user is not the requested one.
fn check_requested(user: &Map<String, Value>, member: &str, value: &str) -> Option<String> {
    let own = user.get(member).and_then(Value::as_str).unwrap_or_default();
    let is_equal = if member == "email" { own.eq_ignore_ascii_case(value) } else { own == value };
    (!is_equal).then(|| format!("the user's `{member}` is not the requested one"))
}

/// Returns the faults of a user's fields. Never contains their values.
fn check_fields(user: &Map<String, Value>, tenant: &TenantId) -> Vec<String> {
    let mut mistakes = Vec::new();
    for (name, value) in user {
        let text = value.as_str();
        let (is_valid, format) = match name.as_str() {
            "tenant" => (text == Some(tenant.as_str()), "the tenant of the call"),
            "id" => (text.is_some_and(|text| UserId::new(text).is_ok()), "an id"),
            "customer" => (text.is_some_and(|text| CustomerId::new(text).is_ok()), "a customer"),
            "email" => (text.is_some_and(|text| Email::new(text).is_ok()), "an email"),
            "create_time" | "update_time" | "login_time" => (text.is_some_and(is_utc), "a time in RFC 3339 and UTC"),
            "logins_count" => (text.is_some_and(is_count), "an int64 as a JSON string"),
            "email_verified" | "blocked" => (value.is_boolean(), "a boolean"),
            // A later version may add fields.
            _ => continue,
        };
        if !is_valid {
            mistakes.push(format!("`{name}` is not {format}; an absent field is left out, and not null"));
        }
    }
    let required = ["tenant", "id", "customer", "email"].into_iter().filter(|name| !user.contains_key(*name));
    mistakes.extend(required.map(|name| format!("`{name}` is missing")));
    mistakes
}

fn is_utc(text: &str) -> bool {
    text.ends_with('Z') && text.parse::<Timestamp>().is_ok()
}

fn is_count(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<i64>().is_ok()
}
