//! The federation harness of a real OpenID Provider, with logins in a browser.

use std::sync::PoisonError;

use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_conformance::fixture::text_claim;
use idp_bridge_conformance::{
    ClaimNames, EndSessionForm, FederationFacts, FederationHarness, Flaw, SignIn, TestResult, TokenStatus, Tokens,
    async_trait,
};
use idp_bridge_core::{AccessToken, Clock as _, OauthClient, Random as _, Secret, SystemClock, SystemRandom, UserId};
use idp_bridge_http::{HeaderName, HeaderValue, Request, Response, Url};
use serde_json::{Value, json};

use super::browser::{Browser, Target, field, parameter};
use super::scope;
use super::server::ServerHarness;

/// The scopes of a login.
const SCOPES: &str = "openid email customer";

impl ServerHarness {
    /// Logs a user in with the login page, and returns the browser and the code.
    async fn authorize(&self, client: &OauthClient, sign_in: &SignIn) -> TestResult<(Browser, String)> {
        let scope = if sign_in.offline { &format!("{SCOPES} offline_access") } else { SCOPES };
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", client.id.as_str()),
            ("redirect_uri", self.server.redirect_uri.as_str()),
            ("scope", scope),
            ("state", "s"),
            ("nonce", "n"),
        ];
        if sign_in.offline {
            // Offline access needs a consent (OpenID Connect Core 1.0, section 11).
            query.push(("prompt", "consent"));
        }
        let (mut browser, issuer) = (Browser::default(), self.at(&[])?);
        let begin = Request::get(self.at(&["auth"])?).query(&query);
        let Target::Page(url, _) = browser.follow(&self.http, &issuer, begin, self.at(&["auth"])?).await? else {
            return Err("the provider returned no login page".into());
        };
        let form = [("email", sign_in.email.as_str()), ("password", sign_in.password.as_str())];
        match browser.follow(&self.http, &issuer, Request::post(url.clone()).form(&form), url).await? {
            Target::Application(callback) => Ok((browser, parameter(&callback, "code")?)),
            Target::Page(..) => Err("the provider rejected the login".into()),
        }
    }

    /// Sends a token request of an application.
    async fn request_token(
        &self,
        client: &OauthClient,
        form: &[(&str, &str)],
        proof: Option<&str>,
    ) -> TestResult<Response> {
        let mut request = Request::post(self.at(&["token"])?).form(form);
        if let Some(secret) = &client.secret {
            // The lab's ids and secrets have no characters that need encoding.
            request = request.basic(&client.id, secret)?;
        }
        if let Some(proof) = proof {
            request = request.header(HeaderName::from_static("dpop"), HeaderValue::from_str(proof)?);
        }
        Ok(self.http.send(&scope(), request).await?)
    }

    async fn redeem(&self, client: &OauthClient, code: &str, proof: Option<&str>) -> TestResult<Tokens> {
        let form =
            [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", self.server.redirect_uri.as_str())];
        let answer = self.request_token(client, &form, proof).await?;
        let body: Value = answer.json()?;
        let secret = |name: &str| text(&body, name).ok().map(Secret::new);
        let access = AccessToken::new(text(&body, "access_token")?)?;
        Ok(Tokens { access, refresh: secret("refresh_token"), id: secret("id_token") })
    }

    /// Returns a proof of possession for the token endpoint (RFC 9449).
    fn new_proof(&self) -> TestResult<String> {
        let key = SigningKey::es256("dpop")?;
        let header = json!({"typ": "dpop+jwt", "alg": key.algorithm(), "jwk": key.jwk()});
        let claims = json!({
            "jti": SystemRandom.word()?, "htm": "POST", "htu": self.at(&["token"])?.as_str(),
            "iat": SystemClock.now().as_second(),
        });
        Ok(key.sign(&header, &claims)?)
    }

    /// Returns whether introspection reports a token as active.
    async fn is_active(&self, token: &str) -> TestResult<bool> {
        let bridge = &self.server.bridge;
        let secret = bridge.secret.as_ref().ok_or("the bridge's client has no secret")?;
        let request = Request::post(self.at(&["token", "introspection"])?).form(&[("token", token)]);
        let answer = self.http.send(&scope(), request.basic(&bridge.id, secret)?).await?;
        let active = answer.json::<Value>()?.get("active").and_then(Value::as_bool);
        active.ok_or_else(|| "the introspection response has no `active`".into())
    }

    async fn subject_of(&self, sign_in: &SignIn) -> TestResult<String> {
        let (_, code) = self.authorize(&self.server.app, sign_in).await?;
        let tokens = self.redeem(&self.server.app, &code, None).await?;
        id_claim(&tokens, "sub")
    }
}

/// Returns a string member.
pub(super) fn text<'a>(answer: &'a Value, name: &str) -> TestResult<&'a str> {
    let text = answer.get(name).and_then(Value::as_str);
    text.ok_or_else(|| format!("the response has no `{name}`: {answer}").into())
}

