//! Standard requests of OAuth 2.0 and OpenID Connect: userinfo, introspection, revocation, and a check of client secrets.

use http::HeaderValue;
use http::header::ACCEPT;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::schemars::JsonSchema;
use idp_bridge_core::{AccessToken, CallScope, Error, ErrorKind, OauthClient, Result, Secret};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::claims::Claims;
use super::provider::OpenIdProvider;
use crate::client_proof::AssertionSigner;
use crate::request::Request;
use crate::status_error;

/// The client authentication method. A client without a secret and a key sends only its id, and may have a client certificate.
#[derive(Debug, Clone, Copy, Default)]
pub enum ClientAuthentication<'a> {
    /// `client_secret_basic`: the secret in the header. Required of every provider.
    #[default]
    Basic,
    /// `client_secret_post`: the secret in the form.
    Post,
    /// `private_key_jwt`: an assertion in the form, signed for this audience.
    PrivateKey(&'a AssertionSigner, AssertionAudience),
}

/// The audience of a client assertion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(crate = "idp_bridge_core::schemars")]
pub enum AssertionAudience {
    /// The issuer. Specified by newer standards, since it protects from other servers that would reuse the assertion.
    #[default]
    Issuer,
    /// The URL of the token endpoint, which older providers expect (OpenID Connect Core 1.0, section 9).
    TokenEndpoint,
}

/// The client that a request is made as, and how it authenticates.
#[derive(Debug, Clone, Copy)]
pub struct ClientCredentials<'a> {
    /// The client, and its secret if it has one.
    pub client: &'a OauthClient,
    /// The client's authentication method.
    pub authentication: ClientAuthentication<'a>,
}

/// The kind of a token, sent as a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
}

/// The result of checking a client secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretCheck {
    /// The secret is correct. The provider rejected only the invalid code.
    Right,
    /// The client is unknown, or the secret is wrong.
    Wrong,
    /// The response does not show it.
    Unknown,
}

impl OpenIdProvider {
    /// Requests userinfo with a token.
    ///
    /// # Behavior
    ///
    /// - A token that the provider rejects with a challenge (RFC 6750) or an OAuth error is `InvalidToken`. A 401 without either
    ///   is `Unavailable`, because a gateway may have sent it.
    /// - A missing `userinfo_endpoint` is `Unsupported`.
    /// - A response that is not a JSON object with a `sub` is `InvalidResponse`.
    pub async fn userinfo(&self, scope: &CallScope, token: &AccessToken) -> Result<Claims> {
        let discovery = self.discovery(scope).await?;
        self.userinfo_at(scope, endpoint(discovery.userinfo_endpoint.as_ref(), "userinfo_endpoint")?, token).await
    }

    /// Like [`userinfo`](Self::userinfo), with a configured URL and without discovery.
    pub async fn userinfo_at(&self, scope: &CallScope, url: Url, token: &AccessToken) -> Result<Claims> {
        let request = Request::get(url).header(ACCEPT, JSON).bearer(&Secret::new(token.expose()))?;
        let answer = self.client().send(scope, request).await?;
        let answer = answer.or_token_refusal(|status, _: OauthError| status_error(status))?;
        let claims = Claims::from_response(&answer)?;
        if claims.text("sub").is_none() {
            return Err(Error::upstream(ErrorKind::InvalidResponse, "the userinfo response has no `sub`"));
        }
        Ok(claims)
    }

    /// Introspects a token (RFC 7662).
    ///
    /// # Behavior
    ///
    /// - An inactive token is `InvalidToken`. The caller checks the claims of an active one.
    /// - A rejected client is `Unauthenticated`, a client without the right to introspect `PermissionDenied`.
    /// - A missing `introspection_endpoint` is `Unsupported`.
    pub async fn introspect(
        &self,
        scope: &CallScope,
        token: &AccessToken,
        credentials: ClientCredentials<'_>,
    ) -> Result<Claims> {
        let discovery = self.discovery(scope).await?;
        let url = endpoint(discovery.introspection_endpoint.as_ref(), "introspection_endpoint")?;
        let form = [("token", token.expose()), ("token_type_hint", TokenKind::Access.hint())];
        let request = Request::post(url).read_only().header(ACCEPT, JSON);
        let answer = self
            .client()
            .send(scope, self.authenticate(request, &form, credentials, &discovery.token_endpoint)?)
            .await?;
        let claims =
            Claims::from_response(&answer.or_refusal(|status, refusal: OauthError| match refusal.error.as_str() {
                // node-oidc-provider 9.13 never introspects signed tokens (November 2026).
                "unsupported_token_type" => {
                    Error::invalid_token("the identity provider does not introspect tokens of this kind")
                }
                _ => client_refusal(status, &refusal),
            })?)?;
        match claims.get("active").and_then(serde_json::Value::as_bool) {
            Some(true) => Ok(claims),
            Some(false) => Err(Error::invalid_token("the token is not active")),
            None => {
                let message = "the introspection response has no `active`";
                Err(Error::upstream(ErrorKind::InvalidResponse, message))
            }
        }
    }

