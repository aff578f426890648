//! The fake's endpoints for users.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Mail;
use super::admin::{MANAGE, Rights, SEARCH, VIEW, number};
use super::answer::{self, recorded};
use super::query;
use super::realm::{Realm, User, put};
use super::{body, list, parameters};

impl Realm {
    pub(crate) fn users(&mut self, rights: &Rights, path: &[&str], request: &Incoming) -> Result<Answer, Answer> {
        match (&request.method, path) {
            (&Method::GET, ["users"]) => self.search(rights, request),
            (&Method::POST, ["users"]) => {
                rights.require(MANAGE)?;
                let id = self.add_user(body(request, "UserRepresentation")?)?;
                // Only imported users lack the realm's default roles.
                self.users.iter_mut().filter(|user| user.id == id).for_each(|user| user.has_offline_access = true);
                Ok(answer::created(&format!("/admin/realms/{}/users/{id}", self.name)))
            }
            (&Method::GET, ["users", "count"]) => {
                rights.require(SEARCH)?;
                let persons = self.users.iter().filter(|user| user.service_account_of.is_none());
                Ok(answer::ok(&json!(persons.count())))
            }
            (&Method::GET, ["users", "profile"]) => {
                rights.require(&[SEARCH, &["view-realm"]].concat())?;
                Ok(answer::ok(&self.profile.json.clone()))
            }
            (&Method::PUT, ["users", "profile"]) => self.set_profile(rights, request),
            (&Method::GET, ["users", id]) => {
                parameters(request, &[])?;
                self.check_exists(rights, id)?;
                rights.require(VIEW)?;
                let user = self.user(id).ok_or_else(|| recorded("user not found"))?;
                let access = json!({"view": true, "manage": rights.include(MANAGE)});
                Ok(answer::ok(&self.representation_with(user, access)))
            }
            (&Method::PUT, ["users", id]) => {
                let mut user = self.managed(rights, id)?;
                self.change(&mut user, body(request, "UserRepresentation")?, true)?;
                self.users.iter_mut().filter(|own| own.id == *id).for_each(|own| own.clone_from(&user));
                Ok(answer::no_content())
            }
            (&Method::DELETE, ["users", id]) => {
                self.managed(rights, id)?;
                self.users.retain(|user| user.id != *id);
                self.sessions.retain(|session| session.user != *id);
                Ok(answer::no_content())
            }
            (method, ["users", id, "role-mappings", "clients", _]) => {
                self.managed(rights, id)?;
                self.map_roles(id, method == Method::POST, request)
            }
            (_, ["users", _]) => Err(recorded("method not allowed")),
            _ => Err(recorded("not found")),
        }
    }

    /// Fails if the user does not exist. Keycloak checks this before the right to view users.
    fn check_exists(&self, rights: &Rights, id: &str) -> Result<(), Answer> {
        rights.require(SEARCH)?;
        if self.user(id).is_some() { Ok(()) } else { Err(recorded("user not found")) }
    }

    fn managed(&self, rights: &Rights, id: &str) -> Result<User, Answer> {
        self.check_exists(rights, id)?;
        rights.require(MANAGE)?;
        self.user(id).cloned().ok_or_else(|| recorded("user not found"))
    }

    fn representation_with(&self, user: &User, access: Value) -> Value {
        let mut shown = self.representation(user);
        put(&mut shown, "access", access);
        shown
    }

    fn search(&self, rights: &Rights, request: &Incoming) -> Result<Answer, Answer> {
        rights.require(SEARCH)?;
        let query = parameters(request, &["email", "username", "q", "search", "exact", "first", "max"])?;
        let get = |name: &str| query.get(name).map(String::as_str);
        let exact = match (get("exact"), get("search")) {
            (Some("true"), None) => true,
            (Some("false"), None) | (None, Some(_)) => false,
            _ => return Err(answer::stricter_than_keycloak("a search needs a valid `exact`")),
        };
        let Some(max) = number(get("max")) else {
            return Err(answer::stricter_than_keycloak("a search needs a valid `max`"));
        };
        let by = (get("email"), get("username"), get("q"), get("search"));
        let is_hit: Box<dyn Fn(&User) -> bool> = match by {
            (Some(email), None, None, None) if exact && !email.is_empty() => {
                let email = email.to_lowercase();
                Box::new(move |user| user.email.as_ref() == Some(&email))
            }
            (None, Some(name), None, None) if exact && !name.is_empty() => {
                let name = name.to_lowercase();
                Box::new(move |user| user.username == name)
            }
            (None, None, None, Some(quoted)) => {
                let Some(text) = quoted_text(quoted) else {
                    return Err(answer::stricter_than_keycloak("`search` needs one text in quotes"));
                };
                // Only this search omits service accounts.
                Box::new(move |user| user.service_account_of.is_none() && has_text(user, &text))
            }
            (None, None, Some(q), None) => {
                let wanted = query::parse(q).ok_or_else(|| recorded("internal error"))?;
                if wanted.len() != 1 {
                    return Err(answer::stricter_than_keycloak("a search by attribute needs one pair"));
                }
                Box::new(move |user| wanted.iter().all(|(name, value)| has_attribute(user, name, value, exact)))
            }
            _ => {
                return Err(answer::stricter_than_keycloak(
                    "a search needs exactly one of `email`, `username`, `q` and `search`",
                ));
            }
        };
        if !rights.include(VIEW) {
            return Ok(answer::ok(&json!([])));
        }
        let access = json!({"manage": rights.include(MANAGE)});
        let mut hits: Vec<&User> = self.users.iter().filter(|user| is_hit(user)).collect();
        hits.sort_by(|a, b| a.username.cmp(&b.username));
        let first = number(get("first")).unwrap_or_default();
        let page = hits.into_iter().skip(first).take(max);
        Ok(answer::list(page.map(|user| self.representation_with(user, access.clone()))))
    }

