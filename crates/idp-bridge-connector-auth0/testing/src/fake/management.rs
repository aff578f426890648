//! The Management API: routes with their scopes, connections, email templates and jobs. Users and logins are in files of their own.

use std::collections::BTreeSet;

use idp_bridge_conformance::fake::{Answer, Incoming, Outcome};
use idp_bridge_http::HeaderName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{
    good, invalid_body, no_content, no_such_user, not_found, not_supported, refusal, stricter_than_auth0,
};
use super::tenant::{Mail, Tenant, now};
use super::{Fields, body, text};

/// A request to the Management API.
pub(crate) struct Call<'a> {
    /// The second segment of the path, mostly an id.
    pub(crate) id: &'a str,
    pub(crate) request: &'a Incoming,
    /// The scopes of its token.
    pub(crate) granted: BTreeSet<String>,
}

impl Call<'_> {
    /// Fails without one of these scopes.
    pub(crate) fn require(&self, scopes: &[&str]) -> Result<(), Answer> {
        if scopes.is_empty() || scopes.iter().any(|scope| self.granted.contains(*scope)) {
            return Ok(());
        }
        let message = format!("Insufficient scope, expected any of: {}", scopes.join(","));
        Err(refusal(403, &message, "insufficient_scope"))
    }
}

/// Answers a call after its scopes were checked.
type Handler = fn(&mut Tenant, &Call<'_>) -> Outcome;

/// Returns the scopes, one of which suffices, and the handler of a path.
fn route(method: &str, path: &[&str]) -> Option<(&'static [&'static str], Handler)> {
    Some(match (method, path) {
        ("GET", ["users-by-email"]) => (&["read:users"], |tenant, call| tenant.users_by_email(call)),
        ("GET", ["users"]) => (&["read:users"], |tenant, call| tenant.search(call)),
        // Deletes all users, as an older API did, so that tests notice a request without an id.
        ("DELETE", ["users"]) => (&[], |tenant, _| {
            tenant.users.clear();
            Ok(no_content())
        }),
        ("GET", ["users", _]) => (&["read:users"], |tenant, call| tenant.show_user(call)),
        ("PATCH", ["users", _]) => (&["update:users", "update:users_app_metadata"], Tenant::update),
        ("DELETE", ["users", _]) => (&["delete:users"], Tenant::delete_user),
        ("POST", ["users", _, "revoke-access"]) => (&["delete:sessions"], Tenant::revoke_access),
        ("POST", ["sessions", _, "revoke"]) => (&["delete:sessions"], Tenant::revoke_session),
        ("GET", ["device-credentials"]) => (&["read:device_credentials"], |tenant, call| tenant.list_credentials(call)),
        ("DELETE", ["device-credentials", _]) => (&["delete:device_credentials"], |tenant, call| {
            tenant.delete_credential(call.id);
            Ok(no_content())
        }),
        ("GET", ["clients"]) => (&["read:clients"], |tenant, call| tenant.list_applications(call)),
        ("POST", ["clients"]) => (&["create:clients"], Tenant::create_application),
        ("GET", ["client-grants"]) => (&["read:client_grants"], |tenant, call| tenant.list_grants(call)),
        ("POST", ["client-grants"]) => (&["create:client_grants"], Tenant::create_grant),
        ("PATCH", ["client-grants", _]) => (&["update:client_grants"], Tenant::update_grant),
        ("GET", ["clients", _]) => (&["read:clients"], |tenant, call| tenant.show_application(call)),
        ("POST", ["jobs", "verification-email"]) => (&["update:users"], Tenant::order_verification),
        ("GET", ["connections"]) => (&["read:connections"], |tenant, call| tenant.list_connections(call)),
        ("GET", ["email-templates", _]) => (&["read:email_templates"], |tenant, call| tenant.show_template(call)),
        // The target of an id with dots and slashes that is not encoded.
        ("GET", ["tenants", "settings"]) => {
            (&[], |_, _| Ok(good(200, &json!({"user_id": "auth0|settings", "flags": {}}))))
        }
        _ => return None,
    })
}

impl Tenant {
    pub(crate) fn management(&mut self, path: &[&str], request: &Incoming) -> Outcome {
        let granted = request.bearer().and_then(|token| self.tokens.get(token)).cloned();
        let granted = granted.ok_or_else(|| refusal(401, "Missing authentication", None))?;
        let call = Call { id: path.get(1).copied().unwrap_or_default(), request, granted };
        let (scopes, handler) = route(request.method.as_str(), path).ok_or_else(not_found)?;
        call.require(scopes)?;
        handler(self, &call)
    }

