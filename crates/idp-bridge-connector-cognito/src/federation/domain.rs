//! The pool's domain: where people sign in, and where an application's tokens come from and are asked about.
//!
//! AWS documents where its endpoints lie, so that nothing depends on which of a pool's two domains the issuer's document names.

use idp_bridge_core::{AccessToken, CallScope, EndSession, OauthClient, Result};
use idp_bridge_http::oidc::{
    Claims, ClientAuthentication, EndSessionParameters, OpenIdProvider, SecretCheck, end_session_url,
};
use idp_bridge_http::{BaseUrl, Url};

/// What Cognito calls the parameters of its logout; it has none for the hint.
///
/// AWS documents that `state` comes back from every logout. People report that it does from a new sign-in alone, and not with
/// `logout_uri` (awsdocs/amazon-cognito-developer-guide, issue 15, 2021).
const LOGOUT: EndSessionParameters = EndSessionParameters {
    client_id: "client_id",
    post_logout_redirect_uri: "logout_uri",
    id_token_hint: None,
    state: Some("state"),
};

/// A way back that no client has.
const NOWHERE: &str = "https://idp-bridge.invalid/";

/// A pool's domain.
pub(super) struct Domain {
    pub(super) authorize: Url,
    pub(super) token: Url,
    user_info: Url,
    logout: Url,
}

impl Domain {
    pub(super) fn new(base: &BaseUrl) -> Result<Self> {
        Ok(Self {
            authorize: base.join(&["oauth2", "authorize"])?,
            token: base.join(&["oauth2", "token"])?,
            user_info: base.join(&["oauth2", "userInfo"])?,
            logout: base.join(&["logout"])?,
        })
    }

    /// What userInfo tells of a token's user; `InvalidToken` if it refuses the token.
    pub(super) async fn user_info(
        &self,
        scope: &CallScope,
        issuer: &OpenIdProvider,
        token: &AccessToken,
    ) -> Result<Claims> {
        issuer.userinfo_at(scope, self.user_info.clone(), token).await
    }

    /// Whether it knows a client, with its secret.
    pub(super) async fn check_secret(
        &self,
        scope: &CallScope,
        issuer: &OpenIdProvider,
        client: &OauthClient,
    ) -> Result<SecretCheck> {
        // Not in the header, where it is undecided whether a `+` is encoded.
        let client = (client, ClientAuthentication::Post);
        issuer.check_secret_at(scope, self.token.clone(), client, NOWHERE).await
    }

    /// Where the browser signs out.
    pub(super) fn end_session(&self, end: &EndSession<'_>) -> String {
        end_session_url(&self.logout, end, LOGOUT)
    }
}
