//! The Management API of users.

use idp_bridge_conformance::fake::{Answer, Outcome};
use idp_bridge_http::quote::read_double_quoted;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{good, invalid_query, no_content, no_such_user, not_supported, refusal, stricter_than_auth0};
use super::management::{Call, can_verify};
use super::tenant::{Tenant, has_connection, now};
use super::{Fields, body, set, text};

impl Tenant {
    pub(crate) fn show_user(&self, call: &Call<'_>) -> Outcome {
        check_path(call)?;
        self.user(call.id).map(|user| good(200, user)).ok_or_else(no_such_user)
    }

    /// Deletes a user. Succeeds for a missing one too, by the list of documented responses.
    pub(crate) fn delete_user(&mut self, call: &Call<'_>) -> Outcome {
        check_path(call)?;
        self.remove(call.id);
        Ok(no_content())
    }

    pub(crate) fn users_by_email(&self, call: &Call<'_>) -> Outcome {
        let query = Fields::query(call.request, &["email", "fields", "include_fields"])?;
        let email = query.get("email");
        if !is_address(email) {
            return Err(invalid_query("'Object didn't pass validation for format email' on property email"));
        }
        let found = self.users.iter().filter(|user| text(user, "email") == Some(email));
        Ok(good(200, &found.cloned().collect()))
    }

    pub(crate) fn search(&self, call: &Call<'_>) -> Outcome {
        let query = Fields::query(call.request, &["q", "search_engine", "page", "per_page"])?;
        if query.get("search_engine") != "v3" {
            return Err(stricter_than_auth0("a search needs `search_engine=v3`"));
        }
        let (page, per_page) = query.page()?;
        let clause =
            query.get("q").split_once(':').and_then(|(field, value)| Some((field, read_double_quoted(value)?)));
        let (field, value) =
            clause.ok_or_else(|| stricter_than_auth0("a search has one clause with a quoted value"))?;
        let found: Vec<&Value> = self.indexed().iter().filter(|user| matches(user, field, &value)).collect();
        if page > 0 && page * per_page >= found.len() {
            return Err(refusal(400, "The requested page does not exist.", "invalid_paging"));
        }
        Ok(good(200, &found.into_iter().skip(page * per_page).take(per_page).cloned().collect()))
    }

    /// Replaces the given root members. The connector sends no metadata, which Auth0 would merge.
    pub(crate) fn update(&mut self, call: &Call<'_>) -> Outcome {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Change {
            email_verified: bool,
        }
        check_path(call)?;
        let Change { email_verified } = body(call.request)?;
        self.custom_domain(call.request)?;
        let user = self.user_mut(call.id).ok_or_else(no_such_user)?;
        if !can_verify(call.id.split('|').next().unwrap_or_default()) {
            return Err(not_supported());
        }
        set(user, [("email_verified", json!(email_verified)), ("updated_at", now())]);
        Ok(good(200, user))
    }

    /// Returns the user with this address, of one connection if it is given.
    pub fn find_in(&self, connection: Option<&str>, email: &str) -> Option<&Value> {
        let email = email.to_lowercase();
        let is_in = |user: &Value| connection.is_none_or(|connection| has_connection(user, connection));
        self.users.iter().find(|user| text(user, "email") == Some(&email) && is_in(user))
    }
}

/// Checks that a path ends with an id that has a provider, and that there is no query.
fn check_path(call: &Call<'_>) -> Result<(), Answer> {
    Fields::query(call.request, &[])?;
    match call.id.split_once('|') {
        Some((provider, rest)) if !provider.is_empty() && !rest.is_empty() => Ok(()),
        _ => Err(refusal(400, "Path validation error: 'String does not match pattern' on property id", "invalid_uri")),
    }
}

/// Returns whether Auth0 accepts an address. The bridge accepts more.
fn is_address(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.@-".contains(c);
    text.chars().all(is_plain) && text.matches('@').count() == 1 && !text.starts_with('@') && !text.ends_with('@')
}

/// Returns whether a clause matches a user. Addresses match in any case, metadata exactly. Only texts and lists of texts match.
fn matches(user: &Value, field: &str, value: &str) -> bool {
    let is_wanted = |own: &Value| own.as_str() == Some(value);
    match field.split_once('.') {
        None => text(user, field).is_some_and(|own| own.eq_ignore_ascii_case(value)),
        Some((metadata, key)) => {
            let own = user.get(metadata).and_then(|metadata| metadata.get(key));
            own.is_some_and(|own| is_wanted(own) || own.as_array().is_some_and(|values| values.iter().any(is_wanted)))
        }
    }
}