    fn list_connections(&self, call: &Call<'_>) -> Outcome {
        let known = ["name", "strategy", "fields", "include_fields", "include_totals", "take"];
        let query = Fields::query(call.request, &known)?;
        let is_selected = |name: &str, own: &str| query.find(name).is_none_or(|value| value == own);
        let found = self.connections.iter();
        let found = found.filter(|(name, strategy)| is_selected("name", name) && is_selected("strategy", strategy));
        let shown: Vec<Value> = found.map(|(name, strategy)| json!({"name": name, "strategy": strategy})).collect();
        Ok(good(
            200,
            &match (query.find("take"), query.get("include_totals")) {
                (Some(_), _) => json!({"connections": shown}),
                (None, "true") => json!({"start": 0, "limit": 50, "total": shown.len(), "connections": shown}),
                _ => json!(shown),
            },
        ))
    }

    fn show_template(&self, call: &Call<'_>) -> Outcome {
        let missing = || refusal(404, "The template does not exist.", "inexistent_email_template");
        let enabled = self.templates.get(call.id).ok_or_else(missing)?;
        let shown = json!({"template": call.id, "enabled": enabled, "syntax": "liquid", "subject": "", "body": ""});
        Ok(good(200, &shown))
    }

    /// Returns the requested custom domain. Fails without one if the tenant has several.
    pub(crate) fn custom_domain(&self, request: &Incoming) -> Result<Option<String>, Answer> {
        let named = request.header(&HeaderName::from_static("auth0-custom-domain")).map(str::to_owned);
        if self.has_rival_domains && named.is_none() {
            return Err(refusal(409, "There are several custom domains.", "custom_domain_conflict"));
        }
        Ok(named)
    }

    fn order_verification(&mut self, call: &Call<'_>) -> Outcome {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Order {
            user_id: String,
            client_id: Option<String>,
            identity: Option<Value>,
        }
        let Order { user_id, client_id, identity } = body(call.request)?;
        let custom_domain = self.custom_domain(call.request)?;
        if client_id.as_deref().is_some_and(|id| self.application(id).is_none()) {
            return Err(invalid_body("'Object didn't pass validation for format client-id' on property client_id"));
        }
        // These errors were not recorded.
        let user = self.user(&user_id).ok_or_else(no_such_user)?;
        let (provider, rest) = user_id.split_once('|').unwrap_or_default();
        match identity {
            None if provider != "auth0" => return Err(invalid_body("'Missing required property: identity'")),
            Some(identity) if identity != json!({"provider": provider, "user_id": rest}) => {
                return Err(invalid_body("'No such identity'"));
            }
            _ => {}
        }
        if !can_verify(provider) {
            return Err(not_supported());
        }
        let to = text(user, "email").ok_or_else(|| invalid_body("'The user has no email'"))?.to_owned();
        // For tests: the job fails at once for such an address.
        let is_accepted = !to.starts_with("unaccepted");
        if is_accepted && self.sends("verify_email") {
            self.mails.push(Mail { to, template: "verify_email".into(), client_id, custom_domain });
        }
        let status = if is_accepted { "pending" } else { "failed" };
        let id = format!("job_{}", self.short_id());
        Ok(good(201, &json!({"type": "verification_email", "status": status, "created_at": now(), "id": id})))
    }

    fn show_application(&self, call: &Call<'_>) -> Outcome {
        let query = Fields::query(call.request, &["fields", "include_fields"])?;
        if query.get("fields").is_empty() || query.get("include_fields") != "true" {
            return Err(stricter_than_auth0("an application is read with `fields`, since it contains secrets"));
        }
        if query.get("fields").split(',').any(|field| field == "client_secret") {
            call.require(&["read:client_keys"])?;
        }
        let missing = || refusal(404, "The client does not exist", "inexistent_client");
        let application = self.application(call.id).ok_or_else(missing)?;
        let alg = if application.signs_with_secret { "HS256" } else { "RS256" };
        let mut shown = json!({
            "client_id": application.client_id, "client_secret": application.secret,
            "allowed_logout_urls": application.logout_urls,
            "jwt_configuration": {"alg": alg, "lifetime_in_seconds": 36_000},
        });
        if let Some(members) = shown.as_object_mut() {
            members.retain(|name, _| query.get("fields").split(',').any(|field| field == name));
        }
        Ok(good(200, &shown))
    }
}

/// Returns whether Auth0 verifies addresses of this provider: not those of enterprise and SMS connections.
pub(crate) fn can_verify(provider: &str) -> bool {
    let without = ["samlp", "waad", "adfs", "ad", "oidc", "okta", "google-apps", "pingfederate", "sms"];
    !without.contains(&provider)
}
