//! The token endpoint.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_http::header;
use serde_json::json;

use super::session::{Session, seconds};
use super::{Outcome, json as answer, refused};
use crate::fake::FakeCognito;
use crate::fake::pool::{AppClient, Pool};

type Form = BTreeMap<String, String>;

impl Pool {
    pub(super) fn token(&mut self, request: &Incoming) -> Outcome {
        let form = request.form().ok_or_else(|| refused("invalid_request"))?;
        let client = self.authenticated(request, &form)?.clone();
        match form.get("grant_type").map(String::as_str) {
            Some("authorization_code") => self.redeem(&client, &form),
            Some("refresh_token") => self.refresh(&client, &form),
            Some("client_credentials") => self.client_credentials(&client, &form),
            _ => Err(refused("unsupported_grant_type")),
        }
    }

    /// Authenticates the client by the header or the form.
    fn authenticated(&self, request: &Incoming, form: &Form) -> Result<&AppClient, Answer> {
        let basic = request.header(&header::AUTHORIZATION).and_then(|text| text.strip_prefix("Basic "));
        let basic = basic.and_then(|text| String::from_utf8(STANDARD.decode(text).ok()?).ok());
        let (id, secret) = match basic.as_deref().map(|pair| pair.split_once(':')) {
            Some(Some((id, secret))) => (id.to_owned(), Some(secret.to_owned())),
            _ => (form.get("client_id").cloned().unwrap_or_default(), form.get("client_secret").cloned()),
        };
        let client = self.app_client(&id).filter(|client| client.secret == secret);
        client.ok_or_else(|| refused("invalid_client"))
    }

    fn redeem(&mut self, client: &AppClient, form: &Form) -> Outcome {
        let invalid = || refused("invalid_grant");
        let given = |name: &str| form.get(name).map(String::as_str);
        // A failed attempt invalidates the code too.
        let code = given("code").and_then(|code| self.oauth.codes.remove(code)).ok_or_else(invalid)?;
        let is_own = code.request.client_id == client.client_id;
        let is_redirect = given("redirect_uri") == Some(&code.request.redirect_uri);
        let proof = given("code_verifier")
            .map(|verifier| URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes())));
        if !is_own || !is_redirect || proof != code.request.challenge {
            return Err(invalid());
        }
        let session = self.begin(&code.user_id, &code.request).ok_or_else(invalid)?;
        self.active_user(&session).ok_or_else(invalid)?;
        let refresh = session.refresh.clone();
        self.tokens(&session, Some(&refresh))
    }

    fn refresh(&mut self, client: &AppClient, form: &Form) -> Outcome {
        let token = form.get("refresh_token").ok_or_else(|| refused("invalid_request"))?;
        let session = self.session(|session| session.refresh == *token && session.client_id == client.client_id);
        let session = session.filter(|session| self.active_user(session).is_some()).cloned();
        self.tokens(&session.ok_or_else(|| refused("invalid_grant"))?, None)
    }

    fn tokens(&mut self, session: &Session, refresh: Option<&str>) -> Outcome {
        let header = self.header();
        let access = self.access_claims(session);
        let access = self.sign(&header, &access).map_err(|_| Answer::empty(500))?;
        let id = if session.scopes.iter().any(|scope| scope == "openid") {
            let id = self.id_claims(session);
            Some(self.sign(&header, &id).map_err(|_| Answer::empty(500))?)
        } else {
            None
        };
        let body = json!({"access_token": access, "token_type": "Bearer", "expires_in": 3600});
        let more = [("id_token", id.as_deref()), ("refresh_token", refresh)];
        let more = more.into_iter().filter_map(|(name, token)| Some((name.to_owned(), token?.into())));
        let body = body.as_object().cloned().into_iter().flatten().chain(more).collect();
        Ok(answer(200, &body))
    }

    /// Issues a token for client credentials. It has no user name, and its subject is the client.
    fn client_credentials(&mut self, client: &AppClient, form: &Form) -> Outcome {
        let scope = form.get("scope").cloned().unwrap_or_default();
        if client.secret.is_none() || !scope.split(' ').all(|scope| scope.contains('/')) {
            return Err(refused("invalid_scope"));
        }
        let (header, now) = (self.header(), seconds());
        let claims = json!({
            "sub": client.client_id,
            "iss": FakeCognito::ISSUER,
            "version": 2,
            "client_id": client.client_id,
            "token_use": "access",
            "scope": scope,
            "auth_time": now,
            "iat": now,
            "exp": now + 3600,
            "jti": self.new_id(),
        });
        let access = self.sign(&header, &claims).map_err(|_| Answer::empty(500))?;
        Ok(answer(200, &json!({"access_token": access, "token_type": "Bearer", "expires_in": 3600})))
    }
}
