//! Federation of a definition: `[federation]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{RequestSpec, SecretIn};
use crate::template::Template;

/// Federation by OpenID Connect: the choices of the product, and its deviations from the standards.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FederationSpec {
    /// The setting of the issuer's origin. Not needed if there is one.
    pub(crate) origin: Option<String>,
    /// The segments of the issuer's path below its origin.
    #[serde(default)]
    pub(crate) path: Vec<Template>,
    /// Whether the issuer ends with a slash.
    #[serde(default)]
    pub(crate) trailing_slash: bool,
    /// The setting with the id of the bridge's client, which introspects tokens. Without it userinfo validates them.
    pub(crate) client_id: Option<String>,
    /// The setting with the secret of that client.
    pub(crate) client_secret: Option<String>,
    /// The place of the clients' secrets in a request.
    #[serde(default)]
    pub(crate) secret_in: SecretIn,
    /// The scopes that applications must request.
    #[serde(default = "default_scopes")]
    pub(crate) scopes: Vec<String>,
    /// The claim that identifies the login in tokens, mostly `sid`.
    pub(crate) session_claim: Option<String>,
    /// The claim with the customer id, if the tenant's settings name none.
    pub(crate) customer_claim: Option<Template>,
    /// The request that ends the login `{session}` with all its tokens. It needs `session_claim`.
    pub(crate) end_session: Option<RequestSpec>,
}

fn default_scopes() -> Vec<String> {
    vec!["openid".into(), "email".into()]
}
