//! Requests to New IdP's user API, one function each.

use idp_bridge_core::{CallScope, OutboundPolicy, Result, Secret, UserId};
use idp_bridge_http::{BaseUrl, Client, Request, Response};

use crate::config::NewIdpConfig;
use crate::error::{Step, check};
use crate::map::NewIdpUser;

/// A client of New IdP's user API that sends the bridge's API token.
///
/// For an API that requires an access token, `idp_bridge_http::TokenCache` fetches and caches one.
pub(crate) struct UserApi {
    http: Client,
    base: BaseUrl,
    token: Secret,
}

impl UserApi {
    pub(crate) fn new(config: &NewIdpConfig, policy: &OutboundPolicy) -> Result<Self> {
        let http = Client::new(policy)?;
        let base = BaseUrl::parse(&config.url, policy)?;
        http.prepare(&base)?;
        Ok(Self { http, base, token: config.api_token.clone() })
    }

    /// Reads the user with this id.
    pub(crate) async fn user(&self, scope: &CallScope, id: &UserId) -> Result<NewIdpUser> {
        let request = Request::get(self.base.join(&["api", "users", id.as_str()])?);
        self.send(scope, Step::ReadUsers, request).await?.json()
    }

    async fn send(&self, scope: &CallScope, step: Step, request: Request) -> Result<Response> {
        check(step, self.http.send(scope, request.bearer(&self.token)?).await?)
    }
}