    fn map_roles(&mut self, id: &str, add: bool, request: &Incoming) -> Result<Answer, Answer> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Role {
            #[serde(rename = "id")]
            _id: String,
            name: String,
        }
        let roles: Vec<Role> = list(request, "RoleRepresentation")?;
        for user in self.users.iter_mut().filter(|user| user.id == id) {
            for role in &roles {
                if add {
                    user.roles.insert(role.name.clone())
                } else {
                    user.roles.remove(&role.name)
                };
            }
        }
        Ok(answer::no_content())
    }

    /// Checks a request for a mail in Keycloak's order of checks, and returns the mail.
    pub(crate) fn create_mail(
        &self,
        rights: &Rights,
        id: &str,
        order: &str,
        request: &Incoming,
    ) -> Result<Mail, Answer> {
        if request.method != Method::PUT {
            return Err(recorded("method not allowed"));
        }
        let user = self.managed(rights, id)?;
        if order == "execute-actions-email" && list::<String>(request, "actions")? != ["UPDATE_PASSWORD"] {
            return Err(recorded("invalid actions"));
        }
        let Some(to) = user.email else { return Err(recorded("email missing")) };
        if !user.enabled {
            return Err(recorded("user is disabled"));
        }
        let options = parameters(request, &["client_id", "redirect_uri", "lifespan"])?;
        self.check_link(&options)?;
        if !self.smtp.contains_key("host") || to.starts_with("undeliverable") {
            let is_to_verify = order == "send-verify-email";
            return Err(recorded(if is_to_verify { "mail to verify failed" } else { "mail with actions failed" }));
        }
        Ok(Mail { to, order: order.into(), options })
    }

    fn check_link(&self, options: &BTreeMap<String, String>) -> Result<(), Answer> {
        let get = |name: &str| options.get(name).map(String::as_str);
        if get("lifespan").is_some_and(|lifespan| number(Some(lifespan)).is_none_or(|seconds| seconds == 0)) {
            return Err(answer::stricter_than_keycloak("`lifespan` needs a number of seconds"));
        }
        let Some(client) = get("client_id") else {
            let refused = get("redirect_uri").map(|_| recorded("client id missing"));
            return refused.map_or(Ok(()), Err);
        };
        let Some(client) = self.client(client) else { return Err(recorded("client unknown to mails")) };
        let allows = |uri: &str| {
            client.redirect_uris.iter().any(|own| match own.strip_suffix('*') {
                Some(prefix) => uri.starts_with(prefix),
                None => own == uri,
            })
        };
        if get("redirect_uri").is_some_and(|uri| !allows(uri)) {
            return Err(recorded("invalid redirect uri"));
        }
        Ok(())
    }
}

/// Returns the text of a `search` for whole values, in lower case. Keycloak splits texts at white space, even inside quotes.
fn quoted_text(quoted: &str) -> Option<String> {
    let text = quoted.strip_prefix('"')?.strip_suffix('"')?;
    (!text.is_empty() && !text.contains(char::is_whitespace)).then(|| text.to_lowercase())
}

/// Returns whether this is the user's user name, address, first or last name.
fn has_text(user: &User, text: &str) -> bool {
    let names = user.names.iter().flatten().chain(&user.email);
    user.username == text || names.into_iter().any(|own| own.to_lowercase() == text)
}

/// Returns whether a user has the attribute. Searches also compare undeclared attributes.
fn has_attribute(user: &User, name: &str, value: &str, exact: bool) -> bool {
    user.attributes.get(name).is_some_and(|values| values.iter().any(|own| query::finds(value, exact, own)))
}
