//! The endpoints of logins and logouts.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_conformance::fake::{Answer, Incoming, Outcome, jwks};
use idp_bridge_http::{Url, header};
use serde_json::json;

use super::answer::{good, oauth_refusal, stricter_than_auth0, too_many_requests};
use super::logins::{Authorization, Grant};
use super::tenant::{Application, Tenant};
use super::{Fields, is_true, set, text};

/// The number of userinfo requests for one user before the rate limit. The fake never resets it.
const USERINFO_BURST: usize = 10;

impl Tenant {
    pub(crate) fn discovery(&self) -> Answer {
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
            set(&mut discovery, [("end_session_endpoint", json!(format!("{issuer}oidc/logout")))]);
        }
        Answer::json(200, &discovery)
    }

    pub(crate) fn jwks(&self) -> Answer {
        Answer::json(200, &jwks(&self.logins.keys))
    }

    pub(crate) fn authorize(&mut self, request: &Incoming) -> Outcome {
        let query = request.query().map(Fields).ok_or_else(|| stricter_than_auth0("a parameter comes twice"))?;
        let value = |name: &str| query.find(name).map(str::to_owned);
        let refused = |why: &str| oauth_refusal(403, "access_denied", why);
        let application = self.application(query.get("client_id")).ok_or_else(|| refused("Unknown client"))?;
        let redirect_uri = value("redirect_uri").filter(|uri| application.callbacks.contains(uri));
        let redirect_uri = redirect_uri.ok_or_else(|| refused("Callback URL mismatch."))?;
        if query.get("response_type") != "code" || query.find("state").is_none() {
            return Err(stricter_than_auth0("a login has `response_type=code` and a state"));
        }
        let challenge = value("code_challenge").filter(|_| query.get("code_challenge_method") == "S256");
        if challenge.is_none() && application.is_public() {
            return Err(stricter_than_auth0("a public application uses PKCE"));
        }
        let audience = value("audience").filter(|audience| *audience != Self::userinfo_audience());
        if let Some(unknown) = audience.as_ref().filter(|audience| !self.apis.contains_key(*audience)) {
            return Err(refused(&format!("Service not found: {unknown}")));
        }
        let authorization = Authorization {
            redirect_uri,
            challenge,
            state: value("state"),
            grant: Grant {
                client_id: application.client_id.clone(),
                scope: value("scope").unwrap_or_else(|| "openid profile email".into()),
                audience,
                nonce: value("nonce"),
                ..Grant::default()
            },
        };
        let state = self.new_id();
        self.logins.waiting.insert(state.clone(), authorization);
        Ok(Answer::redirect(&format!("/u/login?state={state}")))
    }

    /// Logs a user in: redirects the browser to the application with a code, and sets the cookie of the session.
    pub(crate) fn log_in(&mut self, request: &Incoming) -> Outcome {
        let form = Fields::form(request)?;
        let wrong = || Answer::new(400, "text/html; charset=utf-8", "<p>Wrong username or password</p>");
        let user_id = self.user_with_password(form.get("username"), form.get("password")).ok_or_else(wrong)?;
        let mut authorization = self.logins.waiting.remove(form.get("state")).ok_or_else(wrong)?;
        let (session, code) = (self.new_id(), self.new_id());
        self.logins.sessions.insert(session.clone(), user_id.clone());
        (authorization.grant.user_id, authorization.grant.session) = (user_id, Some(session.clone()));
        let back = redirect_with(
            &authorization.redirect_uri,
            &[("code", Some(&code)), ("state", authorization.state.as_deref())],
        );
        self.logins.codes.insert(code, authorization);
        Ok(back.with_text(header::SET_COOKIE, &format!("auth0={session}; Path=/; HttpOnly; SameSite=Lax")))
    }

    /// Returns the id of the user with this address and password, unless the user is blocked.
    fn user_with_password(&self, username: &str, password: &str) -> Option<String> {
        let email = username.to_lowercase();
        let mut named = self.users.iter().filter(|user| text(user, "email") == Some(&email));
        let user = named.find(|user| self.has_password(user, password) && !is_true(user, "blocked"))?;
        text(user, "user_id").map(str::to_owned)
    }

    pub(crate) fn redeem_code(&mut self, form: &Fields) -> Outcome {
        let application = self.authenticate_client(form)?;
        // The text is recorded.
        let unknown = || oauth_refusal(403, "invalid_grant", "Invalid authorization code");
        let Authorization { grant, redirect_uri, challenge, .. } =
            self.logins.codes.remove(form.get("code")).ok_or_else(unknown)?;
        if grant.client_id != application.client_id || redirect_uri != form.get("redirect_uri") {
            return Err(unknown());
        }
        let answer = URL_SAFE_NO_PAD.encode(digest(&SHA256, form.get("code_verifier").as_bytes()));
        if challenge.is_some_and(|challenge| challenge != answer) {
            return Err(oauth_refusal(403, "invalid_grant", "Failed to verify code verifier"));
        }
        self.issue(&grant, None)
    }

    pub(crate) fn refresh(&mut self, form: &Fields) -> Outcome {
        let application = self.authenticate_client(form)?;
        let unknown = || oauth_refusal(403, "invalid_grant", "Unknown or invalid refresh token.");
        let token = form.get("refresh_token");
        let refresh = self.logins.refresh_tokens.get_mut(token).ok_or_else(unknown)?;
        if refresh.grant.client_id != application.client_id {
            return Err(unknown());
        }
        let (grant, credential, rotates) = (refresh.grant.clone(), refresh.credential.clone(), refresh.rotates);
        if std::mem::replace(&mut refresh.is_spent, rotates) {
            // A used token means that it was copied: the whole family ends.
            self.delete_credential(&credential);
            return Err(unknown());
        }
        if self.user(&grant.user_id).is_none_or(|user| is_true(user, "blocked")) {
            return Err(unknown());
        }
        let next = rotates.then(|| self.keep_refresh(grant.clone(), credential, true));
        self.issue(&grant, Some(next.unwrap_or_else(|| token.to_owned())))
    }

    /// Ends the family of a refresh token of this application. Succeeds for other tokens too.
    pub(crate) fn revoke(&mut self, request: &Incoming) -> Outcome {
        let form = Fields::form(request)?;
        let application = self.authenticate_client(&form)?;
        let own = self.logins.refresh_tokens.get(form.get("token"));
        let own = own.filter(|refresh| refresh.grant.client_id == application.client_id);
        if let Some(credential) = own.map(|refresh| refresh.credential.clone()) {
            self.delete_credential(&credential);
        }
        Ok(Answer::empty(200))
    }

    /// Returns the application that a form names, after authentication unless it is public.
    fn authenticate_client(&mut self, form: &Fields) -> Result<Application, Answer> {
        match self.application(form.get("client_id")).filter(|application| application.is_public()) {
            Some(public) if form.find("client_secret").is_none() => Ok(public.clone()),
            _ => self.authenticate(form),
        }
    }

    pub(crate) fn userinfo(&mut self, request: &Incoming) -> Outcome {
        let unauthorized = || {
            let challenge = "Bearer realm=\"Users\", error=\"invalid_token\"";
            Answer::new(401, "text/plain; charset=utf-8", "Unauthorized").with_text(header::WWW_AUTHENTICATE, challenge)
        };
        let profile = request.bearer().and_then(|token| self.profile_of(token)).ok_or_else(unauthorized)?;
        let subject = text(&profile, "sub").unwrap_or_default().to_owned();
        let requests = self.logins.userinfo_requests.entry(subject).or_default();
        *requests += 1;
        if *requests > USERINFO_BURST {
            return Err(too_many_requests(60));
        }
        Ok(good(200, &profile))
    }

    /// Ends the browser's session and redirects to the application. Without a hint of the session's user, it only redirects to the
    /// confirmation page.
    pub(crate) fn log_out(&mut self, request: &Incoming) -> Outcome {
        let known = ["id_token_hint", "post_logout_redirect_uri", "client_id", "state", "federated", "logout_hint"];
        let query = Fields::query(request, &known)?;
        let target = query.get("post_logout_redirect_uri");
        let is_allowed = |application: &Application| application.logout_urls.iter().any(|own| own == target);
        if !self.application(query.get("client_id")).is_some_and(is_allowed) {
            return Err(oauth_refusal(400, "invalid_request", "The \"post_logout_redirect_uri\" is not allowed"));
        }
        let session = request.cookie("auth0");
        if !self.is_hinted(&query, session) {
            return Ok(Answer::redirect("/u/logout-confirmation"));
        }
        self.logins.sessions.remove(session.unwrap_or_default());
        let back = redirect_with(target, &[("state", query.find("state"))]);
        Ok(back.with_text(header::SET_COOKIE, "auth0=; Path=/; Max-Age=0"))
    }

    /// Returns whether a logout request names the user of the browser's session, or the session itself.
    fn is_hinted(&self, query: &Fields, session: Option<&str>) -> bool {
        if let Some(hint) = query.find("logout_hint") {
            return session == Some(hint);
        }
        let user_id = query.find("id_token_hint").and_then(|hint| self.read_id(hint, query.get("client_id")));
        let own = session.and_then(|session| self.logins.sessions.get(session));
        user_id.is_some_and(|user_id| own.is_none_or(|own| *own == user_id))
    }
}

/// Returns a redirect with these parameters, without those that are `None`.
fn redirect_with(to: &str, parameters: &[(&str, Option<&str>)]) -> Answer {
    let Ok(mut url) = Url::parse(to) else { return stricter_than_auth0("the redirect target is not a URL") };
    url.query_pairs_mut().extend_pairs(parameters.iter().filter_map(|(name, value)| Some((name, (*value)?))));
    Answer::redirect(url.as_str())
}
