//! Logouts in the browser, with redirects to configured addresses only.

use idp_bridge_core::ErrorKind;
use idp_bridge_server::FederationRules;

use super::idp::Idp;
use super::{BACK, CLIENT, HINT, alike, bridge, path, rules, verdict};
use crate::http::{Answer, Request};

/// Percent-encodes each byte of a query value.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn to(query: &str) -> Request {
    Request::new("GET", format!("{}?{query}", path("logout")))
}

fn back_to(uri: &str) -> Request {
    to(&format!("client_id={CLIENT}&post_logout_redirect_uri={}", encode(uri)))
}

/// Returns whether the response is an error page without a redirect.
fn is_page(answer: &Answer, status: u16) {
    assert_eq!((answer.status, answer.header("location")), (status, None), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    for word in ["<script", "<a ", "<img", "<link", "<meta http", "http://", "https://", "src="] {
        assert!(!answer.body.contains(word), "{word}: {}", answer.body);
    }
    assert!(answer.body.contains(answer.header("x-request-id").unwrap()));
}

#[tokio::test]
async fn browser_is_redirected_with_its_parameters() {
    let bridge = bridge(&Idp::new(), rules()).await;
    let back = encode(BACK);
    for (query, location) in [
        (
            format!("client_id={CLIENT}&post_logout_redirect_uri={back}"),
            format!("https://idp.example/end?{CLIENT}&{BACK}&-&-"),
        ),
        (
            format!("state=a+b&id_token_hint={HINT}&post_logout_redirect_uri={back}&client_id=other"),
            format!("https://idp.example/end?other&{BACK}&{HINT}&a%20b"),
        ),
        (
            format!("client_id={CLIENT}&post_logout_redirect_uri=https://shop.example/&ui_locales=de&state="),
            format!("https://idp.example/end?{CLIENT}&https://shop.example/&-&-"),
        ),
    ] {
        let answer = bridge.send(&to(&query)).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some(location.as_str())), "{query}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.body, "");
    }
}

#[tokio::test]
async fn other_addresses_are_not_redirected_to() {
    let idp = Idp::new();
    let bridge = bridge(&idp, rules()).await;
    for uri in [
        "https://evil.example/",
        "//evil.example",
        "/bye",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://shop.example",
        "https://shop.example/bye",
        "https://shop.example/bye?x=1#",
        "https://shop.example/bye?x=1&y",
        "https://shop.example/bye?X=1",
        "https://SHOP.example/bye?x=1",
        "HTTPS://shop.example/bye?x=1",
        "http://shop.example/bye?x=1",
        "https://shop.example:443/bye?x=1",
        "https://shop.example./bye?x=1",
        "https://shop.example@evil.example/bye?x=1",
        "https://evil.example/https://shop.example/bye?x=1",
        "https://shop.example/./bye?x=1",
        "https://shop.example/a/../bye?x=1",
        "https://shop.example\\@evil.example/",
        "https:\\\\shop.example\\bye?x=1",
        " https://shop.example/bye?x=1",
        "https://shop.example/bye?x=1 ",
        "https://shop.example/bye?x=1\t",
        "https://shop.example/bye?x=1\r\nlocation: https://evil.example",
        "https://shop.example/bye?x=1\u{0}",
        "https://shop.example/%62ye?x=1",
        "https://shop.example/bye%3Fx=1",
        "https://shоp.example/bye?x=1",
        "*",
        "null",
    ] {
        is_page(&bridge.send(&back_to(uri)).await, 400);
    }
    assert!(idp.calls().is_empty());
}

#[tokio::test]
async fn invalid_query_is_not_redirected() {
    let idp = Idp::new();
    let bridge = bridge(&idp, rules()).await;
    let good = format!("client_id={CLIENT}&post_logout_redirect_uri={}", encode(BACK));
    let (long_state, long_hint) = ("x".repeat(513), "x".repeat(8000));
    for query in [
        String::new(),
        format!("client_id={CLIENT}"),
        format!("post_logout_redirect_uri={}", encode(BACK)),
        format!("client_id=&post_logout_redirect_uri={}", encode(BACK)),
        format!("client_id=unknown&post_logout_redirect_uri={}", encode(BACK)),
        format!("client_id=Shop&post_logout_redirect_uri={}", encode(BACK)),
        format!("{good}&client_id={CLIENT}"),
        format!("{good}&client%5Fid=evil"),
        format!("{good}&post_logout_redirect_uri=https://evil.example"),
        format!("{good}&state=1&state=1"),
        format!("{good}&id_token_hint=a&id_token_hint=b"),
        format!("{good}&state={long_state}"),
        format!("{good}&state=%ff"),
        format!("{good}&id_token_hint=a%20b"),
        format!("{good}&id_token_hint=%C3%A4"),
    ] {
        is_page(&bridge.send(&to(&query)).await, 400);
    }
    assert!(idp.calls().is_empty());
    assert_eq!(bridge.send(&to(&format!("{good}&state={}", "x".repeat(512)))).await.status, 303);
    assert_eq!(bridge.send(&to(&format!("{good}&id_token_hint={long_hint}"))).await.status, 303);
    let too_long = to(&format!("{good}&id_token_hint={}", "x".repeat(8192)));
    assert_eq!(verdict(&bridge.send(&too_long).await), (414, "uri_too_long".into()));
    let elsewhere = Request::new("GET", format!("{}?{}", path("userinfo"), "x".repeat(2048)));
    assert_eq!(verdict(&bridge.send(&elsewhere).await), (414, "uri_too_long".into()));
}

#[tokio::test]
async fn error_page_contains_no_parameters() {
    let bridge = bridge(&Idp::new(), rules()).await;
    let query = format!("client_id={}&post_logout_redirect_uri=x&state=unseen", encode("<script>unseen</script>"));
    let answer = bridge.send(&to(&query)).await;
    is_page(&answer, 400);
    assert!(!answer.body.contains("unseen"), "{}", answer.body);
}

#[tokio::test]
async fn missing_tenant_looks_like_unknown_client() {
    let bridge = bridge(&Idp::new(), rules()).await;
    let query = format!("client_id=unknown&post_logout_redirect_uri={}", encode(BACK));
    let expected = bridge.send(&to(&query)).await;
    for tenant in ["quiet", "unknown"] {
        let answer = bridge.send(&Request::new("GET", format!("/v1/tenants/{tenant}/logout?{query}"))).await;
        assert_eq!(alike(&answer), alike(&expected), "{tenant}");
    }
}

#[tokio::test]
async fn outage_is_a_page_with_retry_after() {
    let idp = Idp::new();
    idp.fail("end_session_url", Some(ErrorKind::Unavailable));
    let bridge = bridge(&idp, rules()).await;
    let answer = bridge.send(&back_to(BACK)).await;
    is_page(&answer, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn invalid_redirect_address_is_internal_error() {
    let back = "https://shop.example/\nx";
    let rules = FederationRules { post_logout_redirect_uris: vec![back.into()], ..rules() };
    let bridge = bridge(&Idp::new(), rules).await;
    is_page(&bridge.send(&back_to(back)).await, 500);
}
