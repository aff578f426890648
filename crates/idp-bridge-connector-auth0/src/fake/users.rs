//! The Management API of users.

use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_http::Method;
use serde_json::{Value, json};

use super::answer::stricter_than_auth0;
use super::answer::{good, invalid_body, invalid_query, no_content, no_such_user, not_found, not_supported, refusal};
use super::management::{Scopes, is_address, is_enterprise};
use super::query::Query;
use super::tenant::{Tenant, now, set};
use super::token::has_connection;
use super::{body, query, text};
use crate::map::is_user_id;

impl Tenant {
    pub(crate) fn users(&mut self, scopes: &Scopes, path: &[&str], request: &Incoming) -> Result<Answer, Answer> {
        match (&request.method, path) {
            (&Method::GET, ["users-by-email"]) => {
                scopes.require(&["read:users"])?;
                self.by_email(request)
            }
            (&Method::GET, ["users"]) => {
                scopes.require(&["read:users"])?;
                self.search(request)
            }
            (&Method::POST, ["users"]) => {
                scopes.require(&["create:users"])?;
                self.create(request)
            }
            // Deletes all users, as an older API did, so that tests notice a request without an id.
            (&Method::DELETE, ["users"]) => {
                self.users.clear();
                Ok(no_content())
            }
            (method, ["users", id]) => {
                query(request, &[])?;
                if !is_user_id(id) {
                    let why = "Path validation error: 'String does not match pattern' on property id";
                    return Err(refusal(400, "Bad Request", why, "invalid_uri"));
                }
                match *method {
                    Method::GET => {
                        scopes.require(&["read:users"])?;
                        self.user(id).map(|user| good(200, user)).ok_or_else(no_such_user)
                    }
                    Method::PATCH => {
                        scopes.require(&["update:users", "update:users_app_metadata"])?;
                        self.update(id, request)
                    }
                    Method::DELETE => {
                        scopes.require(&["delete:users"])?;
                        self.remove(id);
                        // Also for a missing user, by the list of documented responses.
                        Ok(no_content())
                    }
                    _ => Err(not_found()),
                }
            }
            _ => Err(not_found()),
        }
    }

    fn by_email(&self, request: &Incoming) -> Result<Answer, Answer> {
        let query = query(request, &["email", "fields", "include_fields"])?;
        let wanted = json!(query.get("email"));
        if !is_address(&wanted) {
            return Err(invalid_query("'Object didn't pass validation for format email' on property email"));
        }
        let found = self.users.iter().filter(|user| user.get("email") == Some(&wanted));
        Ok(good(200, &found.cloned().collect()))
    }

    fn search(&self, request: &Incoming) -> Result<Answer, Answer> {
        let query = query(request, &["q", "search_engine", "page", "per_page"])?;
        let get = |name: &str| query.get(name).map(String::as_str);
        let number = |name: &str| get(name).and_then(|text| text.parse::<usize>().ok());
        if get("search_engine") != Some("v3") {
            return Err(stricter_than_auth0("a search needs `search_engine=v3`"));
        }
        let (Some(page), Some(per_page @ 1..=100)) = (number("page"), number("per_page")) else {
            return Err(stricter_than_auth0("a search needs `page` and `per_page`"));
        };
        let Some(clause) = get("q").and_then(Query::parse) else {
            return Err(stricter_than_auth0("a search has one clause with a quoted value"));
        };
        let found: Vec<&Value> = self.indexed().iter().filter(|user| matches(&clause, user)).collect();
        if page > 0 && page * per_page >= found.len() {
            return Err(refusal(400, "Bad Request", "The requested page does not exist.", "invalid_paging"));
        }
        Ok(good(200, &found.into_iter().skip(page * per_page).take(per_page).cloned().collect()))
    }

    fn create(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        let known =
            ["connection", "email", "email_verified", "blocked", "password", "phone_number", "app_metadata", "user_id"];
        let given = body(request, &known)?;
        self.custom_domain(request)?;
        let connection = text(&given, "connection").and_then(|name| self.connection(name)).cloned();
        let Some(connection) = connection else { return Err(invalid_body("'Missing required property: connection'")) };
        let has = |name: &str| given.get(name).is_some_and(Value::is_string);
        let is_whole = match connection.strategy.as_str() {
            "auth0" => has("email") && has("password"),
            "sms" => has("phone_number"),
            _ => false,
        };
        if !is_whole {
            return Err(invalid_body("the body lacks members for this connection"));
        }
        let email = text(&given, "email").map(str::to_lowercase);
        let is_taken = |user: &Value| {
            email.is_some() && text(user, "email") == email.as_deref() && has_connection(user, &connection.name)
        };
        if self.users.iter().any(is_taken) {
            return Err(refusal(409, "Conflict", "The user already exists.", "auth0_idp_error"));
        }
        let id = text(&given, "user_id").map_or_else(|| self.new_id(), str::to_owned);
        let user_id = format!("{}|{id}", connection.strategy);
        let mut user = json!({
            "created_at": now(), "updated_at": now(), "user_id": user_id, "picture": "https://example.com/picture.png",
            "identities": [{
                "connection": connection.name, "user_id": id, "provider": connection.strategy, "isSocial": false,
            }],
        });
        if let Some(email) = &email {
            set(&mut user, "email", json!(email));
            set(&mut user, "email_verified", given.get("email_verified").cloned().unwrap_or(json!(false)));
        }
        for name in ["blocked", "phone_number", "app_metadata"] {
            if let Some(value) = given.get(name) {
                set(&mut user, name, value.clone());
            }
        }
        if let Some(password) = text(&given, "password") {
            self.passwords.insert(user_id, password.into());
        }
        self.users.push(user.clone());
        Ok(good(201, &user))
    }

    /// Replaces the given root members. The connector sends no metadata, which Auth0 would merge.
    fn update(&mut self, id: &str, request: &Incoming) -> Result<Answer, Answer> {
        let change = body(request, &["email_verified", "email", "blocked"])?;
        self.custom_domain(request)?;
        let user = self.user_mut(id).ok_or_else(no_such_user)?;
        let is_flag = |name: &str| change.get(name).is_none_or(Value::is_boolean);
        let provider = id.split('|').next().unwrap_or_default();
        if !is_flag("email_verified") || !is_flag("blocked") {
            return Err(invalid_body("'Expected type boolean'"));
        }
        if change.get("email_verified").is_some() && (is_enterprise(provider) || provider == "sms") {
            return Err(not_supported());
        }
        for (name, value) in change.as_object().into_iter().flatten() {
            set(user, name, value.clone());
        }
        set(user, "updated_at", now());
        Ok(good(200, user))
    }
}

/// Returns whether a clause matches a user. Addresses match in any case, metadata exactly. Only texts and lists of texts match.
fn matches(clause: &Query, user: &Value) -> bool {
    let wanted = |value: &Value| value.as_str() == Some(&clause.value);
    match clause.field.split_once('.') {
        None => text(user, &clause.field).is_some_and(|own| own.eq_ignore_ascii_case(&clause.value)),
        Some((metadata, key)) => {
            let own = user.get(metadata).and_then(|metadata| metadata.get(key));
            own.is_some_and(|own| wanted(own) || own.as_array().is_some_and(|values| values.iter().any(wanted)))
        }
    }
}
