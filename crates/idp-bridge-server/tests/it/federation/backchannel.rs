//! Logout notices of identity providers.

use idp_bridge_core::{Ended, ErrorKind, SessionId, UserId};

use super::idp::{Idp, at};
use super::{HINT, alike, bridge, form, path, refused, rules, userinfo, verdict};
use crate::http::Request;

fn notice(body: &str) -> Request {
    form(Request::new("POST", path("backchannel-logout")), body)
}

fn session(text: &str) -> Ended {
    Ended::Session(SessionId::new(text).unwrap())
}

fn user(text: &str) -> Ended {
    Ended::User(UserId::new(text).unwrap())
}

/// Adds two sessions of Ada, and a later login of each.
fn two_sessions() -> Idp {
    let idp = Idp::new();
    for (token, session, issued_at) in
        [("o.n.e", "s", -60), ("o.n.e2", "s", 6), ("t.w.o", "t", -60), ("t.w.o2", "t", 6)]
    {
        idp.token(token, |user| {
            user.identity.session = session.parse().ok();
            user.identity.issued_at = Some(at(issued_at));
        });
    }
    idp
}

#[tokio::test]
async fn notice_for_a_session_is_idempotent() {
    let idp = two_sessions();
    idp.notice("l.o.t", session("s"), at(5));
    let bridge = bridge(&idp, rules()).await;
    for _ in 0..3 {
        let answer = bridge.send(&notice("logout_token=l.o.t")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        for (token, status) in [("o.n.e", 401), ("o.n.e2", 200), ("t.w.o", 200), ("t.w.o2", 200)] {
            assert_eq!(bridge.send(&userinfo(token)).await.status, status, "{token}");
        }
    }
}

#[tokio::test]
async fn notice_for_a_user_revokes_tokens() {
    let idp = two_sessions();
    idp.notice("l.o.t", user("ada"), at(5));
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(bridge.send(&notice("logout_token=l.o.t")).await.status, 200);
    for (token, status) in [("o.n.e", 401), ("o.n.e2", 200), ("t.w.o", 401), ("t.w.o2", 200)] {
        assert_eq!(bridge.send(&userinfo(token)).await.status, status, "{token}");
    }
}

#[tokio::test]
async fn older_notice_changes_nothing() {
    let idp = two_sessions();
    idp.notice("l.o.t", user("ada"), at(7));
    idp.notice("l.o.older", user("ada"), at(5));
    let bridge = bridge(&idp, rules()).await;
    for token in ["l.o.t", "l.o.older"] {
        assert_eq!(bridge.send(&notice(&format!("logout_token={token}"))).await.status, 200);
    }
    assert!(refused(&bridge.send(&userinfo("o.n.e2")).await));
}

#[tokio::test]
async fn cached_response_ends_with_its_session() {
    let idp = Idp::with(|federation| federation.cache_seconds = 60);
    idp.ada("a.d.a").notice("l.o.t", session("s"), at(0));
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
    assert_eq!(bridge.send(&notice("logout_token=l.o.t")).await.status, 200);
    assert!(refused(&bridge.send(&userinfo("a.d.a")).await));
}

#[tokio::test]
async fn invalid_logout_token_is_a_bad_request() {
    let idp = two_sessions();
    idp.notice("l.o.t", session("s"), at(5));
    let bridge = bridge(&idp, rules()).await;
    for body in [
        "",
        "logout_token=",
        "logout_token=for.g.ed",
        "logout_token=a%20b",
        "token=l.o.t",
        "logout_token=l.o.t&logout_token=l.o.t",
        "logout_token=l.o.t&logout%5Ftoken=x",
    ] {
        assert_eq!(verdict(&bridge.send(&notice(body)).await), (400, "invalid_request".into()), "{body}");
    }
    let in_query = Request::new("POST", format!("{}?logout_token=l.o.t", path("backchannel-logout")));
    assert_eq!(bridge.send(&in_query).await.status, 400);
    let expected = alike(&bridge.send(&notice("logout_token=for.g.ed")).await);
    idp.fail("check_logout_token", Some(ErrorKind::Unsupported));
    assert_eq!(alike(&bridge.send(&notice("logout_token=l.o.t")).await), expected, "there is no back channel");
    for tenant in ["quiet", "unknown"] {
        let target = format!("/v1/tenants/{tenant}/backchannel-logout");
        assert_eq!(
            alike(&bridge.send(&Request { target, ..notice("logout_token=l.o.t") }).await),
            expected,
            "{tenant}"
        );
    }
    assert_eq!(bridge.send(&userinfo("o.n.e")).await.status, 200, "nothing has ended");
}

#[tokio::test]
async fn other_form_fields_are_ignored() {
    let idp = two_sessions();
    idp.notice("l.o.t", session("s"), at(5));
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(bridge.send(&notice(&format!("logout_token=l.o.t&id_token_hint={HINT}"))).await.status, 200);
}

#[tokio::test]
async fn outage_is_reported_for_retry() {
    let idp = two_sessions();
    idp.notice("l.o.t", session("s"), at(5));
    idp.fail("check_logout_token", Some(ErrorKind::Unavailable));
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(verdict(&bridge.send(&notice("logout_token=l.o.t")).await), (503, "upstream_unavailable".into()));
}
