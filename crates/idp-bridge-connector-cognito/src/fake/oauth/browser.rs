//! The browser's endpoints of the domain: the sign-in, which sets a cookie, and the sign-out, which clears it.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_http::{Url, header};

use super::{Outcome, error_page, redirect, with_header};
use crate::fake::pool::{Pool, Status};

/// The name of the browser's cookie.
const COOKIE: &str = "cognito";

/// An authorization code.
pub(super) struct Code {
    pub(super) request: Request,
    pub(super) user_id: String,
}

/// An authorization request.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) scopes: Vec<String>,
    pub(super) challenge: Option<String>,
    pub(super) nonce: Option<String>,
    state: Option<String>,
}

impl Pool {
    /// Parses and checks an authorization request.
    fn authorization_request(&self, request: &Incoming) -> Result<Request, Answer> {
        let query = request.query().ok_or_else(|| error_page("a parameter is repeated"))?;
        let take = |name: &str| query.get(name).cloned();
        let client = take("client_id").and_then(|id| self.app_client(&id).cloned());
        let client = client.ok_or_else(|| error_page("invalid_client"))?;
        let redirect_uri = take("redirect_uri").filter(|uri| client.callback_urls.contains(uri));
        let redirect_uri = redirect_uri.ok_or_else(|| error_page("redirect_mismatch"))?;
        let asked = take("scope").unwrap_or_else(|| client.scopes.join(" "));
        let scopes: Vec<String> = asked.split(' ').map(str::to_owned).collect();
        let is_code = take("response_type").as_deref() == Some("code");
        let is_pkce = take("code_challenge").is_none() || take("code_challenge_method").as_deref() == Some("S256");
        if !is_code || !is_pkce || !scopes.iter().all(|scope| client.scopes.contains(scope)) {
            return Err(error_page("invalid_request"));
        }
        Ok(Request {
            client_id: client.client_id,
            redirect_uri,
            scopes,
            challenge: take("code_challenge"),
            nonce: take("nonce"),
            state: take("state"),
        })
    }

    pub(super) fn authorize_code(&mut self, request: &Incoming) -> Outcome {
        let asked = self.authorization_request(request)?;
        let known = cookie(request).and_then(|cookie| self.oauth.cookies.get(cookie)).cloned();
        match known {
            Some(user_id) => redirect(&self.code(asked, &user_id)),
            None => redirect(&format!("/login?{}", request.target.split_once('?').map_or("", |(_, query)| query))),
        }
    }

    /// Handles the sign-in form.
    pub(super) fn sign_in(&mut self, request: &Incoming) -> Outcome {
        let asked = self.authorization_request(request)?;
        let form = request.form().unwrap_or_default();
        let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let user = self.user_named(given("username")).ok();
        let user = user.filter(|user| user.enabled && user.status == Status::Confirmed);
        let user = user.filter(|user| user.password.as_deref() == Some(given("password")));
        let user_id = user.ok_or_else(|| error_page("Incorrect username or password."))?.id().to_owned();
        let cookie = self.new_id();
        self.oauth.cookies.insert(cookie.clone(), user_id.clone());
        let to = self.code(asked, &user_id);
        redirect(&to)
            .map(|answer| with_header(answer, header::SET_COOKIE, &format!("{COOKIE}={cookie}; Secure; HttpOnly")))
    }

    /// Creates a code, and returns the redirect URL with it.
    fn code(&mut self, request: Request, user_id: &str) -> String {
        let code = self.new_id();
        let mut pairs = vec![("code", code.clone())];
        pairs.extend(request.state.clone().map(|state| ("state", state)));
        let to = Url::parse_with_params(&request.redirect_uri, pairs).map_or_else(|_| String::new(), String::from);
        self.oauth.codes.insert(code, Code { request, user_id: user_id.to_owned() });
        to
    }

    /// Ends the browser's session, but no tokens. `state` is not returned (reported: awsdocs, issue 15 of the guide, 2021).
    pub(super) fn sign_out(&mut self, request: &Incoming) -> Outcome {
        let query = request.query().unwrap_or_default();
        let client = query.get("client_id").and_then(|id| self.app_client(id));
        let client = client.ok_or_else(|| error_page("invalid_client"))?;
        let to = query.get("logout_uri").filter(|uri| client.logout_urls.contains(uri));
        let to = to.ok_or_else(|| error_page("invalid_request"))?.clone();
        if let Some(cookie) = cookie(request) {
            self.oauth.cookies.remove(cookie);
        }
        redirect(&to).map(|answer| with_header(answer, header::SET_COOKIE, &format!("{COOKIE}=; Max-Age=0")))
    }
}

fn cookie(request: &Incoming) -> Option<&str> {
    let cookies = request.header(&header::COOKIE)?.split("; ");
    cookies.filter_map(|pair| pair.split_once('=')).collect::<BTreeMap<_, _>>().remove(COOKIE)
}
