//! The Management API: authorization, connections, email templates and jobs. Users and logins are in files of their own.

use std::collections::BTreeSet;

use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_http::{HeaderName, Method};
use serde_json::{Value, json};

use super::answer::{
    good, insufficient_scope, invalid_body, no_such_user, not_found, not_supported, refusal, unauthorized,
};
use super::tenant::{Mail, Tenant, now};
use super::{body, query, text};

/// The scopes of a token.
pub(crate) struct Scopes(BTreeSet<String>);

impl Scopes {
    /// Fails without one of these scopes.
    pub(crate) fn require(&self, scopes: &[&str]) -> Result<(), Answer> {
        if scopes.iter().any(|scope| self.0.contains(*scope)) { Ok(()) } else { Err(insufficient_scope(scopes)) }
    }
}

impl Tenant {
    pub(crate) fn management(&mut self, path: &[&str], request: &Incoming) -> Result<Answer, Answer> {
        let scopes = request.bearer().and_then(|token| self.tokens.get(token)).cloned();
        let scopes = Scopes(scopes.ok_or_else(unauthorized)?);
        match (&request.method, path) {
            (_, ["sessions" | "device-credentials" | "clients", ..] | ["users", _, "revoke-access"]) => {
                self.login_management(&scopes, path, request)
            }
            (_, ["users" | "users-by-email", ..]) => self.users(&scopes, path, request),
            (&Method::POST, ["jobs", "verification-email"]) => {
                scopes.require(&["update:users"])?;
                self.order_verification(request)
            }
            (&Method::GET, ["connections"]) => {
                scopes.require(&["read:connections"])?;
                self.list_connections(request)
            }
            (&Method::GET, ["email-templates", name]) => {
                scopes.require(&["read:email_templates"])?;
                let Some(enabled) = self.templates.get(*name) else {
                    return Err(refusal(404, "Not Found", "The template does not exist.", "inexistent_email_template"));
                };
                Ok(good(
                    200,
                    &json!({"template": name, "enabled": enabled, "syntax": "liquid", "subject": "", "body": ""}),
                ))
            }
            // The target of an id with dots and slashes that is not encoded.
            (&Method::GET, ["tenants", "settings"]) => {
                Ok(good(200, &json!({"user_id": "auth0|settings", "flags": {}})))
            }
            _ => Err(not_found()),
        }
    }

    fn list_connections(&self, request: &Incoming) -> Result<Answer, Answer> {
        let known = ["name", "strategy", "fields", "include_fields", "include_totals", "take"];
        let query = query(request, &known)?;
        let wanted = query.get("name");
        let found = self.connections.iter().filter(|connection| wanted.is_none_or(|name| *name == connection.name));
        let shown = found.map(|connection| json!({"name": connection.name, "strategy": connection.strategy}));
        let shown: Value = shown.collect();
        let has_totals = query.get("include_totals").is_some_and(|value| value == "true");
        if query.contains_key("take") {
            return Ok(good(200, &json!({"connections": shown})));
        }
        if has_totals {
            let total = shown.as_array().map_or(0, Vec::len);
            return Ok(good(200, &json!({"start": 0, "limit": 50, "total": total, "connections": shown})));
        }
        Ok(good(200, &shown))
    }

    /// Returns the requested custom domain. Fails without one if the tenant has several.
    pub(crate) fn custom_domain(&self, request: &Incoming) -> Result<Option<String>, Answer> {
        let named = request.header(&HeaderName::from_static("auth0-custom-domain")).map(str::to_owned);
        if self.has_rival_domains && named.is_none() {
            return Err(refusal(409, "Conflict", "There are several custom domains.", "custom_domain_conflict"));
        }
        Ok(named)
    }

    fn order_verification(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        let order = body(request, &["user_id", "client_id", "identity", "organization_id"])?;
        let custom_domain = self.custom_domain(request)?;
        let Some(id) = text(&order, "user_id") else {
            return Err(invalid_body("'Missing required property: user_id'"));
        };
        let client_id = text(&order, "client_id").map(str::to_owned);
        if client_id.as_deref().is_some_and(|id| self.application(id).is_none()) {
            return Err(invalid_body("'Object didn't pass validation for format client-id' on property client_id"));
        }
        // These errors were not recorded.
        let user = self.user(id).ok_or_else(no_such_user)?;
        let (provider, rest) = id.split_once('|').unwrap_or_default();
        match order.get("identity") {
            None if provider != "auth0" => return Err(invalid_body("'Missing required property: identity'")),
            Some(identity) if *identity != json!({"provider": provider, "user_id": rest}) => {
                return Err(invalid_body("'No such identity'"));
            }
            _ => {}
        }
        if is_enterprise(provider) || provider == "sms" {
            return Err(not_supported());
        }
        let Some(to) = text(user, "email").map(str::to_owned) else {
            return Err(invalid_body("'The user has no email'"));
        };
        // For tests: the job fails at once for such an address.
        let is_accepted = !to.starts_with("unaccepted");
        if is_accepted && self.sends("verify_email") {
            self.mails.push(Mail { to, template: "verify_email".into(), client_id, custom_domain });
        }
        let status = if is_accepted { "pending" } else { "failed" };
        let id = format!("job_{}", self.new_id().get(..16).unwrap_or_default());
        let job = json!({"type": "verification_email", "status": status, "created_at": now(), "id": id});
        Ok(good(201, &job))
    }
}

/// Returns whether this is the provider of an enterprise connection.
pub(crate) fn is_enterprise(provider: &str) -> bool {
    matches!(provider, "samlp" | "waad" | "adfs" | "ad" | "oidc" | "okta" | "google-apps" | "pingfederate")
}

/// Returns whether a value is an address that Auth0 accepts. The bridge accepts more.
pub(crate) fn is_address(value: &Value) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.@-".contains(c);
    value.as_str().is_some_and(|text| {
        text.chars().all(is_plain) && text.matches('@').count() == 1 && !text.starts_with('@') && !text.ends_with('@')
    })
}
