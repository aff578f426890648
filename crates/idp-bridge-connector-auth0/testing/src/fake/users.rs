//! The Management API of users.

use idp_bridge_conformance::fake::{Answer, Outcome};
use idp_bridge_http::quote::read_double_quoted;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{
    good, invalid_body, invalid_query, no_content, no_such_user, not_supported, refusal, stricter_than_auth0,
};
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

    pub(crate) fn create(&mut self, call: &Call<'_>) -> Outcome {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Given {
            connection: String,
            email: Option<String>,
            #[serde(default)]
            email_verified: bool,
            blocked: Option<bool>,
            password: Option<String>,
            phone_number: Option<String>,
            app_metadata: Option<Value>,
        }
        let given: Given = body(call.request)?;
        self.custom_domain(call.request)?;
        let strategy = self.connections.get(&given.connection).cloned();
        let strategy = strategy.ok_or_else(|| invalid_body("'Missing required property: connection'"))?;
        let is_whole = match strategy.as_str() {
            "auth0" => given.email.is_some() && given.password.is_some(),
            "sms" => given.phone_number.is_some(),
            _ => false,
        };
        if !is_whole {
            return Err(invalid_body("the body lacks members for this connection"));
        }
        let email = given.email.map(|email| email.to_lowercase());
        if email.as_deref().is_some_and(|email| self.find_in(&given.connection, email).is_some()) {
            return Err(refusal(409, "The user already exists.", "auth0_idp_error"));
        }
        let id = self.new_id();
        let user_id = format!("{strategy}|{id}");
        let mut user = json!({
            "created_at": now(), "updated_at": now(), "user_id": user_id, "picture": "https://example.com/picture.png",
            "identities": [{"connection": given.connection, "user_id": id, "provider": strategy, "isSocial": false}],
        });
        if let Some(email) = email {
            set(&mut user, [("email", json!(email)), ("email_verified", json!(given.email_verified))]);
        }
        let others = [
            ("blocked", json!(given.blocked)),
            ("phone_number", json!(given.phone_number)),
            ("app_metadata", json!(given.app_metadata)),
        ];
        others.into_iter().filter(|(_, value)| !value.is_null()).for_each(|member| set(&mut user, [member]));
        if let Some(password) = given.password {
            self.passwords.insert(user_id, password);
        }
        self.users.push(user.clone());
        Ok(good(201, &user))
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

    /// Returns the user of a connection with this address.
    pub(crate) fn find_in(&self, connection: &str, email: &str) -> Option<&Value> {
        let email = email.to_lowercase();
        self.users.iter().find(|user| text(user, "email") == Some(&email) && has_connection(user, connection))
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
