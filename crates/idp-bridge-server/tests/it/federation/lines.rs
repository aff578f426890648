//! The log lines of the OAuth routes.

use idp_bridge_core::{Customer, Ended, ErrorKind};
use idp_bridge_server::{CustomerFrom, FederationRules};
use serde_json::{Value, json};

use super::idp::{Idp, at, customer};
use super::{BACK, CLIENT, HINT, bridge, form, logout, path, rules, userinfo};
use crate::http::{Request, until};
use crate::lines::Log;

fn said(line: &Value, fields: &[(&str, Value)]) {
    for (field, value) in fields {
        assert_eq!(&line[*field], value, "{field}: {line}");
    }
}

#[tokio::test]
async fn request_is_one_line_without_secrets() {
    let log = Log::default();
    let _guard = log.begin();
    let idp = Idp::new();
    idp.ada("a.d.a").notice("l.o.t", Ended::User("ada".parse().unwrap()), at(-120));
    let bridge = bridge(&idp, rules()).await;
    bridge.send(&userinfo("a.d.a")).await;
    bridge.send(&form(logout("a.d.a"), &format!("refresh_token=se-cret&id_token_hint={HINT}"))).await;
    bridge.send(&form(Request::new("POST", path("backchannel-logout")), "logout_token=l.o.t")).await;
    let query = format!("client_id={CLIENT}&post_logout_redirect_uri={BACK}&state=se-cret&id_token_hint={HINT}");
    bridge.send(&Request::new("GET", format!("{}?{}", path("logout"), query.replace("?x=", "%3Fx%3D")))).await;
    bridge.send(&Request::new("GET", path("federation"))).await;
    let [asked, ended, notice, led, known] = log.lines().try_into().unwrap();
    for (line, surface, status) in [
        (&asked, "userinfo", 200),
        (&ended, "logout", 204),
        (&notice, "backchannel_logout", 200),
        (&led, "logout", 303),
        (&known, "federation", 200),
    ] {
        let fields = [("surface", json!(surface)), ("status", json!(status)), ("code", json!("ok"))];
        said(line, &fields);
        said(line, &[("tenant.id", json!("acme")), ("connector", json!("memory")), ("level", json!("INFO"))]);
    }
    said(&asked, &[("upstream.requests", json!(1))]);
    said(&ended, &[("upstream.requests", json!(2)), ("call", json!("log_out"))]);
    assert_eq!(led["call"], "end_session");
    let hash = asked["user.hash"].as_str().unwrap();
    assert_eq!((hash.len(), ended["user.hash"].as_str(), notice["user.hash"].as_str()), (16, Some(hash), Some(hash)));
    for secret in ["a.d.a", "l.o.t", "ada@", "\"ada\"", "c-1", "se-cret", HINT, "shop.example", "\"s\""] {
        assert!(!log.text().contains(secret), "{secret}: {}", log.text());
    }
}

#[tokio::test]
async fn refusal_reason_is_only_in_the_log() {
    let log = Log::default();
    let _guard = log.begin();
    let idp = Idp::new();
    idp.ada("a.d.a").fail("log_out", Some(ErrorKind::Unavailable));
    let bridge = bridge(&idp, rules()).await;
    let answers = [
        bridge.send(&userinfo("un.known.x")).await,
        bridge.send(&logout("a.d.a")).await,
        bridge.send(&userinfo("a.d.a")).await,
    ];
    let [unknown, failed, listed] = log.lines().try_into().unwrap();
    said(&unknown, &[("code", json!("invalid_token")), ("error", json!("no issuer knows this token"))]);
    said(&failed, &[("code", json!("upstream_unavailable")), ("outcome", json!("unknown")), ("level", json!("WARN"))]);
    said(&listed, &[("error", json!("the token is on the revocation list")), ("upstream.requests", json!(0))]);
    for (answer, line) in answers.iter().zip([&unknown, &failed, &listed]) {
        assert!(!answer.body.contains(line["error"].as_str().unwrap()), "{answer:?}");
    }
}

#[tokio::test]
async fn ambiguous_customers_are_logged() {
    let log = Log::default();
    let _guard = log.begin();
    let idp = Idp::new();
    idp.user("ada", customer("c-2")).ada("a.d.a").token("a.several.s", |user| user.customer = Customer::Several);
    let bridge = bridge(&idp, FederationRules { customer: CustomerFrom::ClaimCompared, ..rules() }).await;
    bridge.send(&userinfo("a.d.a")).await;
    bridge.send(&userinfo("a.several.s")).await;
    idp.changed("ada", |user| user.customer = customer("c-1"));
    bridge.send(&userinfo("a.d.a")).await;
    let [differs, several, same] = log.lines().try_into().unwrap();
    said(&differs, &[("level", json!("WARN")), ("note", json!("the claim and the user name different customers"))]);
    said(
        &several,
        &[("level", json!("WARN")), ("note", json!("the user has several customers: the response contains none"))],
    );
    said(&same, &[("level", json!("INFO")), ("note", Value::Null)]);
    assert!(!log.text().contains("c-1") && !log.text().contains("c-2"), "{}", log.text());
}

#[tokio::test]
async fn abandoned_requests_are_logged() {
    let log = Log::default();
    let _guard = log.begin();
    let idp = Idp::new().run_before(|asked| async move {
        if asked == "validate" {
            std::future::pending::<()>().await;
        }
    });
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    for request in [userinfo("a.d.a"), logout("a.d.a")] {
        let _caller = bridge.begin(&request).await;
        until(|| !idp.calls().is_empty()).await;
    }
    until(|| log.lines().len() == 2).await;
    let mut ends: Vec<_> = log.lines().iter().map(|line| format!("{} {}", line["surface"], line["code"])).collect();
    ends.sort();
    assert_eq!(ends, [r#""logout" "ok""#, r#""userinfo" "abandoned""#]);
}
