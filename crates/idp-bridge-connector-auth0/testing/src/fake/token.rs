//! The Authentication API: tokens and password reset mails.

use idp_bridge_conformance::fake::{Answer, AssertionRules, Incoming, Outcome};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{oauth_refusal, stricter_than_auth0};
use super::tenant::{Application, Mail, Tenant, now};
use super::{FakeAuth0, Fields, body, is_true, set, text};

impl Tenant {
    pub(crate) fn token(&mut self, request: &Incoming) -> Outcome {
        let form = Fields::form(request)?;
        match form.get("grant_type") {
            "client_credentials" => self.grant_client_credentials(&form),
            "authorization_code" => {
                self.authenticate_client(&form)?;
                // There are no valid codes. The text is recorded.
                Err(oauth_refusal(403, "invalid_grant", "Invalid authorization code"))
            }
            _ => Err(oauth_refusal(403, "unsupported_grant_type", "Unsupported grant type")),
        }
    }

    fn grant_client_credentials(&mut self, form: &Fields) -> Outcome {
        let known =
            ["grant_type", "audience", "client_id", "client_secret", "client_assertion", "client_assertion_type"];
        if let Some(name) = form.0.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(stricter_than_auth0(&format!("unknown parameter `{name}`")));
        }
        let application = self.authenticate(form)?;
        let requested = form.get("audience");
        if requested != format!("https://{}/api/v2/", FakeAuth0::DOMAIN) {
            // The text comes from node-auth0 #292, the status from the tests of another client.
            let why = format!("Service not enabled within domain: {requested}");
            return Err(oauth_refusal(403, "access_denied", &why));
        }
        let Some(scopes) = application.scopes else {
            // The text comes from ruby-auth0 #610, the status from auth0-python #173.
            let why =
                format!("Client is not authorized to access \"{requested}\". You need to create a \"client-grant\"");
            return Err(oauth_refusal(403, "access_denied", &why));
        };
        let token = format!("fake-token-{}", self.new_id());
        let mut answer = json!({"access_token": token, "expires_in": 86_400, "token_type": "Bearer"});
        if !self.hides_scopes {
            set(&mut answer, [("scope", json!(Vec::from_iter(scopes.clone()).join(" ")))]);
        }
        self.tokens.insert(token, scopes);
        Ok(Answer::json(200, &answer))
    }

    /// Authenticates an application with its secret or an unused assertion.
    pub(crate) fn authenticate(&mut self, form: &Fields) -> Result<Application, Answer> {
        let refused = || oauth_refusal(401, "access_denied", "Unauthorized");
        let application = self.application(form.get("client_id")).cloned().ok_or_else(refused)?;
        let is_right = match (form.find("client_secret"), form.find("client_assertion"), &application.jwk) {
            (Some(secret), None, _) => application.secret.as_deref() == Some(secret),
            (None, Some(assertion), Some(jwk)) => {
                let (client_id, issuer) = (application.client_id.as_str(), Self::issuer());
                let rules = AssertionRules { client_id, jwk, audience: &issuer };
                self.used_assertions.accept(form.find("client_assertion_type"), assertion, rules)
            }
            _ => false,
        };
        if is_right { Ok(application) } else { Err(refused()) }
    }

    /// Logs a user in to a connection, and returns whether that succeeded. Attempts of blocked users count too, as documented.
    pub fn log_in_to(&mut self, connection: &str, email: &str, password: &str) -> bool {
        let user = self.find_in(Some(connection), email).filter(|user| self.has_password(user, password));
        let Some(id) = user.and_then(|user| text(user, "user_id")).map(str::to_owned) else { return false };
        self.change(&id, |user| {
            let count = user.get("logins_count").and_then(Value::as_i64).unwrap_or_default() + 1;
            set(user, [("logins_count", json!(count)), ("last_login", now()), ("updated_at", now())]);
        });
        !self.user(&id).is_some_and(|user| is_true(user, "blocked"))
    }

    /// Returns one sentence for existing and missing users, as documented.
    pub(crate) fn change_password(&mut self, request: &Incoming) -> Outcome {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Order {
            client_id: String,
            email: String,
            connection: String,
        }
        let Order { client_id, email, connection } = body(request)?;
        // These errors were not recorded.
        if self.application(&client_id).is_none() {
            return Err(oauth_refusal(400, "invalid_request", "unknown client"));
        }
        if self.connections.get(&connection).is_none_or(|strategy| strategy != "auth0") {
            return Err(oauth_refusal(400, "invalid_request", "unknown connection"));
        }
        let to = self.find_in(Some(&connection), &email).and_then(|user| text(user, "email")).map(str::to_owned);
        if let Some(to) = to.filter(|_| self.sends("reset_email")) {
            let template = "reset_email".into();
            self.mails.push(Mail { to, template, client_id: Some(client_id), custom_domain: None });
        }
        let sentence = "We've just sent you an email to reset your password.";
        Ok(Answer::new(200, "text/html; charset=utf-8", sentence))
    }
}
