//! The endpoints of logins and logouts.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_conformance::fake::{Answer, Incoming, jwks};
use idp_bridge_http::{HeaderValue, Method, Url, header};
use serde_json::{Value, json};

use super::answer::{good, not_found, oauth, oauth_refusal, stricter_than_auth0, too_many_requests};
use super::logins::{Authorization, Grant};
use super::query;
use super::tenant::{Application, Tenant, set};
use super::text;

/// The number of userinfo requests for one user before the rate limit. The fake never resets it.
const USERINFO_BURST: usize = 10;

type Form = BTreeMap<String, String>;

fn field<'a>(form: &'a Form, name: &str) -> &'a str {
    form.get(name).map(String::as_str).unwrap_or_default()
}

impl Tenant {
    /// Answers a request to a public endpoint.
    pub(crate) fn answer_public(&mut self, path: &[&str], request: &Incoming) -> Result<Answer, Answer> {
        match (&request.method, path) {
            (&Method::GET, [".well-known", "openid-configuration"]) => Ok(oauth(200, &self.discovery())),
            (&Method::GET, [".well-known", "jwks.json"]) => Ok(oauth(200, &jwks(&self.logins.keys))),
            (&Method::GET, ["authorize"]) => self.authorize(request),
            (&Method::POST, ["u", "login"]) => self.log_in(request),
            (&Method::GET, ["oidc", "logout"]) => self.log_out(request),
            (&Method::GET | &Method::POST, ["userinfo"]) => self.userinfo(request),
            (&Method::POST, ["oauth", "revoke"]) => self.revoke(request),
            _ => Err(not_found()),
        }
    }

