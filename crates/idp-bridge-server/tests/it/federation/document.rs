//! The federation document.

use idp_bridge_core::ErrorKind;
use idp_bridge_server::FederationRules;
use serde_json::json;

use super::idp::Idp;
use super::{acme, alike, bridge, path, rules, verdict};
use crate::bridge::Bridge;
use crate::http::Request;

fn document() -> Request {
    Request::new("GET", path("federation"))
}

#[tokio::test]
async fn document_contains_all_endpoints() {
    let own = |url: &str| {
        json!({
            "issuer": "https://idp.example",
            "authorization_endpoint": "https://idp.example/auth",
            "token_endpoint": "https://idp.example/token",
            "jwks_uri": "https://idp.example/keys",
            "customer_claim": "customer_id",
            "scopes": ["openid", "email"],
            "userinfo_endpoint": format!("{url}/v1/tenants/acme/userinfo"),
            "logout_endpoint": format!("{url}/v1/tenants/acme/logout"),
            "backchannel_logout_uri": format!("{url}/v1/tenants/acme/backchannel-logout"),
        })
    };
    let answer = bridge(&Idp::new(), rules()).await.send(&document()).await;
    assert_eq!((answer.status, answer.json()), (200, own("https://bridge.example/base")));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
}

#[tokio::test]
async fn document_needs_a_public_url() {
    let idp = Idp::new();
    let answer = Bridge::start([acme(idp.clone(), rules())]).await.send(&document()).await;
    assert_eq!(verdict(&answer), (404, "route_not_found".into()));
    assert!(idp.calls().is_empty());
}

#[tokio::test]
async fn document_is_published_by_a_setting() {
    let quiet = bridge(&Idp::new(), FederationRules { publish: false, ..rules() }).await;
    let expected = quiet.send(&document()).await;
    assert_eq!(verdict(&expected), (404, "route_not_found".into()));
    for tenant in ["quiet", "unknown"] {
        let answer = quiet.send(&Request::new("GET", format!("/v1/tenants/{tenant}/federation"))).await;
        assert_eq!(alike(&answer), alike(&expected), "{tenant}");
    }
}

#[tokio::test]
async fn an_outage_is_not_cached() {
    let idp = Idp::new();
    idp.fail("metadata", Some(ErrorKind::Unavailable));
    let answer = bridge(&idp, rules()).await.send(&document()).await;
    assert_eq!(verdict(&answer), (503, "upstream_unavailable".into()));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
