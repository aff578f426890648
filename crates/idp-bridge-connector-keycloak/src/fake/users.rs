//! The fake's users: searched, read, changed, deleted, and sent mails.

use std::collections::BTreeMap;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Mail;
use super::admin::{MANAGE, Rights, SEARCH, VIEW, number};
use super::answer::Answer;
use super::query;
use super::realm::{Realm, User, put};
use super::request::Incoming;

impl Realm {
    pub(crate) fn users(&mut self, rights: &Rights, path: &[&str], incoming: &Incoming) -> Result<Answer, Answer> {
        match (&incoming.method, path) {
            (&Method::GET, ["users"]) => self.search(rights, incoming),
            (&Method::POST, ["users"]) => {
                rights.need(MANAGE)?;
                let id = self.add_user(incoming.json("UserRepresentation")?)?;
                Ok(Answer::created(format!("/admin/realms/{}/users/{id}", self.name)))
            }
            (&Method::GET, ["users", "count"]) => {
                rights.need(SEARCH)?;
                let persons = self.users.iter().filter(|user| user.service_account_of.is_none());
                Ok(Answer::ok(json!(persons.count())))
            }
            (&Method::GET, ["users", "profile"]) => {
                rights.need(&[SEARCH, &["view-realm"]].concat())?;
                Ok(Answer::ok(self.profile.json.clone()))
            }
            (&Method::PUT, ["users", "profile"]) => self.set_profile(rights, incoming),
            (&Method::GET, ["users", id]) => {
                incoming.query(&[])?;
                self.known(rights, id)?;
                rights.need(VIEW)?;
                let user = self.user(id).ok_or_else(Answer::user_not_found)?;
                let access = json!({"view": true, "manage": rights.have(MANAGE)});
                Ok(Answer::ok(self.shown_with(user, access)))
            }
            (&Method::PUT, ["users", id]) => {
                let mut user = self.managed(rights, id)?;
                self.change(&mut user, incoming.json("UserRepresentation")?, true)?;
                self.users.iter_mut().filter(|own| own.id == *id).for_each(|own| own.clone_from(&user));
                Ok(Answer::no_content())
            }
            (&Method::DELETE, ["users", id]) => {
                self.managed(rights, id)?;
                self.users.retain(|user| user.id != *id);
                Ok(Answer::no_content())
            }
            (method, ["users", id, "role-mappings", "clients", _]) => {
                self.managed(rights, id)?;
                self.map_roles(id, method == Method::POST, incoming)
            }
            (_, ["users", _]) => Err(Answer::error(405, "HTTP 405 Method Not Allowed")),
            _ => Err(Answer::error(404, "HTTP 404 Not Found")),
        }
    }

    /// Keycloak looks for the user before it looks at the right, and tells who may search that there is none.
    fn known(&self, rights: &Rights, id: &str) -> Result<(), Answer> {
        rights.need(SEARCH)?;
        if self.user(id).is_some() { Ok(()) } else { Err(Answer::user_not_found()) }
    }

    fn managed(&self, rights: &Rights, id: &str) -> Result<User, Answer> {
        self.known(rights, id)?;
        rights.need(MANAGE)?;
        self.user(id).cloned().ok_or_else(Answer::user_not_found)
    }

    fn shown_with(&self, user: &User, access: Value) -> Value {
        let mut shown = self.representation(user);
        put(&mut shown, "access", access);
        shown
    }

