//! An application of the tenant that signs users in at the pool's domain, each with a separate browser.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_conformance::{TestResult, Tokens};
use idp_bridge_core::{AccessToken, CallScope, OauthClient, OutboundPolicy, Random as _, Secret, SystemRandom};
use idp_bridge_http::{BaseUrl, Client, Request, Response, StatusCode, Url, header};
use serde_json::Value;

/// An application with its app client.
pub(super) struct Application<'a> {
    pub(super) http: &'a Client,
    /// The pool's domain.
    pub(super) domain: &'a str,
    pub(super) client: &'a OauthClient,
    /// The callback URL.
    pub(super) callback: &'a str,
}

/// The scopes that the application requests.
const SCOPES: &str = "openid profile email";

impl Application<'_> {
    /// Signs a user in (authorization code with PKCE).
    pub(super) async fn sign_in(&self, username: &str, password: &str) -> TestResult<Tokens> {
        let (state, verifier) = (SystemRandom.word()?, SystemRandom.word()? + &SystemRandom.word()?);
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        let parameters = [
            ("response_type", "code"),
            ("client_id", &self.client.id),
            ("redirect_uri", self.callback),
            ("scope", SCOPES),
            ("state", &state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let page = self.send(Request::get(self.at("oauth2/authorize")?).query(&parameters)).await?;
        if !page.status.is_success() && !page.status.is_redirection() {
            return Err(format!("the authorization request returned {}", page.status).into());
        }
        // Cognito's page sends the request in the query, ministack's in the form.
        let form = [&parameters[..], &[("username", username), ("password", password)]].concat();
        let back = self.send(Request::post(self.at("login")?).query(&parameters).form(&form)).await?;
        let back = Url::parse(back.header(&header::LOCATION).ok_or("the sign-in did not redirect")?)?;
        let given = |name: &str| back.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned());
        if given("state").as_deref() != Some(&state) || !back.as_str().starts_with(self.callback) {
            return Err("the redirect has another state or callback URL".into());
        }
        let code = given("code").ok_or("the redirect has no code")?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", self.callback),
            ("code_verifier", &verifier),
        ];
        tokens(&self.request_token(&form).await?)
    }

    /// Requests a token for the application itself.
    pub(super) async fn client_credentials(&self, scope: &str) -> TestResult<AccessToken> {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        Ok(tokens(&self.request_token(&form).await?)?.access)
    }

    /// Returns whether the refresh token is active.
    pub(super) async fn accepts_refresh(&self, token: &Secret) -> TestResult<bool> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.expose())];
        is_active(&self.request_token(&form).await?, StatusCode::BAD_REQUEST)
    }

    /// Returns whether userInfo accepts the access token.
    pub(super) async fn accepts(&self, token: &AccessToken) -> TestResult<bool> {
        let request = Request::get(self.at("oauth2/userInfo")?).bearer(&Secret::new(token.expose()))?;
        is_active(&self.send(request).await?, StatusCode::UNAUTHORIZED)
    }

    async fn request_token(&self, form: &[(&str, &str)]) -> TestResult<Response> {
        let form = [form, &[("client_id", self.client.id.as_str())]].concat();
        let request = Request::post(self.at("oauth2/token")?).form(&form);
        let request = match &self.client.secret {
            Some(secret) => request.basic(&self.client.id, secret)?,
            None => request,
        };
        self.send(request).await
    }

    fn at(&self, path: &str) -> TestResult<Url> {
        let base = BaseUrl::parse(self.domain, &OutboundPolicy::default())?;
        Ok(base.join(&path.split('/').collect::<Vec<_>>())?.into())
    }

    async fn send(&self, request: Request) -> TestResult<Response> {
        Ok(self.http.send(&scope(), request).await?)
    }
}

/// Returns a scope for the harness's own requests.
pub(super) fn scope() -> CallScope {
    CallScope::new("harness", Duration::from_secs(60))
}

fn tokens(answer: &Response) -> TestResult<Tokens> {
    if !answer.status.is_success() {
        return Err(format!("no tokens: {} {}", answer.status, answer.text().unwrap_or_default()).into());
    }
    let body: Value = answer.json()?;
    let token = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Tokens {
        access: AccessToken::new(token("access_token").ok_or("the response has no access token")?)?,
        refresh: token("refresh_token").map(Secret::new),
        id: token("id_token").map(Secret::new),
    })
}

/// Returns whether a response proves that a token is active, or that it is not (this status).
fn is_active(response: &Response, refusal: StatusCode) -> TestResult<bool> {
    match response.status {
        StatusCode::OK => Ok(true),
        status if status == refusal => Ok(false),
        status => Err(format!("the status {status} does not show whether the token is active").into()),
    }
}