/// Returns a text claim of the ID token.
fn id_claim(tokens: &Tokens, name: &str) -> TestResult<String> {
    text_claim(tokens.id.as_ref().ok_or("the login has no ID token")?.expose(), name)
}

#[async_trait]
impl FederationHarness for ServerHarness {
    fn facts(&self) -> FederationFacts {
        FederationFacts {
            clients: vec![self.server.app.id.clone(), self.server.public_app.id.clone()],
            issuer: self.server.issuer.clone(),
            claims: ClaimNames { subject: "sub", client: "client_id", session: Some("sid") },
            end_session: EndSessionForm {
                url: format!("{}/session/end", self.server.issuer),
                client: "client_id",
                redirect_uri: "post_logout_redirect_uri",
                hint: Some("id_token_hint"),
                state: Some("state"),
            },
        }
    }

    async fn sign_in(&self, sign_in: &SignIn) -> TestResult<Tokens> {
        if let Some(claim) = &sign_in.customer_claim {
            // The claim has the user's value when the tokens are issued.
            self.change(&self.subject_of(sign_in).await?, &json!({"customer": claim})).await?;
        }
        let client = if sign_in.foreign_client { &self.server.stranger } else { &self.server.app };
        let (browser, code) = self.authorize(client, sign_in).await?;
        let tokens = self.redeem(client, &code, None).await?;
        let mut browsers = self.browsers.lock().unwrap_or_else(PoisonError::into_inner);
        browsers.insert(tokens.access.expose().to_owned(), browser);
        Ok(tokens)
    }

    async fn check_tokens(&self, tokens: &mut Tokens) -> TestResult<TokenStatus> {
        let userinfo = Request::get(self.at(&["me"])?).bearer(&Secret::new(tokens.access.expose()))?;
        let userinfo = self.http.send(&scope(), userinfo).await?.status.is_success();
        let introspection = self.is_active(tokens.access.expose()).await?;
        let refresh = match &tokens.refresh {
            Some(token) => {
                // The provider does not rotate refresh tokens, so using one does not change it.
                let form = [("grant_type", "refresh_token"), ("refresh_token", token.expose())];
                Some(self.request_token(&self.server.app, &form, None).await?.status.is_success())
            }
            None => None,
        };
        Ok(TokenStatus { userinfo: Some(userinfo), introspection: Some(introspection), refresh })
    }

    async fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> TestResult<AccessToken> {
        let app = &self.server.app;
        match flaw {
            Flaw::ServiceAccount => {
                let answer =
                    self.request_token(app, &[("grant_type", "client_credentials")], None).await?.json::<Value>()?;
                Ok(AccessToken::new(text(&answer, "access_token")?)?)
            }
            Flaw::SenderConstrained => {
                let (_, code) = self.authorize(app, sign_in).await?;
                Ok(self.redeem(app, &code, Some(&self.new_proof()?)).await?.access)
            }
            other => Err(format!("the harness does not support the flaw {other:?}").into()),
        }
    }

    async fn end_login(&self, tokens: &Tokens) -> TestResult<Option<AccessToken>> {
        let mut browser = self.browser_of(tokens).ok_or("no browser logged in with this token")?;
        let hint = tokens.id.as_ref().ok_or("the login has no ID token")?.expose();
        let query = [
            ("id_token_hint", hint),
            ("client_id", self.server.app.id.as_str()),
            ("post_logout_redirect_uri", self.server.post_logout_redirect_uri.as_str()),
        ];
        let (issuer, end) = (self.at(&[])?, self.at(&["session", "end"])?);
        let begin = Request::get(end.clone()).query(&query);
        let Target::Page(url, page) = browser.follow(&self.http, &issuer, begin, end).await? else {
            return Err("the provider returned no logout page".into());
        };
        let confirm = Request::post(self.at(&["session", "end", "confirm"])?)
            .form(&[("xsrf", field(&page, "xsrf")?), ("logout", "yes")]);
        let Target::Application(callback) = browser.follow(&self.http, &issuer, confirm, url).await? else {
            return Err("the logout did not redirect to the application".into());
        };
        if callback != Url::parse(&self.server.post_logout_redirect_uri)? {
            return Err("the logout redirected to another URL".into());
        }
        let session = &id_claim(tokens, "sid")?;
        let answer = self.send_control(Request::get(self.at(&["lab", "logouts", session])?)).await?.json::<Value>()?;
        Ok(Some(AccessToken::new(text(&answer, "logout_token")?)?))
    }

    async fn block(&self, id: &UserId) -> TestResult<()> {
        self.change(id.as_str(), &json!({"blocked": true})).await
    }

    async fn delete(&self, id: &UserId) -> TestResult<()> {
        let answer = self.send_control(Request::delete(self.at(&["lab", "users", id.as_str()])?)).await?;
        if answer.status.is_success() { Ok(()) } else { Err("the user does not exist".into()) }
    }
}
