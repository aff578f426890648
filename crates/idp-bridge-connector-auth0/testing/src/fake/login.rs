//! The endpoints of logins and logouts. There are no pages: tests use [`Tenant::log_in`] and [`Tenant::end_session`].

use idp_bridge_conformance::fake::{Answer, Incoming, Outcome, jwks};
use idp_bridge_http::header;
use serde_json::json;

use super::answer::{good, too_many_requests};
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
}