    fn search(&self, rights: &Rights, incoming: &Incoming) -> Result<Answer, Answer> {
        rights.need(SEARCH)?;
        let query = incoming.query(&["email", "username", "q", "exact", "first", "max"])?;
        let get = |name: &str| query.get(name).map(String::as_str);
        let exact = match get("exact") {
            Some("true") => true,
            Some("false") => false,
            _ => return Err(Answer::stricter_than_keycloak("a search says whether it is exact")),
        };
        let Some(max) = number(get("max")) else {
            return Err(Answer::stricter_than_keycloak("a search says how many hits it wants"));
        };
        let is_hit: Box<dyn Fn(&User) -> bool> = match (get("email"), get("username"), get("q")) {
            (Some(email), None, None) if exact && !email.is_empty() => {
                let email = email.to_lowercase();
                Box::new(move |user| user.email.as_ref() == Some(&email))
            }
            (None, Some(name), None) if exact && !name.is_empty() => {
                let name = name.to_lowercase();
                Box::new(move |user| user.username == name)
            }
            (None, None, Some(q)) => {
                let wanted = query::parse(q).ok_or_else(Answer::crash)?;
                if wanted.len() != 1 {
                    return Err(Answer::stricter_than_keycloak("a search by attribute has one pair"));
                }
                Box::new(move |user| wanted.iter().all(|(name, value)| has(user, name, value, exact)))
            }
            _ => return Err(Answer::stricter_than_keycloak("a search is by one whole address, one name or one `q`")),
        };
        if !rights.have(VIEW) {
            return Ok(Answer::ok(json!([])));
        }
        let access = json!({"manage": rights.have(MANAGE)});
        let mut hits: Vec<&User> = self.users.iter().filter(|user| is_hit(user)).collect();
        hits.sort_by(|a, b| a.username.cmp(&b.username));
        let first = number(get("first")).unwrap_or_default();
        let page = hits.into_iter().skip(first).take(max);
        Ok(Answer::ok(page.map(|user| self.shown_with(user, access.clone())).collect()))
    }

    fn map_roles(&mut self, id: &str, add: bool, incoming: &Incoming) -> Result<Answer, Answer> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Role {
            #[serde(rename = "id")]
            _id: String,
            name: String,
        }
        let roles: Vec<Role> = incoming.json("RoleRepresentation")?;
        for user in self.users.iter_mut().filter(|user| user.id == id) {
            for role in &roles {
                if add {
                    user.roles.insert(role.name.clone())
                } else {
                    user.roles.remove(&role.name)
                };
            }
        }
        Ok(Answer::no_content())
    }

    /// Checks an order of a mail as Keycloak does, one thing after the other.
    pub(crate) fn order_mail(
        &self,
        rights: &Rights,
        id: &str,
        order: &str,
        incoming: &Incoming,
    ) -> Result<Mail, Answer> {
        if incoming.method != Method::PUT {
            return Err(Answer::error(405, "HTTP 405 Method Not Allowed"));
        }
        let user = self.managed(rights, id)?;
        if order == "execute-actions-email" && incoming.json::<Vec<String>>("actions")? != ["UPDATE_PASSWORD"] {
            return Err(Answer::message(400, "Provided invalid required actions"));
        }
        let Some(to) = user.email else { return Err(Answer::message(400, "User email missing")) };
        if !user.enabled {
            return Err(Answer::message(400, "User is disabled"));
        }
        let options = incoming.query(&["client_id", "redirect_uri", "lifespan"])?;
        self.check_link(options)?;
        if !self.smtp.contains_key("host") || to.starts_with("undeliverable") {
            let failed = match order {
                "send-verify-email" => "Failed to send verify email",
                _ => {
                    "Failed to send execute actions email: Error when attempting to send the email to the server. \
                     More information is available in the server log."
                }
            };
            return Err(Answer::message(500, failed));
        }
        Ok(Mail { to, order: order.into(), options: options.clone() })
    }

    fn check_link(&self, options: &BTreeMap<String, String>) -> Result<(), Answer> {
        let get = |name: &str| options.get(name).map(String::as_str);
        if get("lifespan").is_some_and(|lifespan| number(Some(lifespan)).is_none_or(|seconds| seconds == 0)) {
            return Err(Answer::stricter_than_keycloak("a lifespan is a number of seconds"));
        }
        let Some(client) = get("client_id") else {
            let refused = get("redirect_uri").map(|_| Answer::message(400, "Client id missing"));
            return refused.map_or(Ok(()), Err);
        };
        let Some(client) = self.client(client) else { return Err(Answer::message(400, "Client doesn't exist")) };
        let allows = |uri: &str| {
            client.redirect_uris.iter().any(|own| match own.strip_suffix('*') {
                Some(prefix) => uri.starts_with(prefix),
                None => own == uri,
            })
        };
        if get("redirect_uri").is_some_and(|uri| !allows(uri)) {
            return Err(Answer::message(400, "Invalid redirect uri."));
        }
        Ok(())
    }
}

/// Whether a user has the attribute, be it declared or not: the search looks into the store.
fn has(user: &User, name: &str, value: &str, exact: bool) -> bool {
    user.attributes.get(name).is_some_and(|values| values.iter().any(|own| query::finds(value, exact, own)))
}
