//! The part of the Management API with which an operator sets up a tenant: applications and their grants.
//!
//! Its responses were not recorded. Members and scopes are those of the reference
//! (<https://auth0.com/docs/api/management/v2>, November 2026).

use std::collections::BTreeSet;

use idp_bridge_conformance::fake::Outcome;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{good, invalid_body, refusal, stricter_than_auth0};
use super::management::Call;
use super::tenant::{Application, Tenant};
use super::{FakeAuth0, Fields, body, set};

/// The members of an application that a list may show. A secret is read one by one.
const LISTED: [&str; 4] = ["client_id", "name", "app_type", "grant_types"];

impl Tenant {
    /// Issues a token of the Management API to an operator.
    pub fn issue_operator_token(&mut self, scopes: &[&str]) -> String {
        let token = format!("operator-token-{}", self.new_id());
        self.tokens.insert(token.clone(), scopes.iter().map(|scope| (*scope).to_owned()).collect());
        token
    }

    pub(crate) fn list_applications(&self, call: &Call<'_>) -> Outcome {
        let query = Fields::query(call.request, &["fields", "include_fields", "is_global", "page", "per_page"])?;
        let fields: Vec<&str> = query.get("fields").split(',').collect();
        if query.get("include_fields") != "true" || fields.iter().any(|field| !LISTED.contains(field)) {
            return Err(stricter_than_auth0("a list of applications has `fields` without secrets"));
        }
        if query.get("is_global") != "false" {
            return Err(stricter_than_auth0("the global application is not left out"));
        }
        let (page, per_page) = query.page()?;
        let shown = self.applications.iter().skip(page * per_page).take(per_page).map(|application| {
            let all = application.shown();
            let members = fields.iter().filter_map(|field| Some(((*field).to_owned(), all.get(*field)?.clone())));
            members.collect::<serde_json::Map<_, _>>()
        });
        Ok(good(200, &json!(shown.collect::<Vec<_>>())))
    }

    pub(crate) fn create_application(&mut self, call: &Call<'_>) -> Outcome {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct New {
            name: String,
            app_type: String,
            grant_types: Vec<String>,
            token_endpoint_auth_method: String,
        }
        let New { name, app_type, grant_types, token_endpoint_auth_method } = body(call.request)?;
        // Auth0 forbids `<` and `>` in names.
        if name.is_empty() || name.contains(['<', '>']) {
            return Err(invalid_body("'String does not match pattern' on property name"));
        }
        if (&*app_type, &*token_endpoint_auth_method) != ("non_interactive", "client_secret_post")
            || grant_types != ["client_credentials"]
        {
            return Err(stricter_than_auth0("the application is not one for machines only"));
        }
        let (client_id, secret) = (self.new_id(), self.new_id());
        let mut application = Application::web(&client_id, &secret);
        application.name = name;
        application.kind = "non_interactive";
        let mut shown = application.shown();
        set(&mut shown, [("client_secret", json!(secret))]);
        self.applications.push(application);
        Ok(good(201, &shown))
    }

    pub(crate) fn list_grants(&self, call: &Call<'_>) -> Outcome {
        let query = Fields::query(call.request, &["client_id", "audience"])?;
        if query.get("audience") != audience() {
            return Err(stricter_than_auth0("grants are read for the Management API"));
        }
        let application = self.application(query.get("client_id"));
        let grants = application.and_then(|own| own.scopes.as_ref().map(|scopes| show_grant(&own.client_id, scopes)));
        Ok(good(200, &json!(Vec::from_iter(grants))))
    }

    pub(crate) fn create_grant(&mut self, call: &Call<'_>) -> Outcome {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct New {
            client_id: String,
            audience: String,
            scope: BTreeSet<String>,
        }
        let New { client_id, audience: requested, scope } = body(call.request)?;
        if requested != audience() {
            return Err(refusal(404, "The API does not exist", "inexistent_resource_server"));
        }
        match self.application(&client_id) {
            None => return Err(refusal(404, "The client does not exist", "inexistent_client")),
            Some(application) if application.scopes.is_some() => {
                return Err(refusal(409, "A grant exists already", "resource_already_exists"));
            }
            Some(_) => self.change_application(&client_id, |application| application.scopes = Some(scope.clone())),
        }
        Ok(good(201, &show_grant(&client_id, &scope)))
    }

    pub(crate) fn update_grant(&mut self, call: &Call<'_>) -> Outcome {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Change {
            scope: BTreeSet<String>,
        }
        let Change { scope } = body(call.request)?;
        let missing = || refusal(404, "The grant does not exist", "inexistent_grant");
        let client_id = call.id.strip_prefix(GRANT).ok_or_else(missing)?.to_owned();
        let own = self.application(&client_id).and_then(|own| own.scopes.clone()).ok_or_else(missing)?;
        if !scope.is_superset(&own) {
            return Err(stricter_than_auth0("a setup removes no scopes"));
        }
        self.change_application(&client_id, |application| application.scopes = Some(scope.clone()));
        Ok(good(200, &show_grant(&client_id, &scope)))
    }
}

/// The beginning of the id of a grant, which continues with the client id.
const GRANT: &str = "cgr_";

fn audience() -> String {
    format!("https://{}/api/v2/", FakeAuth0::DOMAIN)
}

fn show_grant(client_id: &str, scopes: &BTreeSet<String>) -> Value {
    json!({"id": format!("{GRANT}{client_id}"), "client_id": client_id, "audience": audience(), "scope": scopes})
}
