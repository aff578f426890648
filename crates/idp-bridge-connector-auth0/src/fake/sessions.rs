//! The fake's Management API for what is left of logins: sessions, device credentials, and the applications' settings.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_http::Method;
use serde_json::{Value, json};

use super::answer::{good, no_content, not_found, refusal, stricter_than_auth0};
use super::management::Scopes;
use super::tenant::{Application, Tenant};
use super::{body, query, text};

/// The kinds of device credentials that are refresh tokens, and whether they rotate.
const KINDS: [(&str, bool); 2] = [("refresh_token", false), ("rotating_refresh_token", true)];

impl Tenant {
    pub(crate) fn login_management(
        &mut self,
        scopes: &Scopes,
        path: &[&str],
        request: &Incoming,
    ) -> Result<Answer, Answer> {
        match (&request.method, path) {
            (&Method::POST, ["sessions", session, "revoke"]) => {
                self.may_end_sessions(scopes)?;
                self.revoke_session(session)
            }
            (&Method::POST, ["users", id, "revoke-access"]) => {
                self.may_end_sessions(scopes)?;
                self.revoke_access(id, request)
            }
            (&Method::GET, ["device-credentials"]) => {
                scopes.need(&["read:device_credentials"])?;
                self.list_credentials(request)
            }
            (&Method::DELETE, ["device-credentials", id]) => {
                scopes.need(&["delete:device_credentials"])?;
                self.delete_credential(id);
                Ok(no_content())
            }
            (&Method::GET, ["clients", id]) => {
                scopes.need(&["read:clients"])?;
                self.show_application(id, request)
            }
            _ => Err(not_found()),
        }
    }

    /// Both scopes are needed. The code of the refusal is recorded for another feature that a plan lacks.
    fn may_end_sessions(&self, scopes: &Scopes) -> Result<(), Answer> {
        scopes.need(&["delete:sessions"])?;
        scopes.need(&["delete:refresh_tokens"])?;
        if self.is_enterprise {
            return Ok(());
        }
        Err(refusal(403, "Forbidden", "Please upgrade your subscription to use sessions", "insufficient_entitlement"))
    }

    fn revoke_session(&mut self, session: &str) -> Result<Answer, Answer> {
        if self.logins.sessions.remove(session).is_none() {
            // The words are documented; the code is hand-made.
            return Err(refusal(404, "Not Found", "The session does not exist.", "inexistent_session"));
        }
        self.logins.refresh_tokens.retain(|_, refresh| refresh.grant.session.as_deref() != Some(session));
        Ok(good(202, &json!({})))
    }

    /// The same for a user that is not there, as the list of documented answers says.
    fn revoke_access(&mut self, id: &str, request: &Incoming) -> Result<Answer, Answer> {
        let order = body(request, &["session_id", "preserve_refresh_tokens"])?;
        if order != json!({}) {
            return Err(stricter_than_auth0("the connector ends all or nothing"));
        }
        self.end_all_of(id);
        Ok(good(202, &json!({})))
    }

    fn list_credentials(&self, request: &Incoming) -> Result<Answer, Answer> {
        let asked = query(request, &["user_id", "type", "client_id", "page", "per_page"])?;
        let get = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
        let (Ok(page), Ok(per_page @ 1..=100)) = (get("page").parse::<usize>(), get("per_page").parse::<usize>())
        else {
            return Err(stricter_than_auth0("a list says how long it may be, and which page it is"));
        };
        let Some((kind, rotates)) = KINDS.into_iter().find(|(kind, _)| *kind == get("type")) else {
            return Err(stricter_than_auth0("a list of credentials says of which type"));
        };
        let own = self.logins.refresh_tokens.values();
        let own = own.filter(|refresh| refresh.grant.user_id == get("user_id") && refresh.rotates == rotates);
        // A family is one credential.
        let credentials: BTreeMap<&str, Value> = own
            .map(|refresh| {
                let (id, grant) = (refresh.credential.as_str(), &refresh.grant);
                let shown = json!({
                    "id": id, "device_name": "Other", "type": kind, "user_id": grant.user_id, "client_id": grant.client_id,
                });
                (id, shown)
            })
            .collect();
        Ok(good(200, &credentials.into_values().skip(page * per_page).take(per_page).collect()))
    }

    fn show_application(&self, id: &str, request: &Incoming) -> Result<Answer, Answer> {
        let asked = query(request, &["fields", "include_fields"])?;
        let Some(fields) = asked.get("fields").filter(|_| asked.get("include_fields").is_some_and(|own| own == "true"))
        else {
            return Err(stricter_than_auth0("an application is never shown whole, since its secrets are part of it"));
        };
        let Some(application) = self.application(id) else {
            return Err(refusal(404, "Not Found", "The client does not exist", "inexistent_client"));
        };
        let mut shown = settings_of(application);
        if let Some(members) = shown.as_object_mut() {
            members.retain(|name, _| fields.split(',').any(|field| field == name));
        }
        Ok(good(200, &shown))
    }
}

fn settings_of(application: &Application) -> Value {
    let alg = if application.signs_with_secret { "HS256" } else { "RS256" };
    json!({
        "client_id": application.client_id, "callbacks": application.callbacks,
        "allowed_logout_urls": application.logout_urls, "jwt_configuration": {"alg": alg, "lifetime_in_seconds": 36_000},
    })
}

impl Tenant {
    /// The user with this address and password, if they may log in.
    pub(crate) fn user_with_password(&self, username: &str, password: &str) -> Option<String> {
        let email = username.to_lowercase();
        let mut named = self.users.iter().filter(|user| text(user, "email") == Some(&email));
        let is_right = |user: &&Value| {
            let own = text(user, "user_id").and_then(|id| self.passwords.get(id));
            own.is_some_and(|own| own == password) && user.get("blocked") != Some(&json!(true))
        };
        named.find(is_right).and_then(|user| text(user, "user_id")).map(str::to_owned)
    }
}
