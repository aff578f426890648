//! What can be seen of an OpenID Provider without a login.

use idp_bridge_core::{AccessToken, CallScope, Error, ErrorKind, Finding, OauthClient, Result};
use idp_bridge_http::oidc::{Discovery, OpenIdProvider, SecretCheck};

use crate::federation::OidcFederation;

const DOCUMENT: &str = "the discovery document is the issuer's";
const KEYS: &str = "the issuer's keys can be used";

/// Checks the issuer itself.
pub(crate) async fn issuer(openid: &OpenIdProvider, scope: &CallScope) -> Vec<Finding> {
    let seen = |check: &str, result: Result<()>| match result {
        Ok(()) => Finding::ok(check, &[]),
        Err(error) => failed(check, &error),
    };
    let document = openid.discovery(scope).await.map(drop);
    if document.is_err() {
        let hidden = Finding::not_visible(KEYS, &[], "mend what failed before, and check again");
        return vec![seen(DOCUMENT, document), hidden];
    }
    vec![seen(DOCUMENT, document), seen(KEYS, openid.check_keys(scope).await)]
}

/// Checks what federation needs of it.
pub(crate) async fn federation(own: &OidcFederation, scope: &CallScope) -> Vec<Finding> {
    let discovery = match own.openid.discovery(scope).await {
        Ok(discovery) => discovery,
        Err(error) => return vec![failed(DOCUMENT, &error)],
    };
    let mut findings = endpoints(own, &discovery);
    findings.extend(scopes(own, &discovery));
    findings.extend([customer_claim(own, &discovery), customer_source(own)]);
    findings.push(back_channel(&discovery));
    for client in &own.settings.clients {
        findings.push(secret(own, client, scope).await);
    }
    findings
}

fn failed(check: &str, error: &Error) -> Finding {
    Finding::failed_by(check, &[], error, "let the client ask this at the identity provider".into())
}

fn endpoints(own: &OidcFederation, discovery: &Discovery) -> Vec<Finding> {
    let there = |name: &str, there: bool, fix: &str| {
        let check = format!("the identity provider names its `{name}`");
        if there { Finding::ok(check, &[]) } else { Finding::failed(check, &[], fix) }
    };
    let (asked, is_there, fix) = match own.bridge {
        Some(_) => {
            let fix = "switch introspection on there, or leave `client_id` out to ask userinfo";
            ("introspection_endpoint", discovery.introspection_endpoint.is_some(), fix)
        }
        None => {
            let fix = "switch userinfo on there, or set `client_id` and `client_secret` to ask introspection";
            ("userinfo_endpoint", discovery.userinfo_endpoint.is_some(), fix)
        }
    };
    vec![
        there(asked, is_there, fix),
        there(
            "revocation_endpoint",
            discovery.revocation_endpoint.is_some(),
            "switch revocation (RFC 7009) on there: without it a logout ends nothing",
        ),
        there(
            "end_session_endpoint",
            discovery.end_session_endpoint.is_some(),
            "switch RP-initiated logout on there: without it the browser stays logged in",
        ),
    ]
}

/// The scopes that applications are told to ask for, where the document lists what there is.
fn scopes(own: &OidcFederation, discovery: &Discovery) -> Option<Finding> {
    let check = "the scopes that applications ask for exist";
    if discovery.scopes_supported.is_empty() {
        return Some(Finding::not_visible(check, &[], "look into the identity provider: its document lists no scopes"));
    }
    let missing: Vec<&str> =
        own.scopes.iter().filter(|scope| !discovery.scopes_supported.contains(scope)).map(String::as_str).collect();
    let fix = "make the scope at the identity provider, or correct `scopes`";
    Some(if missing.is_empty() {
        Finding::ok(check, &[])
    } else {
        Finding::failed(check, &[], fix).with_detail(format!("not listed: `{}`", missing.join("`, `")))
    })
}

fn customer_claim(own: &OidcFederation, discovery: &Discovery) -> Finding {
    let check = format!("the claim `{}` is given", own.customer_claim);
    if discovery.claims_supported.contains(&own.customer_claim) {
        return Finding::ok(check, &[]);
    }
    // The list need not be complete (OpenID Connect Discovery 1.0, section 3).
    let fix = "log in once with the scopes above, and look for the claim in the bridge's userinfo";
    Finding::not_visible(check, &[], fix).with_detail("the discovery document does not list it")
}

/// No document of OpenID Connect says where the values of a claim come from.
fn customer_source(own: &OidcFederation) -> Finding {
    let claim = &own.customer_claim;
    let fix = format!(
        "at the identity provider, look up where `{claim}` comes from: only administrators may set it, users must not be able to \
         write it in their profile or when they register"
    );
    Finding::not_visible(format!("users cannot set the claim `{claim}` themselves"), &[], fix).with_authority()
}

fn back_channel(discovery: &Discovery) -> Finding {
    let check = "the bridge hears of logouts elsewhere";
    let fix = "register the bridge's `…/backchannel-logout` as the `backchannel_logout_uri` of each client";
    let detail = match discovery.backchannel_logout_supported {
        Some(true) => "the identity provider supports it; which addresses are registered, no document tells",
        Some(false) => "the identity provider does not support it: logouts elsewhere show only in the tokens' end",
        None => "the discovery document does not tell whether the identity provider supports it",
    };
    Finding::not_visible(check, &[], fix).with_detail(detail)
}

/// Checks the bridge's own client, if it has one: asked about a token that was never given, the answer is no.
pub(crate) async fn introspection(own: &OidcFederation, scope: &CallScope) -> Option<Finding> {
    let bridge = own.bridge.as_ref()?;
    let check = "the bridge may ask introspection";
    let asked = match AccessToken::new("made-up-by-idp-bridge") {
        Ok(token) => own.openid.introspect(scope, &token, own.credentials(bridge)).await.map(drop),
        Err(error) => Err(Error::ours(ErrorKind::Unexpected, error.to_string())),
    };
    Some(match asked {
        Err(error) if error.kind() == ErrorKind::InvalidToken => Finding::ok(check, &[]),
        Err(error) => failed(check, &error),
        Ok(()) => Finding::failed(check, &[], "mend introspection there: it takes a token that was never given")
            .with_detail("a made-up token is active"),
    })
}

async fn secret(own: &OidcFederation, client: &OauthClient, scope: &CallScope) -> Finding {
    let check = format!("the client `{}` is known, with this secret", client.id);
    // Nobody is sent there: the code that was never given is refused before.
    let redirect_uri = "https://idp-bridge.invalid/";
    match own.openid.check_secret(scope, own.credentials(client), redirect_uri).await {
        Ok(SecretCheck::Right) => Finding::ok(check, &[]),
        Ok(SecretCheck::Wrong) => {
            let fix =
                "copy the client's id and secret to `federation.clients`; if both are right, try `client_secret_in`";
            Finding::failed(check, &[], fix).with_detail("the identity provider refuses the client")
        }
        Ok(SecretCheck::Unknown) => {
            let fix = "log in once, and log out through the bridge";
            Finding::not_visible(check, &[], fix).with_detail("the answer does not tell")
        }
        Err(error) => failed(&check, &error),
    }
}
