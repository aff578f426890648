//! Public pages: health, readiness and the reference.

use crate::bridge::Bridge;
use crate::http::Request;

#[tokio::test]
async fn health_and_readiness_answer_without_a_tenant() {
    let bridge = Bridge::start([]).await;
    for (path, body) in [("/healthz", r#"{"status":"ok"}"#), ("/readyz", r#"{"status":"ready"}"#)] {
        let answer = bridge.send(&Request::new("GET", path)).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, body));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn reference_is_served_as_json_and_html() {
    let bridge = Bridge::start([]).await;
    let document = bridge.send(&Request::new("GET", "/openapi.json")).await;
    assert_eq!(document.json(), idp_bridge_server::openapi());
    assert_eq!(document.header("content-type"), Some("application/json"));
    let page = bridge.send(&Request::new("GET", "/docs")).await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let style = page.body.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
    use base64::Engine;
    let digest = base64::engine::general_purpose::STANDARD.encode(digest);
    assert!(policy.contains(&format!("'sha256-{digest}'")), "the style must pass its own policy");
}

#[tokio::test]
async fn head_matches_get_without_body() {
    let bridge = Bridge::start([]).await;
    for path in ["/healthz", "/readyz", "/openapi.json", "/docs"] {
        let mut connection = bridge.begin(&Request::new("HEAD", path)).await;
        let head = connection.answer_to_head().await.unwrap();
        let get = connection.send(&Request::new("GET", path)).await;
        assert_eq!((head.status, head.header("content-length")), (200, get.header("content-length")), "{path}");
    }
}

#[tokio::test]
async fn host_and_forwarding_headers_are_ignored() {
    let bridge = Bridge::with_samples().await;
    let request = Request::new("GET", "http://elsewhere.example/healthz")
        .with("host", "other.example")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-prefix", "/v1")
        .header("x-original-url", "/nowhere");
    assert_eq!(bridge.send(&request).await.status, 200);
}
