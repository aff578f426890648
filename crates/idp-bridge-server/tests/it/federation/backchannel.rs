//! What an identity provider tells is done, and done once.

use idp_bridge_core::{Ended, ErrorKind, SessionId, UserId};

use super::idp::{Idp, at};
use super::{HINT, alike, bridge, form, path, refused, rules, userinfo, verdict};
use crate::http::Request;

fn told(body: &str) -> Request {
    form(Request::new("POST", path("backchannel-logout")), body)
}

fn session(text: &str) -> Ended {
    Ended::Session(SessionId::new(text).unwrap())
}

fn user(text: &str) -> Ended {
    Ended::User(UserId::new(text).unwrap())
}

/// Two sessions of Ada, and one login after each of them.
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
async fn a_session_that_ended_elsewhere_ends_here_and_again_it_changes_nothing() {
    let idp = two_sessions();
    idp.notice("l.o.t", session("s"), at(5));
    let bridge = bridge(&idp, rules()).await;
    for _ in 0..3 {
        let answer = bridge.send(&told("logout_token=l.o.t")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        for (token, status) in [("o.n.e", 401), ("o.n.e2", 200), ("t.w.o", 200), ("t.w.o2", 200)] {
            assert_eq!(bridge.send(&userinfo(token)).await.status, status, "{token}");
        }
    }
}

#[tokio::test]
async fn a_user_who_was_logged_out_elsewhere_is_logged_out_here() {
    let idp = two_sessions();
    idp.notice("l.o.t", user("ada"), at(5));
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(bridge.send(&told("logout_token=l.o.t")).await.status, 200);
    for (token, status) in [("o.n.e", 401), ("o.n.e2", 200), ("t.w.o", 401), ("t.w.o2", 200)] {
        assert_eq!(bridge.send(&userinfo(token)).await.status, status, "{token}");
    }
}

#[tokio::test]
async fn an_older_notice_takes_nothing_back() {
    let idp = two_sessions();
    idp.notice("l.o.t", user("ada"), at(7));
    idp.notice("l.o.older", user("ada"), at(5));
    let bridge = bridge(&idp, rules()).await;
    for token in ["l.o.t", "l.o.older"] {
        assert_eq!(bridge.send(&told(&format!("logout_token={token}"))).await.status, 200);
    }
    assert!(refused(&bridge.send(&userinfo("o.n.e2")).await));
}

#[tokio::test]
async fn a_kept_answer_ends_with_its_session() {
    let idp = Idp::with(|federation| federation.cache_seconds = 60);
    idp.ada("a.d.a").notice("l.o.t", session("s"), at(0));
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
    assert_eq!(bridge.send(&told("logout_token=l.o.t")).await.status, 200);
    assert!(refused(&bridge.send(&userinfo("a.d.a")).await));
}

#[tokio::test]
async fn what_is_no_logout_token_is_a_bad_request_whoever_the_tenant_is() {
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
        assert_eq!(verdict(&bridge.send(&told(body)).await), (400, "invalid_request".into()), "{body}");
    }
    let in_query = Request::new("POST", format!("{}?logout_token=l.o.t", path("backchannel-logout")));
    assert_eq!(bridge.send(&in_query).await.status, 400);
    let expected = alike(&bridge.send(&told("logout_token=for.g.ed")).await);
    idp.fail("check_logout_token", Some(ErrorKind::Unsupported));
    assert_eq!(alike(&bridge.send(&told("logout_token=l.o.t")).await), expected, "there is no back channel");
    for tenant in ["quiet", "nobody"] {
        let target = format!("/v1/tenants/{tenant}/backchannel-logout");
        assert_eq!(alike(&bridge.send(&Request { target, ..told("logout_token=l.o.t") }).await), expected, "{tenant}");
    }
    assert_eq!(bridge.send(&userinfo("o.n.e")).await.status, 200, "nothing has ended");
}

#[tokio::test]
async fn what_a_form_says_beside_is_ignored_as_the_specification_asks() {
    let idp = two_sessions();
    idp.notice("l.o.t", session("s"), at(5));
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(bridge.send(&told(&format!("logout_token=l.o.t&id_token_hint={HINT}"))).await.status, 200);
}

#[tokio::test]
async fn an_outage_is_told_so_that_the_identity_provider_may_come_again() {
    let idp = two_sessions();
    idp.notice("l.o.t", session("s"), at(5));
    idp.fail("check_logout_token", Some(ErrorKind::Unavailable));
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(verdict(&bridge.send(&told("logout_token=l.o.t")).await), (503, "upstream_unavailable".into()));
}
