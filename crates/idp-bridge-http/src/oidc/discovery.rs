//! Discovery documents (OpenID Connect Discovery 1.0).

use idp_bridge_core::{Error, ErrorKind, FederationMetadata, OutboundPolicy, Result};
use serde::Deserialize;
use url::Url;

use crate::base_url;
use crate::response::Response;

/// A discovery document with the configured issuer and allowed endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discovery {
    /// The issuer, identical to the configured one.
    pub issuer: String,
    /// The authorization endpoint.
    pub authorization_endpoint: Url,
    /// The token endpoint.
    pub token_endpoint: Url,
    /// The URL of the keys.
    pub jwks_uri: Url,
    /// The userinfo endpoint.
    pub userinfo_endpoint: Option<Url>,
    /// The introspection endpoint (RFC 7662).
    pub introspection_endpoint: Option<Url>,
    /// The revocation endpoint (RFC 7009).
    pub revocation_endpoint: Option<Url>,
    /// The end-session endpoint (OpenID Connect RP-Initiated Logout 1.0).
    pub end_session_endpoint: Option<Url>,
    /// Whether the provider sends logout tokens. `None` if the document does not say.
    pub backchannel_logout_supported: Option<bool>,
    /// The supported scopes. Empty if the document does not list them.
    pub scopes_supported: Vec<String>,
    /// The supported claims. Empty if the document does not list them.
    pub claims_supported: Vec<String>,
    /// The client authentication methods of the token endpoint. Empty if the document does not list them.
    pub token_endpoint_auth_methods_supported: Vec<String>,
}

impl Discovery {
    /// Returns the public settings that an application needs to log users in.
    pub fn metadata(&self, customer_claim: Option<&str>, scopes: &[impl AsRef<str>]) -> FederationMetadata {
        FederationMetadata {
            issuer: self.issuer.clone(),
            authorization_endpoint: self.authorization_endpoint.to_string(),
            token_endpoint: self.token_endpoint.to_string(),
            jwks_uri: self.jwks_uri.to_string(),
            customer_claim: customer_claim.map(str::to_owned),
            scopes: scopes.iter().map(|scope| scope.as_ref().to_owned()).collect(),
        }
    }
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    #[serde(default)]
    mtls_endpoint_aliases: Aliases,
    backchannel_logout_supported: Option<bool>,
    #[serde(default)]
    scopes_supported: Vec<String>,
    #[serde(default)]
    claims_supported: Vec<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// The endpoints for clients with a client certificate (RFC 8705, section 5). The bridge authenticates at this one only.
#[derive(Default, Deserialize)]
struct Aliases {
    introspection_endpoint: Option<String>,
}

/// The expected issuer, and the hosts where its endpoints may be.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) issuer: String,
    pub(super) hosts: Vec<String>,
    pub(super) policy: OutboundPolicy,
}

impl Trust {
    /// Parses and checks a document. Fails with `Misconfigured` for another issuer, or an endpoint at another host.
    pub(super) fn parse(&self, response: &Response) -> Result<Discovery> {
        let mut document: Document = response.json()?;
        if let (Some(_), Some(alias)) =
            (&self.policy.client_certificate, document.mtls_endpoint_aliases.introspection_endpoint.take())
        {
            document.introspection_endpoint = Some(alias);
        }
        if document.issuer != self.issuer {
            let message = "the discovery document names another issuer than the settings";
            return Err(Error::upstream(ErrorKind::Misconfigured, message).with_hint(
                "check that the document is your provider's, then set the issuer exactly as the document has it, with or without a `/` at its end",
            ));
        }
        let required = |name, text: String| self.endpoint(name, &text);
        let optional = |name, text: Option<String>| text.map(|text| self.endpoint(name, &text)).transpose();
        Ok(Discovery {
            authorization_endpoint: required("authorization_endpoint", document.authorization_endpoint)?,
            token_endpoint: required("token_endpoint", document.token_endpoint)?,
            jwks_uri: required("jwks_uri", document.jwks_uri)?,
            userinfo_endpoint: optional("userinfo_endpoint", document.userinfo_endpoint)?,
            introspection_endpoint: optional("introspection_endpoint", document.introspection_endpoint)?,
            revocation_endpoint: optional("revocation_endpoint", document.revocation_endpoint)?,
            end_session_endpoint: optional("end_session_endpoint", document.end_session_endpoint)?,
            backchannel_logout_supported: document.backchannel_logout_supported,
            scopes_supported: document.scopes_supported,
            claims_supported: document.claims_supported,
            token_endpoint_auth_methods_supported: document.token_endpoint_auth_methods_supported,
            issuer: document.issuer,
        })
    }

    fn endpoint(&self, name: &'static str, text: &str) -> Result<Url> {
        let unfit = |message| Error::upstream(ErrorKind::Misconfigured, message).with("endpoint", name);
        let url = Url::parse(text).map_err(|_| unfit("an endpoint in the discovery document is not a URL"))?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(unfit("an endpoint in the discovery document has user info or a fragment"));
        }
        base_url::check(&url, (&self.policy).into()).map_err(|error| error.with("endpoint", name))?;
        let host = url.host_str().unwrap_or_default();
        if self.hosts.iter().any(|trusted| trusted.eq_ignore_ascii_case(host)) {
            return Ok(url);
        }
        let hint = format!("if `{host}` belongs to the identity provider, list it in `hosts`");
        Err(unfit("an endpoint in the discovery document is at another host than the issuer").with_hint(hint))
    }
}
