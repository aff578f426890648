//! The checks of `doctor` for an OpenID Provider, which need no login.

use idp_bridge_core::{AccessToken, CallScope, Error, ErrorKind, Finding, OauthClient, Result};

use super::StandardFederation;
use crate::oidc::{Discovery, OpenIdProvider, SecretCheck, UNUSED_REDIRECT_URI};

const DOCUMENT: &str = "the discovery document belongs to the issuer";
const KEYS: &str = "the issuer's keys can be used";

/// Checks the discovery document and the keys.
pub(super) async fn check_issuer(openid: &OpenIdProvider, scope: &CallScope) -> Vec<Finding> {
    let finding = |check: &str, result: Result<()>| match result {
        Ok(()) => Finding::ok(check, &[]),
        Err(error) => failed(check, &error),
    };
    let document = openid.discovery(scope).await.map(drop);
    if document.is_err() {
        let hidden = Finding::not_visible(KEYS, &[], "correct the discovery document first, then check again");
        return vec![finding(DOCUMENT, document), hidden];
    }
    vec![finding(DOCUMENT, document), finding(KEYS, openid.check_keys(scope).await)]
}

/// Checks the requirements of federation.
pub(super) async fn check_federation(federation: &StandardFederation, scope: &CallScope) -> Vec<Finding> {
    let discovery = match federation.openid.discovery(scope).await {
        Ok(discovery) => discovery,
        Err(error) => return vec![failed(DOCUMENT, &error)],
    };
    let mut findings = check_endpoints(federation, &discovery);
    findings.push(check_scopes(federation, &discovery));
    findings.extend([check_customer_claim(federation, &discovery), check_claim_authority(federation)]);
    findings.push(check_back_channel(&discovery));
    for client in &federation.settings.clients {
        findings.push(check_secret(federation, client, scope).await);
    }
    findings
}

fn failed(check: &str, error: &Error) -> Finding {
    Finding::failed_by(check, &[], error, "allow the client this request at the identity provider".into())
}

fn check_endpoints(federation: &StandardFederation, discovery: &Discovery) -> Vec<Finding> {
    let finding = |name: &str, is_present: bool, fix: &str| {
        let check = format!("the discovery document has `{name}`");
        if is_present { Finding::ok(check, &[]) } else { Finding::failed(check, &[], fix) }
    };
    let validation = match federation.introspection_client {
        Some(_) => {
            let fix = "enable introspection at the identity provider, or remove `client_id` to use userinfo";
            finding("introspection_endpoint", discovery.introspection_endpoint.is_some(), fix)
        }
        None => {
            let fix = "enable userinfo at the identity provider, or set `client_id` and `client_secret` to use \
                       introspection";
            finding("userinfo_endpoint", discovery.userinfo_endpoint.is_some(), fix)
        }
    };
    vec![
        validation,
        finding(
            "revocation_endpoint",
            discovery.revocation_endpoint.is_some(),
            "enable revocation (RFC 7009) at the identity provider: without it a logout cannot end tokens",
        ),
        finding(
            "end_session_endpoint",
            discovery.end_session_endpoint.is_some(),
            "enable RP-initiated logout at the identity provider: without it the browser stays logged in",
        ),
    ]
}

/// Checks that the configured scopes are supported, if the discovery document lists the supported ones.
fn check_scopes(federation: &StandardFederation, discovery: &Discovery) -> Finding {
    let check = "the configured scopes are supported";
    let supported = &discovery.scopes_supported;
    if supported.is_empty() {
        let fix = "look up the scopes at the identity provider: the discovery document lists none";
        return Finding::not_visible(check, &[], fix);
    }
    let missing = federation.scopes.iter().filter(|scope| !supported.contains(scope));
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    if missing.is_empty() {
        return Finding::ok(check, &[]);
    }
    Finding::failed(check, &[], "create the scope at the identity provider, or correct `scopes`")
        .with_detail(format!("not listed: `{}`", missing.join("`, `")))
}

fn check_customer_claim(federation: &StandardFederation, discovery: &Discovery) -> Finding {
    let check = format!("the identity provider supports the claim `{}`", federation.customer_claim);
    if discovery.claims_supported.contains(&federation.customer_claim) {
        return Finding::ok(check, &[]);
    }
    // The list need not be complete (OpenID Connect Discovery 1.0, section 3).
    let fix = "log in once with the configured scopes, and look for the claim in the bridge's userinfo";
    Finding::not_visible(check, &[], fix).with_detail("the discovery document does not list it")
}

/// Reports that an administrator must check the source of the claim, which OpenID Connect does not publish.
fn check_claim_authority(federation: &StandardFederation) -> Finding {
    let claim = &federation.customer_claim;
    let fix = format!(
        "look up the source of `{claim}` at the identity provider: only administrators may write it, and users must not be able \
         to set it in their profile or at registration"
    );
    Finding::not_visible(format!("users cannot set the claim `{claim}` themselves"), &[], fix).with_authority()
}

fn check_back_channel(discovery: &Discovery) -> Finding {
    let check = "logouts elsewhere reach the bridge through the back channel";
    let fix = "register the bridge's `…/backchannel-logout` as the `backchannel_logout_uri` of each client";
    let detail = match discovery.backchannel_logout_supported {
        Some(true) => "the identity provider supports it, but does not publish which URLs are registered",
        Some(false) => "the identity provider does not support it: the bridge notices other logouts by inactive tokens",
        None => "the discovery document does not show whether the identity provider supports it",
    };
    Finding::not_visible(check, &[], fix).with_detail(detail)
}

/// Checks the introspection client, if one is configured: introspection of a made-up token must report it as inactive.
pub(super) async fn check_introspection(federation: &StandardFederation, scope: &CallScope) -> Option<Finding> {
    let client = federation.introspection_client.as_ref()?;
    let check = "the bridge can introspect tokens";
    let result = match AccessToken::new("made-up-by-idp-bridge") {
        Ok(token) => federation.introspect(scope, &token, client).await.map(drop),
        Err(error) => Err(Error::ours(ErrorKind::Unexpected, error.to_string())),
    };
    Some(match result {
        Err(error) if error.kind() == ErrorKind::InvalidToken => Finding::ok(check, &[]),
        Err(error) if error.kind() == ErrorKind::Unauthenticated && client.signer.is_some() => {
            let fix = "register the JWKS that `idp-bridge keys public` prints at the client, with `private_key_jwt` as its \
                       authentication method; if it is registered, try `private_key_audience` and check this host's clock";
            Finding::failed(check, &[], fix).with_detail("the identity provider rejects the client's assertion")
        }
        Err(error) => failed(check, &error),
        Ok(()) => {
            Finding::failed(check, &[], "correct introspection there: it must reject tokens that it did not issue")
                .with_detail("a made-up token is active")
        }
    })
}

async fn check_secret(federation: &StandardFederation, client: &OauthClient, scope: &CallScope) -> Finding {
    let check = format!("the client `{}` exists and has this secret", client.id);
    match federation.openid.check_secret(scope, federation.credentials(client), UNUSED_REDIRECT_URI).await {
        Ok(SecretCheck::Right) => Finding::ok(check, &[]),
        Ok(SecretCheck::Wrong) => {
            let fix =
                "copy the client's id and secret to `federation.clients`; if both are right, try `client_secret_in`";
            Finding::failed(check, &[], fix).with_detail("the identity provider rejects the client")
        }
        Ok(SecretCheck::Unknown) => {
            let fix = "log in once, and log out through the bridge";
            Finding::not_visible(check, &[], fix).with_detail("the response does not show whether the secret is right")
        }
        Err(error) => failed(&check, &error),
    }
}
