//! The Authentication API: tokens and password reset mails.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_http::Method;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{not_found, oauth, oauth_refusal, stricter_than_auth0};
use super::tenant::{Application, Mail, Tenant, now, set};
use super::{FakeAuth0, body, text};

/// Returns the audience of the Management API.
fn audience() -> String {
    format!("https://{}/api/v2/", FakeAuth0::DOMAIN)
}

impl Tenant {
    pub(crate) fn token(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        if request.method != Method::POST {
            return Err(not_found());
        }
        let Some(form) = request.form() else { return Err(stricter_than_auth0("the token request is not a form")) };
        let field = |name: &str| form.get(name).map(String::as_str);
        match field("grant_type") {
            Some("client_credentials") => self.grant_client_credentials(&form),
            Some("password") => self.grant_password(&form),
            Some("authorization_code") => self.redeem_code(&form),
            Some("refresh_token") => self.refresh(&form),
            _ => Err(oauth_refusal(403, "unsupported_grant_type", "Unsupported grant type")),
        }
    }

    fn grant_client_credentials(&mut self, form: &BTreeMap<String, String>) -> Result<Answer, Answer> {
        let known =
            ["grant_type", "audience", "client_id", "client_secret", "client_assertion", "client_assertion_type"];
        if let Some(name) = form.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(stricter_than_auth0(&format!("unknown parameter `{name}`")));
        }
        let application = self.authenticate(form)?;
        let requested = form.get("audience").map(String::as_str).unwrap_or_default();
        if requested != audience() {
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
            set(&mut answer, "scope", json!(scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")));
        }
        self.tokens.insert(token, scopes);
        Ok(oauth(200, &answer))
    }

    /// Authenticates an application with its secret or an unused assertion.
    pub(crate) fn authenticate(&mut self, form: &BTreeMap<String, String>) -> Result<Application, Answer> {
        let field = |name: &str| form.get(name).map(String::as_str);
        let refused = || oauth_refusal(401, "access_denied", "Unauthorized");
        let application = field("client_id").and_then(|id| self.application(id)).cloned().ok_or_else(refused)?;
        match (field("client_secret"), field("client_assertion"), &application) {
            (Some(given), None, Application { secret: Some(secret), .. }) if given == secret => Ok(application),
            (None, Some(assertion), Application { public_key: Some(key), client_id, .. })
                if field("client_assertion_type") == Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") =>
            {
                let id = assertion_id(assertion, key, client_id).ok_or_else(refused)?;
                if self.used_assertions.insert(id) { Ok(application) } else { Err(refused()) }
            }
            _ => Err(refused()),
        }
    }

    fn grant_password(&mut self, form: &BTreeMap<String, String>) -> Result<Answer, Answer> {
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let wrong = || oauth_refusal(403, "invalid_grant", "Wrong email or password.");
        let email = field("username").to_lowercase();
        let is_meant = |user: &Value| text(user, "email") == Some(&email) && has_connection(user, field("realm"));
        let user = self.users.iter_mut().find(|user| is_meant(user)).ok_or_else(wrong)?;
        let id = text(user, "user_id").unwrap_or_default().to_owned();
        if self.passwords.get(&id).map(String::as_str) != Some(field("password")) {
            return Err(wrong());
        }
        // Attempts of blocked users count too, as documented.
        let count = user.get("logins_count").and_then(Value::as_i64).unwrap_or_default();
        for (name, value) in [("logins_count", json!(count + 1)), ("last_login", now()), ("updated_at", now())] {
            set(user, name, value);
        }
        if user.get("blocked") == Some(&json!(true)) {
            return Err(oauth_refusal(403, "unauthorized", "user is blocked"));
        }
        let token = format!("fake-opaque-{}", self.new_id());
        Ok(oauth(200, &json!({"access_token": token, "expires_in": 86_400, "token_type": "Bearer", "scope": "openid"})))
    }

    /// Returns one sentence for existing and missing users, as documented.
    pub(crate) fn change_password(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        if request.method != Method::POST {
            return Err(not_found());
        }
        let order = body(request, &["client_id", "email", "connection"])?;
        let field = |name| {
            text(&order, name).ok_or_else(|| oauth_refusal(400, "invalid_request", &format!("{name} is required")))
        };
        let (client_id, email, connection) = (field("client_id")?, field("email")?, field("connection")?);
        // These errors were not recorded.
        if self.application(client_id).is_none() {
            return Err(oauth_refusal(400, "invalid_request", "unknown client"));
        }
        if self.connection(connection).is_none_or(|connection| connection.strategy != "auth0") {
            return Err(oauth_refusal(400, "invalid_request", "unknown connection"));
        }
        let has_account =
            |user: &&Value| text(user, "email") == Some(&email.to_lowercase()) && has_connection(user, connection);
        if let Some(to) = self.users.iter().find(has_account).and_then(|user| text(user, "email"))
            && self.sends("reset_email")
        {
            let to = to.to_owned();
            let (template, client_id) = ("reset_email".into(), Some(client_id.to_owned()));
            self.mails.push(Mail { to, template, client_id, custom_domain: None });
        }
        let sentence = "We've just sent you an email to reset your password.";
        Ok(Answer::new(200, "text/html; charset=utf-8", sentence))
    }
}

/// Returns whether a user logs in through this connection.
pub(crate) fn has_connection(user: &Value, connection: &str) -> bool {
    let identities = user.get("identities").and_then(Value::as_array);
    identities.into_iter().flatten().any(|identity| text(identity, "connection") == Some(connection))
}

/// Returns the id of a valid assertion of this application for this tenant.
fn assertion_id(assertion: &str, key: &str, client_id: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
        sub: String,
        exp: u64,
        jti: String,
    }
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[format!("https://{}/", FakeAuth0::DOMAIN)]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    validation.leeway = 0;
    let key = DecodingKey::from_rsa_pem(key.as_bytes()).ok()?;
    let claims = decode::<Claims>(assertion, &key, &validation).ok()?.claims;
    let lifetime = claims.exp.saturating_sub(jsonwebtoken::get_current_timestamp());
    let is_own = claims.iss == client_id && claims.sub == client_id && !claims.jti.is_empty();
    (is_own && lifetime <= 300).then_some(claims.jti)
}
