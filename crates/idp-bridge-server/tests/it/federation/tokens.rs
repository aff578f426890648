//! The place of a token in the request.

use super::idp::Idp;
use super::{alike, bridge, form, logout, path, refused, rules, userinfo, verdict};
use crate::http::Request;

fn posted(body: &str) -> Request {
    form(Request::new("POST", path("userinfo")), body)
}

#[tokio::test]
async fn token_comes_from_header_or_form() {
    let idp = Idp::new();
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    let expected = bridge.send(&userinfo("a.d.a")).await;
    assert_eq!(expected.status, 200);
    let lower_case = userinfo("x").with("authorization", "bearer a.d.a");
    let in_post = Request { method: "POST".into(), ..userinfo("a.d.a") };
    let encoded = posted("access_token=a%2Ed.a");
    let charset = posted("access_token=a.d.a").with("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    let beside_basic = posted("access_token=a.d.a").header("authorization", "Basic YTpi");
    for request in [lower_case, in_post, posted("access_token=a.d.a"), encoded, charset, beside_basic] {
        let answer = bridge.send(&request).await;
        assert_eq!((answer.status, &answer.body), (200, &expected.body), "{request:?}");
    }
}

#[tokio::test]
async fn misplaced_token_is_a_bad_request() {
    let idp = Idp::new();
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    let with = |request: Request, query: &str| Request { target: format!("{}?{query}", request.target), ..request };
    for request in [
        with(Request::new("GET", path("userinfo")), "access_token=a.d.a"),
        with(Request::new("GET", path("userinfo")), "x=1&%61ccess_token=a.d.a"),
        with(Request::new("GET", path("userinfo")), "access_token"),
        with(userinfo("a.d.a"), "access_token=a.d.a"),
        with(userinfo("a.d.a"), "refresh_token=r"),
        with(userinfo("a.d.a"), "x=%ff"),
        with(logout("a.d.a"), "refresh_token=r"),
        with(logout("a.d.a"), "id_token_hint=r"),
        userinfo("a.d.a").header("authorization", "Bearer a.d.a"),
        userinfo("a.d.a").header("authorization", "Basic YTpi"),
        posted("access_token=a.d.a&access_token=a.d.a"),
        posted("access_token=a.d.a&access_toke%6e=b"),
        posted("access_token=a.d.a&more=1"),
        posted("access_token=%"),
        posted("access_token=a.d.a").header("authorization", "Bearer a.d.a"),
        Request { method: "GET".into(), ..posted("access_token=a.d.a") },
    ] {
        let answer = bridge.send(&request).await;
        assert_eq!(verdict(&answer), (400, "invalid_request".into()), "{request:?}");
        assert!(!answer.body.contains("a.d.a"), "{answer:?}");
    }
    assert!(idp.calls().is_empty());
    assert_eq!(bridge.send(&with(userinfo("a.d.a"), "schema=openid")).await.status, 200);
}

#[tokio::test]
async fn other_media_types_are_refused() {
    let bridge = bridge(&Idp::new(), rules()).await;
    for media_type in ["application/json", "text/plain", "multipart/form-data; boundary=x", ""] {
        let answer = bridge.send(&posted("access_token=a").with("content-type", media_type)).await;
        assert_eq!(verdict(&answer), (415, "unsupported_media_type".into()), "{media_type}");
    }
    let encoded = posted("access_token=a").header("content-encoding", "gzip");
    assert_eq!(bridge.send(&encoded).await.status, 415);
    let large = posted(&format!("access_token={}", "a".repeat(17_000)));
    assert_eq!(verdict(&bridge.send(&large).await), (413, "too_large".into()));
}

#[tokio::test]
async fn challenge_depends_on_token_presence() {
    let idp = Idp::new();
    idp.ada("a.d.a").end("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    let bare = [
        Request::new("GET", path("userinfo")),
        Request::new("POST", path("userinfo")),
        Request::new("POST", path("logout")),
        posted("access_token="),
        userinfo("x").with("authorization", "Basic YTpi"),
        userinfo("x").with("authorization", "DPoP a.d.a"),
        userinfo("x").with("authorization", "Bearerx a.d.a"),
        form(Request::new("POST", path("logout")), "refresh_token=r"),
    ];
    for request in bare {
        let answer = bridge.send(&request).await;
        assert_eq!(verdict(&answer), (401, "invalid_token".into()), "{request:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{request:?}");
    }
    assert!(idp.calls().is_empty());
    let long = "x".repeat(8193);
    for bad in ["a b", "a,b", "=", "\"a\"", "un.known.token", "unknown", "a.d.a", &long] {
        assert!(refused(&bridge.send(&userinfo(bad)).await), "{bad}");
    }
    assert!(refused(&bridge.send(&posted("access_token=a%20b")).await));
    assert!(refused(&bridge.send(&logout("un.known.token")).await));
}

#[tokio::test]
async fn missing_federation_looks_like_bad_token() {
    let idp = Idp::new();
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    for method in ["GET", "POST"] {
        for name in ["userinfo", "logout"] {
            let of = |tenant: &str| Request::new(method, format!("/v1/tenants/{tenant}/{name}"));
            let mut requests = vec![of("acme").header("authorization", "Bearer bad"), of("acme")];
            if name == "userinfo" && method == "POST" {
                requests.push(form(of("acme"), "access_token=bad"));
            }
            for request in requests {
                let expected = bridge.send(&request).await;
                for tenant in ["quiet", "unknown"] {
                    let other = Request { target: of(tenant).target, ..request.clone() };
                    let answer = bridge.send(&other).await;
                    assert_eq!(alike(&answer), alike(&expected), "{method} {name} {tenant}");
                }
            }
        }
    }
    let good_elsewhere = Request { target: "/v1/tenants/quiet/userinfo".into(), ..userinfo("a.d.a") };
    assert!(refused(&bridge.send(&good_elsewhere).await));
}

#[tokio::test]
async fn wrong_method_returns_allowed_methods() {
    let bridge = bridge(&Idp::new(), rules()).await;
    for (name, allow) in [
        ("userinfo", "GET, POST, OPTIONS"),
        ("logout", "GET, POST, OPTIONS"),
        ("backchannel-logout", "POST"),
        ("federation", "GET"),
    ] {
        for method in ["DELETE", "PUT", "HEAD"] {
            let mut connection = bridge.begin(&Request::new(method, path(name))).await;
            let answer = connection.answer_to_head().await.unwrap();
            assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {name}");
        }
    }
}
