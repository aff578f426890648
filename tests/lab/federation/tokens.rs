//! Tests of userinfo: accepted tokens and their customers.

use idp_bridge_conformance::FederationHarness as _;
use serde_json::json;

use super::stage::{Stage, TENANT, last_requests, userinfo};
use crate::lab::{Lab, running};
use crate::support::bridge::Bridge;
use crate::support::http::{Reply, Request};

/// Returns the number of requests for a token, with the issuer's keys cached.
#[track_caller]
fn requests(bridge: &Bridge, token: &str) -> u64 {
    assert_eq!(userinfo(bridge, token).status, 200);
    let reply = userinfo(bridge, token);
    assert_eq!((reply.status, &reply.json()["customer"]), (200, &json!("c-1")), "{reply:?}");
    last_requests(bridge, &reply)
}

#[track_caller]
fn assert_refused(reply: &Reply, what: &str) {
    assert_eq!(reply.problem(), (401, "invalid_token".to_owned()), "{what}");
    assert!(reply.headers["www-authenticate"].starts_with("Bearer"), "{what}: {reply:?}");
}

#[test]
fn claim_and_cache_determine_requests() {
    let _running = running();
    let stage = Stage::new();
    let (introspected, queried) = (stage.log_in(), stage.log_in_at("spa", "openid"));
    let expected = json!({
        "sub": stage.user, "email": "ada@acme.example", "email_verified": true, "customer": "c-1", "tenant": "t"
    });
    for token in [&introspected, &queried] {
        let bridge = stage.serve("");
        assert_eq!(userinfo(&bridge, token.access.expose()).json(), expected);
        assert_eq!(requests(&bridge, token.access.expose()), 1);
        drop(bridge);
        let bridge = stage.serve("customer_claim = \"no_such_claim\"\n");
        assert_eq!(requests(&bridge, token.access.expose()), 2);
        drop(bridge);
        let bridge = stage.serve("cache = \"60s\"\n");
        assert_eq!(requests(&bridge, token.access.expose()), 0);
    }
}

#[test]
fn lightweight_token_needs_introspection() {
    let _running = running();
    let stage = Stage::new();
    let bridge = stage.serve("");
    let light = stage.log_in_at("light", "openid");
    assert_eq!(userinfo(&bridge, light.access.expose()).json()["sub"], json!(stage.user));
    stage.wait(stage.harness.remove_audience("light"));
    let hidden = userinfo(&bridge, light.access.expose());
    assert_eq!(hidden.problem(), (502, "misconfigured".to_owned()));
    assert!(
        bridge.wait_for_log("lightweight access tokens").contains("Add to token introspection"),
        "{:?}",
        bridge.log()
    );
    stage.wait(stage.harness.end_session(&sid(light.access.expose())));
    assert_refused(&userinfo(&bridge, light.access.expose()), "a dead lightweight token");
}

/// Returns the session in a token.
fn sid(token: &str) -> String {
    idp_bridge_conformance::fixture::text_claim(token, "sid").unwrap()
}

#[test]
fn rotated_keys_are_accepted() {
    let _running = running();
    let stage = Stage::new();
    let bridge = stage.serve("");
    let before = stage.log_in();
    assert_eq!(userinfo(&bridge, before.access.expose()).status, 200);
    stage.wait(stage.harness.rotate_keys());
    let after = stage.log_in();
    assert_eq!(userinfo(&bridge, after.access.expose()).status, 200);
    assert_eq!(userinfo(&bridge, before.access.expose()).status, 200);
}

#[test]
fn federation_document_has_login_settings() {
    let _running = running();
    let stage = Stage::new();
    let document = Request::get(&format!("{TENANT}/federation")).send(stage.serve("").address()).json();
    let issuer = stage.harness.facts().issuer;
    assert_eq!(document["issuer"], issuer);
    assert_eq!(document["authorization_endpoint"], format!("{issuer}/protocol/openid-connect/auth"));
    assert_eq!(document["customer_claim"], "customer_id");
}

#[test]
fn configuration_of_lab_has_federation() {
    let _running = running();
    let lab = Lab::get_running();
    let bridge = lab.serve();
    let token = lab.access_token("grace", "grace-password");
    let path = format!("/v1/tenants/{}/userinfo", lab.text("/bridge/tenant"));
    let reply = Request::get(&path).header("authorization", format!("Bearer {token}")).send(bridge.address());
    assert_eq!((reply.status, &reply.json()["customer"]), (200, &json!("c-1002")), "{reply:?}");
}
