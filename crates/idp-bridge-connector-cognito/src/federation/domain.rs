//! The endpoints of the pool's domain: sign-in, tokens, userInfo and logout.
//!
//! AWS documents their paths. They are not read from the issuer's document, which contains one of a pool's two domains.

use idp_bridge_core::{AccessToken, CallScope, EndSession, OauthClient, Result};
use idp_bridge_http::oidc::{
    Claims, ClientAuthentication, ClientCredentials, EndSessionParameters, OpenIdProvider, SecretCheck,
    UNUSED_REDIRECT_URI, end_session_url,
};
use idp_bridge_http::{BaseUrl, Url};

/// The names of Cognito's logout parameters. There is no parameter for the hint.
///
/// AWS documents that a logout returns `state`. Users report that it returns only from a new sign-in, and not with `logout_uri`
/// (awsdocs/amazon-cognito-developer-guide, issue 15, 2021).
const LOGOUT: EndSessionParameters = EndSessionParameters {
    client_id: "client_id",
    post_logout_redirect_uri: "logout_uri",
    id_token_hint: None,
    state: Some("state"),
};

/// The endpoints of a pool's domain.
pub(super) struct Domain {
    pub(super) authorize: Url,
    pub(super) token: Url,
    user_info: Url,
    logout: Url,
}

impl Domain {
    pub(super) fn new(base: &BaseUrl) -> Result<Self> {
        Ok(Self {
            authorize: base.join(&["oauth2", "authorize"])?.into(),
            token: base.join(&["oauth2", "token"])?.into(),
            user_info: base.join(&["oauth2", "userInfo"])?.into(),
            logout: base.join(&["logout"])?.into(),
        })
    }

    /// Requests the claims of a token's user. `InvalidToken` if userInfo refuses the token.
    pub(super) async fn user_info(
        &self,
        scope: &CallScope,
        issuer: &OpenIdProvider,
        token: &AccessToken,
    ) -> Result<Claims> {
        issuer.userinfo_at(scope, self.user_info.clone(), token).await
    }

    /// Checks a client and its secret.
    pub(super) async fn check_secret(
        &self,
        scope: &CallScope,
        issuer: &OpenIdProvider,
        client: &OauthClient,
    ) -> Result<SecretCheck> {
        // In the body: in the header the encoding of `+` is ambiguous.
        let credentials = ClientCredentials { client, authentication: ClientAuthentication::Post };
        issuer.check_secret_at(scope, self.token.clone(), credentials, UNUSED_REDIRECT_URI).await
    }

    /// Returns the URL that ends the browser's session.
    pub(super) fn end_session_url(&self, end: &EndSession<'_>) -> String {
        end_session_url(&self.logout, end, LOGOUT)
    }
}
