//! CORS: only pages of the tenant's origins may read responses.

use super::idp::Idp;
use super::{ORIGIN, bridge, logout, path, rules, userinfo};
use crate::http::{Answer, Request, until, within};

fn from(request: Request, origin: &str) -> Request {
    request.header("origin", origin)
}

fn allowed(answer: &Answer) -> Option<&str> {
    assert!(answer.header("access-control-allow-credentials").is_none(), "{answer:?}");
    answer.header("access-control-allow-origin")
}

#[tokio::test]
async fn every_response_has_cors_headers() {
    let idp = Idp::new();
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    for (request, status) in [
        (userinfo("a.d.a"), 200),
        (Request { method: "POST".into(), ..userinfo("a.d.a") }, 200),
        (userinfo("bad"), 401),
        (Request::new("GET", path("userinfo")), 401),
        (Request::new("GET", format!("{}?access_token=x", path("userinfo"))), 400),
        (userinfo("a.d.a").with("authorization", "Bearer a, b"), 401),
        (logout("a.d.a"), 204),
        (logout("bad"), 401),
    ] {
        let answer = bridge.send(&from(request.clone(), ORIGIN)).await;
        assert_eq!((answer.status, allowed(&answer)), (status, Some(ORIGIN)), "{request:?}");
        assert_eq!(answer.header("vary"), Some("origin"));
        assert!(answer.header("access-control-expose-headers").unwrap().contains("x-request-id"));
    }
}

#[tokio::test]
async fn other_origins_and_other_tenants_get_no_header() {
    let idp = Idp::new();
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    for origin in [
        "https://evil.example",
        "https://shop.example.evil.example",
        "https://shop.example:443",
        "https://shop.example/",
        "https://SHOP.example",
        "http://shop.example",
        "https://a.shop.example",
        "null",
        "*",
        "",
    ] {
        for request in [userinfo("a.d.a"), preflight("userinfo", "GET"), preflight("logout", "POST")] {
            let answer = bridge.send(&from(request, origin)).await;
            assert_eq!(allowed(&answer), None, "{origin}");
            assert_eq!(answer.header("access-control-allow-methods"), None);
            assert_eq!(answer.header("vary"), Some("origin"));
        }
    }
    let twice = from(from(userinfo("a.d.a"), ORIGIN), ORIGIN);
    assert_eq!(allowed(&bridge.send(&twice).await), None);
    assert_eq!(allowed(&bridge.send(&userinfo("a.d.a")).await), None);
    for tenant in ["quiet", "unknown"] {
        let other = Request { target: format!("/v1/tenants/{tenant}/userinfo"), ..userinfo("a.d.a") };
        assert_eq!(allowed(&bridge.send(&from(other, ORIGIN)).await), None, "{tenant}");
    }
    let browser = from(Request::new("GET", path("logout")), ORIGIN);
    assert_eq!(allowed(&bridge.send(&browser).await), None, "the browser goes there by itself");
}

fn preflight(name: &str, method: &str) -> Request {
    let request = Request::new("OPTIONS", path(name)).header("access-control-request-method", method);
    request.header("access-control-request-headers", "authorization")
}

#[tokio::test]
async fn preflight_lists_methods_and_headers() {
    let bridge = bridge(&Idp::new(), rules()).await;
    for (name, methods) in [("userinfo", "GET, POST"), ("logout", "POST")] {
        let answer = bridge.send(&from(preflight(name, "POST"), ORIGIN)).await;
        assert_eq!((answer.status, answer.body.as_str(), allowed(&answer)), (204, "", Some(ORIGIN)));
        assert_eq!(answer.header("access-control-allow-methods"), Some(methods));
        let headers = answer.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("authorization") && headers.contains("content-type"), "{headers}");
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
    }
    for name in ["backchannel-logout", "federation"] {
        assert_eq!(bridge.send(&from(preflight(name, "POST"), ORIGIN)).await.status, 405, "{name}");
    }
}

#[tokio::test]
async fn page_can_read_shutdown_refusal() {
    let idp = Idp::new().run_before(|_| std::future::pending());
    let mut bridge = bridge(&idp, rules()).await;
    let _held = bridge.begin(&logout("a.d.a")).await;
    until(|| !idp.calls().is_empty()).await;
    bridge.stop();
    // A connection from before the drain still gets a response.
    let hasty = from(userinfo("bad").header("x-request-timeout-ms", "20"), ORIGIN);
    let draining = async {
        loop {
            let answer = bridge.send(&hasty).await;
            if answer.status == 503 {
                return answer;
            }
        }
    };
    let answer = within(draining).await;
    assert_eq!((super::verdict(&answer).1.as_str(), allowed(&answer)), ("shutting_down", Some(ORIGIN)));
}
