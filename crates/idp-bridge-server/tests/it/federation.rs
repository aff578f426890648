//! Userinfo and logout (sections 7 and 8).

mod backchannel;
mod cache;
mod cors;
mod customers;
mod document;
mod end_session;
mod floods;
mod idp;
mod lines;
mod logout;
mod outages;
mod races;
pub(crate) mod shared;
mod signatures;
mod store;
mod tokens;
mod userinfo;

use std::sync::Arc;

use idp_bridge_core::IdentityProvider;
use idp_bridge_server::revocation::RevocationStore;
use idp_bridge_server::{FederationRules, Tenant};
use serde_json::Value;

use crate::bridge::{Bridge, limits, memory, store_with, tenant};
use crate::http::{Answer, Request};
use idp::Idp;

const HINT: &str = "an.id.token";
const CLIENT: &str = "shop";
const BACK: &str = "https://shop.example/bye?x=1";
const PUBLIC_URL: &str = "https://bridge.example/base/";
const ORIGIN: &str = "https://shop.example";

/// Returns rules with a limit that only its own test reaches.
fn rules() -> FederationRules {
    FederationRules {
        clients: vec![CLIENT.into(), "other".into()],
        post_logout_redirect_uris: vec![BACK.into(), "https://shop.example/".into()],
        cors_origins: vec![ORIGIN.into()],
        publish: true,
        anonymous_per_second: 1_000_000,
        ..FederationRules::default()
    }
}

/// Returns `acme` with federation.
fn acme(provider: impl IdentityProvider, rules: FederationRules) -> Tenant {
    let mut acme = tenant("acme", provider);
    acme.federation = Some(rules);
    acme
}

/// Starts a bridge for `acme` and for `quiet`, which has no federation.
async fn bridge(idp: &Idp, rules: FederationRules) -> Bridge {
    let tenants = [acme(idp.clone(), rules), tenant("quiet", memory(Vec::new()))];
    Bridge::with_server(tenants, limits(), |server| server.with_public_url(PUBLIC_URL)).await
}

/// Starts a bridge for `acme` with this revocation list.
async fn listing(idp: &Idp, store: impl RevocationStore) -> Bridge {
    let store = Arc::new(store);
    Bridge::with_server([acme(idp.clone(), rules())], limits(), |server| server.with_store(store_with(store))).await
}

fn path(name: &str) -> String {
    format!("/v1/tenants/acme/{name}")
}

pub(crate) fn userinfo(token: &str) -> Request {
    Request::new("GET", path("userinfo")).header("authorization", format!("Bearer {token}"))
}

pub(crate) fn logout(token: &str) -> Request {
    Request::new("POST", path("logout")).header("authorization", format!("Bearer {token}"))
}

fn form(request: Request, body: &str) -> Request {
    let mut request = request.with("content-type", "application/x-www-form-urlencoded");
    request.body = body.as_bytes().to_vec();
    request
}

/// Returns the status, and the code of a problem.
fn verdict(answer: &Answer) -> (u16, String) {
    let is_problem = answer.header("content-type") == Some("application/problem+json");
    let code = if is_problem { answer.json()["code"].clone() } else { Value::Null };
    (answer.status, code.as_str().unwrap_or_default().to_owned())
}

fn refused(answer: &Answer) -> bool {
    verdict(answer) == (401, "invalid_token".into())
        && answer.header("www-authenticate") == Some(r#"Bearer error="invalid_token""#)
}

/// Returns a response without its id and date, for comparisons.
fn alike(answer: &Answer) -> Answer {
    let mut alike = answer.clone();
    alike.headers.remove("date");
    let id = alike.headers.remove("x-request-id").unwrap();
    alike.body = alike.body.replace(&id, "id");
    alike
}
