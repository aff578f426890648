//! The endpoints of logins and logouts. There are no pages to log in: tests use [`Tenant::log_in`].

use idp_bridge_conformance::fake::{Answer, Incoming, Outcome, jwks};
use idp_bridge_http::{Url, header};
use serde_json::json;

use super::answer::{good, oauth_refusal, stricter_than_auth0, too_many_requests};
use super::tenant::{Application, Tenant};
use super::{Fields, set, text};

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
        Answer::json(200, &jwks(&self.logins.key))
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
    pub(crate) fn authenticate_client(&mut self, form: &Fields) -> Result<Application, Answer> {
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