    fn discovery(&self) -> Value {
        let issuer = Self::issuer();
        let mut discovery = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}authorize"),
            "token_endpoint": format!("{issuer}oauth/token"),
            "userinfo_endpoint": format!("{issuer}userinfo"),
            "revocation_endpoint": format!("{issuer}oauth/revoke"),
            "jwks_uri": format!("{issuer}.well-known/jwks.json"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
            "backchannel_logout_supported": self.is_enterprise,
            "backchannel_logout_session_supported": self.is_enterprise,
        });
        if !self.hides_logout {
            set(&mut discovery, "end_session_endpoint", json!(format!("{issuer}oidc/logout")));
        }
        discovery
    }

    fn authorize(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        let Some(parameters) = request.query() else { return Err(stricter_than_auth0("a parameter comes twice")) };
        let text = |name: &str| parameters.get(name).cloned();
        let refused = |why: &str| oauth_refusal(403, "access_denied", why);
        let application = self.application(field(&parameters, "client_id")).ok_or_else(|| refused("Unknown client"))?;
        let redirect_uri = field(&parameters, "redirect_uri");
        if !application.callbacks.iter().any(|own| own == redirect_uri) {
            return Err(refused("Callback URL mismatch."));
        }
        if field(&parameters, "response_type") != "code" || text("state").is_none() {
            return Err(stricter_than_auth0("a login has `response_type=code` and a state"));
        }
        let challenge = text("code_challenge").filter(|_| field(&parameters, "code_challenge_method") == "S256");
        if challenge.is_none() && application.is_public() {
            return Err(stricter_than_auth0("a public application uses PKCE"));
        }
        let audience = text("audience").filter(|audience| *audience != Self::userinfo_audience());
        if let Some(unknown) = audience.as_ref().filter(|audience| !self.apis.contains_key(*audience)) {
            return Err(refused(&format!("Service not found: {unknown}")));
        }
        let authorization = Authorization {
            client_id: application.client_id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            scope: text("scope").unwrap_or_else(|| "openid profile email".into()),
            audience,
            state: text("state"),
            nonce: text("nonce"),
            challenge,
        };
        // A browser with a session needs no new login.
        let session = session_cookie(request).filter(|session| self.has_session(session));
        match (session, field(&parameters, "prompt")) {
            (Some(session), prompt) if prompt != "login" => self.redirect_with_code(authorization, session),
            (_, "none") => Ok(redirect(
                &authorization.redirect_uri,
                &[("error", Some("login_required".into())), ("state", authorization.state)],
            )),
            _ => {
                let state = self.new_id();
                self.logins.waiting.insert(state.clone(), authorization);
                Ok(Answer::empty(302).with(header::LOCATION, location(&format!("/u/login?state={state}"))))
            }
        }
    }

    fn log_in(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        let Some(form) = request.form() else { return Err(stricter_than_auth0("the login is no form")) };
        let wrong = || Answer::new(400, "text/html; charset=utf-8", "<p>Wrong username or password</p>");
        let user = self.user_with_password(field(&form, "username"), field(&form, "password")).ok_or_else(wrong)?;
        let Some(authorization) = self.logins.waiting.remove(field(&form, "state")) else { return Err(wrong()) };
        let session = self.new_id();
        self.logins.sessions.insert(session.clone(), user);
        self.redirect_with_code(authorization, session)
    }

    /// Redirects a browser to its application with a code.
    fn redirect_with_code(&mut self, authorization: Authorization, session: String) -> Result<Answer, Answer> {
        let user_id = self.logins.sessions.get(&session).cloned().unwrap_or_default();
        let code = self.new_id();
        let grant = Grant {
            user_id,
            client_id: authorization.client_id.clone(),
            session: Some(session.clone()),
            scope: authorization.scope.clone(),
            audience: authorization.audience.clone(),
            nonce: authorization.nonce.clone(),
        };
        let back = redirect(
            &authorization.redirect_uri,
            &[("code", Some(code.clone())), ("state", authorization.state.clone())],
        );
        self.logins.codes.insert(code, (authorization, grant));
        Ok(back.with(header::SET_COOKIE, location(&format!("auth0={session}; Path=/; HttpOnly; SameSite=Lax"))))
    }

    pub(crate) fn redeem_code(&mut self, form: &Form) -> Result<Answer, Answer> {
        let application = self.authenticate_client(form)?;
        // The text is recorded.
        let unknown = || oauth_refusal(403, "invalid_grant", "Invalid authorization code");
        let (authorization, grant) = self.logins.codes.remove(field(form, "code")).ok_or_else(unknown)?;
        if authorization.client_id != application.client_id || authorization.redirect_uri != field(form, "redirect_uri")
        {
            return Err(unknown());
        }
        let answer = URL_SAFE_NO_PAD.encode(digest(&SHA256, field(form, "code_verifier").as_bytes()));
        if authorization.challenge.is_some_and(|challenge| challenge != answer) {
            return Err(oauth_refusal(403, "invalid_grant", "Failed to verify code verifier"));
        }
        self.issue(&grant, None)
    }

    pub(crate) fn refresh(&mut self, form: &Form) -> Result<Answer, Answer> {
        let application = self.authenticate_client(form)?;
        let unknown = || oauth_refusal(403, "invalid_grant", "Unknown or invalid refresh token.");
        let token = field(form, "refresh_token");
        let refresh = self.logins.refresh_tokens.get_mut(token).ok_or_else(unknown)?;
        if refresh.grant.client_id != application.client_id {
            return Err(unknown());
        }
        let (grant, credential, rotates) = (refresh.grant.clone(), refresh.credential.clone(), refresh.rotates);
        if refresh.is_spent {
            // A used token means that it was copied: the whole family ends.
            self.delete_credential(&credential);
            return Err(unknown());
        }
        refresh.is_spent = rotates;
        if self.user(&grant.user_id).is_none_or(|user| user.get("blocked") == Some(&json!(true))) {
            return Err(unknown());
        }
        let next = rotates.then(|| self.keep_refresh(grant.clone(), credential, true));
        self.issue(&grant, Some(next.unwrap_or_else(|| token.to_owned())))
    }

    /// Ends the family of a refresh token of this application. Succeeds for other tokens too.
    fn revoke(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        let Some(form) = request.form() else { return Err(stricter_than_auth0("the revocation is no form")) };
        let application = self.authenticate_client(&form)?;
        let own = self.logins.refresh_tokens.get(field(&form, "token"));
        let own = own.filter(|refresh| refresh.grant.client_id == application.client_id);
        if let Some(credential) = own.map(|refresh| refresh.credential.clone()) {
            self.delete_credential(&credential);
        }
        Ok(Answer::empty(200))
    }

    pub(crate) fn delete_credential(&mut self, credential: &str) {
        self.logins.refresh_tokens.retain(|_, refresh| refresh.credential != credential);
    }

    /// Returns the application that a form names, after authentication unless it is public.
    fn authenticate_client(&mut self, form: &Form) -> Result<Application, Answer> {
        let named = self.application(field(form, "client_id")).filter(|application| application.is_public());
        match named.cloned() {
            Some(public) if !form.contains_key("client_secret") => Ok(public),
            _ => self.authenticate(form),
        }
    }

    fn userinfo(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        let unauthorized = || {
            let challenge = HeaderValue::from_static("Bearer realm=\"Users\", error=\"invalid_token\"");
            Answer::new(401, "text/plain; charset=utf-8", "Unauthorized").with(header::WWW_AUTHENTICATE, challenge)
        };
        let profile = request.bearer().and_then(|token| self.profile_of(token)).ok_or_else(unauthorized)?;
        let requests =
            self.logins.userinfo_requests.entry(text(&profile, "sub").unwrap_or_default().to_owned()).or_default();
        *requests += 1;
        if *requests > USERINFO_BURST {
            return Err(too_many_requests(60));
        }
        Ok(good(200, &profile))
    }

    /// Ends the browser's session and redirects to the application. Without a hint of the session's user, it only redirects to the
    /// confirmation page.
    fn log_out(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        let known = ["id_token_hint", "post_logout_redirect_uri", "client_id", "state", "federated", "logout_hint"];
        let parameters = query(request, &known)?;
        let target = field(&parameters, "post_logout_redirect_uri");
        let is_allowed = |application: &Application| application.logout_urls.iter().any(|own| own == target);
        if !self.application(field(&parameters, "client_id")).is_some_and(is_allowed) {
            return Err(oauth_refusal(400, "invalid_request", "The \"post_logout_redirect_uri\" is not allowed"));
        }
        let session = session_cookie(request);
        if !self.is_hinted(&parameters, session.as_deref()) {
            return Ok(Answer::empty(302).with(header::LOCATION, location("/u/logout-confirmation")));
        }
        if let Some(session) = session {
            self.logins.sessions.remove(&session);
        }
        let no_cookie = HeaderValue::from_static("auth0=; Path=/; Max-Age=0");
        Ok(redirect(target, &[("state", parameters.get("state").cloned())]).with(header::SET_COOKIE, no_cookie))
    }

    /// Returns whether a logout request names the user of the browser's session, or the session itself.
    fn is_hinted(&self, parameters: &Form, session: Option<&str>) -> bool {
        if let Some(hint) = parameters.get("logout_hint") {
            return session == Some(hint);
        }
        let Some(user_id) =
            parameters.get("id_token_hint").and_then(|hint| self.read_id(hint, field(parameters, "client_id")))
        else {
            return false;
        };
        session.and_then(|session| self.logins.sessions.get(session)).is_none_or(|own| *own == user_id)
    }
}

/// Returns the session in the browser's cookie.
fn session_cookie(request: &Incoming) -> Option<String> {
    let cookies = request.header(&header::COOKIE)?.split("; ");
    cookies.filter_map(|cookie| cookie.strip_prefix("auth0=")).map(str::to_owned).next()
}

/// Returns a redirect with these parameters, without those that are `None`.
fn redirect(to: &str, parameters: &[(&str, Option<String>)]) -> Answer {
    let Ok(mut url) = Url::parse(to) else { return stricter_than_auth0("the redirect target is not a URL") };
    url.query_pairs_mut().extend_pairs(parameters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
    Answer::empty(302).with(header::LOCATION, location(url.as_str()))
}

fn location(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("/"))
}