    /// Revokes a token (RFC 7009). Returns the `date` of the response.
    ///
    /// # Behavior
    ///
    /// - An unknown or revoked token is `Ok`. A token of another client is `InvalidInput` if the provider rejects it.
    /// - A rejected client is `Unauthenticated`.
    /// - A kind of token that cannot be revoked, or a missing `revocation_endpoint`, is `Unsupported`.
    pub async fn revoke(
        &self,
        scope: &CallScope,
        token: &Secret,
        kind: TokenKind,
        credentials: ClientCredentials<'_>,
    ) -> Result<Option<Timestamp>> {
        let discovery = self.discovery(scope).await?;
        let url = endpoint(discovery.revocation_endpoint.as_ref(), "revocation_endpoint")?;
        let form = [("token", token.expose()), ("token_type_hint", kind.hint())];
        let request =
            self.authenticate(Request::post(url).header(ACCEPT, JSON), &form, credentials, &discovery.token_endpoint)?;
        let answer = self.client().send(scope, request).await?;
        let revoked_at = answer.date();
        answer.or_refusal(|status, refusal: OauthError| match refusal.error.as_str() {
            "invalid_grant" | "unauthorized_client" | "invalid_token" | "invalid_request" if status == 400 => {
                Error::upstream(ErrorKind::InvalidInput, "the token was not issued to this client")
            }
            "unsupported_token_type" => {
                Error::upstream(ErrorKind::Unsupported, "the identity provider cannot revoke tokens of this kind")
            }
            _ => client_refusal(status, &refusal),
        })?;
        Ok(revoked_at)
    }

    /// Checks a client secret without a login, by redeeming an invalid authorization code.
    ///
    /// A provider authenticates the client first, so `invalid_grant` means that the secret is correct.
    pub async fn check_secret(
        &self,
        scope: &CallScope,
        credentials: ClientCredentials<'_>,
        redirect_uri: &str,
    ) -> Result<SecretCheck> {
        let url = self.discovery(scope).await?.token_endpoint.clone();
        self.check_secret_at(scope, url, credentials, redirect_uri).await
    }

    /// Like [`check_secret`](Self::check_secret), with a configured URL and without discovery.
    pub async fn check_secret_at(
        &self,
        scope: &CallScope,
        url: Url,
        credentials: ClientCredentials<'_>,
        redirect_uri: &str,
    ) -> Result<SecretCheck> {
        let form = [("grant_type", "authorization_code"), ("code", INVALID_CODE), ("redirect_uri", redirect_uri)];
        let request = Request::post(url.clone()).read_only().header(ACCEPT, JSON);
        let answer = self.client().send(scope, self.authenticate(request, &form, credentials, &url)?).await?;
        if answer.status.is_success() {
            return Ok(SecretCheck::Unknown);
        }
        let refusal: OauthError = answer.refusal()?;
        match (answer.status.as_u16(), refusal.error.as_str()) {
            (400..=499, "invalid_grant") => Ok(SecretCheck::Right),
            (400..=499, "invalid_client") | (401, _) => Ok(SecretCheck::Wrong),
            (400 | 403, _) => Ok(SecretCheck::Unknown),
            (status, _) => Err(status_error(status).with_retry_after(answer.retry_after())),
        }
    }

    /// Adds a form and the client's credentials to a request.
    fn authenticate(
        &self,
        request: Request,
        form: &[(&'static str, &str)],
        ClientCredentials { client, authentication }: ClientCredentials<'_>,
        token_endpoint: &Url,
    ) -> Result<Request> {
        let id = ("client_id", client.id.as_str());
        Ok(match (authentication, &client.secret) {
            (ClientAuthentication::PrivateKey(signer, audience), _) => {
                let audience = match audience {
                    AssertionAudience::Issuer => self.issuer().to_owned(),
                    AssertionAudience::TokenEndpoint => token_endpoint.to_string(),
                };
                let form: Vec<_> = form.iter().chain([&id]).map(|(name, value)| (*name, (*value).to_owned())).collect();
                let signer = signer.clone();
                // Each attempt needs a new assertion.
                request.form_with(move || Ok([form.clone(), signer.form_fields(&audience)?.into()].concat()))
            }
            (_, None) => request.form(&[form, &[id]].concat()),
            (ClientAuthentication::Post, Some(secret)) => {
                request.form(&[form, &[id, ("client_secret", secret.expose())]].concat())
            }
            (ClientAuthentication::Basic, Some(secret)) => {
                // RFC 6749, section 2.3.1.
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                request.form(form).basic(&encoded(&client.id), &Secret::new(encoded(secret.expose())))?
            }
        })
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// A redirect URI that no client has, to check secrets with.
pub const UNUSED_REDIRECT_URI: &str = "https://idp-bridge.invalid/";
/// A code that no provider issues.
const INVALID_CODE: &str = "made-up-by-idp-bridge-to-check-the-secret";

impl TokenKind {
    fn hint(self) -> &'static str {
        match self {
            Self::Access => "access_token",
            Self::Refresh => "refresh_token",
        }
    }
}

fn endpoint(found: Option<&Url>, name: &'static str) -> Result<Url> {
    found.cloned().ok_or_else(|| {
        Error::unsupported("the identity provider's discovery document lacks an endpoint").with("endpoint", name)
    })
}

fn client_refusal(status: u16, refusal: &OauthError) -> Error {
    match (status, refusal.error.as_str()) {
        (401, _) | (400, "invalid_client") => {
            Error::upstream(ErrorKind::Unauthenticated, "the identity provider refuses the client or its credentials")
                .with_hint(
                    "copy the client's id and secret again, or register its public key or certificate; and check its \
                     authentication method",
                )
        }
        (403, _) | (400, "unauthorized_client") => {
            Error::upstream(ErrorKind::PermissionDenied, "the client lacks the right for this request")
        }
        _ => status_error(status),
    }
}

/// The body of an OAuth error (RFC 6749, section 5.2).
#[derive(Deserialize)]
struct OauthError {
    error: String,
}
