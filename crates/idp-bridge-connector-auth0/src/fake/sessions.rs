//! The Management API of logins: sessions, device credentials and applications.

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
                self.check_may_end_sessions(scopes)?;
                self.revoke_session(session)
            }
            (&Method::POST, ["users", id, "revoke-access"]) => {
                self.check_may_end_sessions(scopes)?;
                self.revoke_access(id, request)
            }
            (&Method::GET, ["device-credentials"]) => {
                scopes.require(&["read:device_credentials"])?;
                self.list_credentials(request)
            }
            (&Method::DELETE, ["device-credentials", id]) => {
                scopes.require(&["delete:device_credentials"])?;
                self.delete_credential(id);
                Ok(no_content())
            }
            (&Method::GET, ["clients", id]) => {
                scopes.require(&["read:clients"])?;
                self.show_application(id, request)
            }
            _ => Err(not_found()),
        }
    }

    /// Checks that the scopes and the plan allow ending sessions. The error code is recorded for another feature of a plan.
    fn check_may_end_sessions(&self, scopes: &Scopes) -> Result<(), Answer> {
        scopes.require(&["delete:sessions"])?;
        scopes.require(&["delete:refresh_tokens"])?;
        if self.is_enterprise {
            return Ok(());
        }
        Err(refusal(403, "Forbidden", "Please upgrade your subscription to use sessions", "insufficient_entitlement"))
    }

    fn revoke_session(&mut self, session: &str) -> Result<Answer, Answer> {
        if self.logins.sessions.remove(session).is_none() {
            // The text is documented; the code was not recorded.
            return Err(refusal(404, "Not Found", "The session does not exist.", "inexistent_session"));
        }
        self.logins.refresh_tokens.retain(|_, refresh| refresh.grant.session.as_deref() != Some(session));
        Ok(good(202, &json!({})))
    }

    /// Ends all logins of a user. Succeeds for a missing user, by the list of documented responses.
    fn revoke_access(&mut self, id: &str, request: &Incoming) -> Result<Answer, Answer> {
        let order = body(request, &["session_id", "preserve_refresh_tokens"])?;
        if order != json!({}) {
            return Err(stricter_than_auth0("the connector sends no members"));
        }
        self.end_logins(id);
        Ok(good(202, &json!({})))
    }

    fn list_credentials(&self, request: &Incoming) -> Result<Answer, Answer> {
        let parameters = query(request, &["user_id", "type", "client_id", "page", "per_page"])?;
        let get = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
        let (Ok(page), Ok(per_page @ 1..=100)) = (get("page").parse::<usize>(), get("per_page").parse::<usize>())
        else {
            return Err(stricter_than_auth0("a list needs `page` and `per_page`"));
        };
        let Some((kind, rotates)) = KINDS.into_iter().find(|(kind, _)| *kind == get("type")) else {
            return Err(stricter_than_auth0("a list of credentials needs `type`"));
        };
        let own = self.logins.refresh_tokens.values();
        let own = own.filter(|refresh| refresh.grant.user_id == get("user_id") && refresh.rotates == rotates);
        // The tokens of a family share one credential.
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
        let parameters = query(request, &["fields", "include_fields"])?;
        let Some(fields) =
            parameters.get("fields").filter(|_| parameters.get("include_fields").is_some_and(|own| own == "true"))
        else {
            return Err(stricter_than_auth0("an application is read with `fields`, since it contains secrets"));
        };
        let Some(application) = self.application(id) else {
            return Err(refusal(404, "Not Found", "The client does not exist", "inexistent_client"));
        };
        let mut shown = application_json(application);
        if let Some(members) = shown.as_object_mut() {
            members.retain(|name, _| fields.split(',').any(|field| field == name));
        }
        Ok(good(200, &shown))
    }
}

fn application_json(application: &Application) -> Value {
    let alg = if application.signs_with_secret { "HS256" } else { "RS256" };
    json!({
        "client_id": application.client_id, "callbacks": application.callbacks,
        "allowed_logout_urls": application.logout_urls, "jwt_configuration": {"alg": alg, "lifetime_in_seconds": 36_000},
    })
}

impl Tenant {
    /// Returns the id of the user with this address and password, unless the user is blocked.
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
