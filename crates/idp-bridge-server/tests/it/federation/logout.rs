//! Logouts by applications.

use std::time::Duration;

use idp_bridge_core::{ErrorKind, LoggedOut};
use idp_bridge_server::FederationRules;

use super::idp::{Idp, LogoutTokens, at};
use super::store::Store;
use super::{HINT, bridge, form, listing, logout, path, refused, rules, userinfo, verdict};
use crate::clock::BEGIN;
use crate::http::{Connection, Request};

#[tokio::test]
async fn logged_out_token_always_fails() {
    let idp = Idp::new();
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
    let answer = bridge.send(&logout("a.d.a")).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(idp.calls(), ["validate", "identify", "log_out"]);
    let mut connection = Connection::open(bridge.address).await;
    for _ in 0..1_000 {
        assert!(refused(&connection.send(&userinfo("a.d.a")).await));
    }
    assert!(idp.calls().is_empty(), "a listed token costs no request");
}

#[tokio::test]
async fn shared_list_revokes_on_all_replicas() {
    let idp = Idp::new();
    idp.ada("a.d.a");
    let store = Store::new();
    let (one, two) = (listing(&idp, store.clone()).await, listing(&idp, store).await);
    assert_eq!(two.send(&userinfo("a.d.a")).await.status, 200);
    assert_eq!(one.send(&logout("a.d.a")).await.status, 204);
    assert!(refused(&two.send(&userinfo("a.d.a")).await));
}

#[tokio::test]
async fn logout_ends_only_its_session() {
    let idp = Idp::new();
    idp.ada("a.d.a")
        .token("a.earlier.s", |user| user.identity.issued_at = Some(at(-300)))
        .token("a.later.s", |user| user.identity.issued_at = Some(at(1)))
        .token("a.elsewhere.s", |user| user.identity.session = "t".parse().ok());
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(bridge.send(&logout("a.d.a")).await.status, 204);
    for (token, status) in [("a.d.a", 401), ("a.earlier.s", 401), ("a.later.s", 200), ("a.elsewhere.s", 200)] {
        assert_eq!(bridge.send(&userinfo(token)).await.status, status, "{token}");
    }
}

#[tokio::test]
async fn token_from_a_fast_clock_is_revoked() {
    let idp = Idp::new();
    idp.token("a.d.a", |user| user.identity.issued_at = Some(at(20)))
        .token("a.twin.s", |user| user.identity.issued_at = Some(at(20)));
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(bridge.send(&logout("a.d.a")).await.status, 204);
    assert!(refused(&bridge.send(&userinfo("a.twin.s")).await));
}

#[tokio::test]
async fn user_logout_revokes_earlier_tokens() {
    let idp = Idp::new();
    idp.ada("a.d.a")
        .token("a.elsewhere.s", |user| {
            user.identity.session = "t".parse().ok();
            user.identity.issued_at = Some(at(7));
        })
        .token("a.next.s", |user| {
            user.identity.session = "v".parse().ok();
            user.identity.issued_at = Some(at(8));
        })
        .token("a.eve.s", |user| {
            user.identity.subject = "eve".parse().unwrap();
            user.identity.session = "e".parse().ok();
        });
    idp.logs_out(LoggedOut::User { ended_at: at(7) });
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(bridge.send(&logout("a.d.a")).await.status, 204);
    for (token, status) in [("a.d.a", 401), ("a.elsewhere.s", 401), ("a.next.s", 200), ("a.eve.s", 200)] {
        assert_eq!(bridge.send(&userinfo(token)).await.status, status, "{token}");
    }
}

#[tokio::test]
async fn refresh_token_logout_revokes_access_token() {
    let idp = Idp::new();
    idp.logs_out(LoggedOut::RefreshToken);
    let sessionless = |token: &str| {
        idp.token(token, |user| user.identity.session = None);
    };
    sessionless("a.d.a");
    sessionless("a.elsewhere.s");
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(bridge.send(&logout("a.d.a")).await.status, 204);
    assert!(refused(&bridge.send(&userinfo("a.d.a")).await));
    assert_eq!(bridge.send(&userinfo("a.elsewhere.s")).await.status, 200);
}

#[tokio::test]
async fn entries_last_until_tokens_expire() {
    let idp = Idp::new();
    idp.ada("a.d.a").token("opaque", |user| {
        user.identity.session = None;
        user.identity.issued_at = None;
        user.identity.expires_at = None;
    });
    let bridge = bridge(&idp, rules()).await;
    for token in ["a.d.a", "opaque"] {
        assert_eq!(bridge.send(&logout(token)).await.status, 204);
    }
    bridge.clock.set(BEGIN + 3540);
    assert!(refused(&bridge.send(&userinfo("a.d.a")).await));
    bridge.clock.set(BEGIN + 24 * 60 * 60);
    assert!(refused(&bridge.send(&userinfo("opaque")).await));
    bridge.clock.set(BEGIN + 25 * 60 * 60);
    assert_eq!(bridge.send(&userinfo("opaque")).await.status, 200, "the identity provider may judge it alone again");
}

#[tokio::test]
async fn token_without_iat_is_refused_after_logout() {
    for cache in [0, 60] {
        let idp = Idp::new();
        idp.ada("a.d.a")
            .token("of-the-session", |user| user.identity.issued_at = None)
            .token("of-the-user", |user| (user.identity.session, user.identity.issued_at) = ("t".parse().ok(), None));
        idp.logs_out(LoggedOut::User { ended_at: at(-1) });
        let cache = Some(Duration::from_secs(cache));
        let bridge = bridge(&idp, FederationRules { cache, ..rules() }).await;
        for token in ["of-the-session", "of-the-user"] {
            assert_eq!(bridge.send(&userinfo(token)).await.status, 200, "{token}");
        }
        assert_eq!(bridge.send(&logout("a.d.a")).await.status, 204);
        for token in ["of-the-session", "of-the-user"] {
            assert!(refused(&bridge.send(&userinfo(token)).await), "{token}, {cache:?}");
        }
        // The entries expire when each token of that time has expired.
        bridge.clock.set(BEGIN + 25 * 60 * 60);
        assert_eq!(bridge.send(&userinfo("of-the-user")).await.status, 200);
    }
}

#[tokio::test]
async fn expired_token_still_ends_its_login() {
    let idp = Idp::new();
    idp.ada("a.ada.s")
        .token("a.d.a", |user| {
            user.identity.issued_at = Some(at(-4000));
            user.identity.expires_at = Some(at(-400));
        })
        .end("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    assert!(refused(&bridge.send(&userinfo("a.d.a")).await));
    assert_eq!(bridge.send(&userinfo("a.ada.s")).await.status, 200);
    idp.calls();
    assert_eq!(bridge.send(&form(logout("a.d.a"), "refresh_token=r")).await.status, 204);
    assert_eq!(idp.calls(), ["identify", "log_out"]);
    assert_eq!(
        idp.logouts(),
        [LogoutTokens { identified: true, refresh_token: Some("r".into()), id_token_hint: None }]
    );
    assert!(refused(&bridge.send(&userinfo("a.ada.s")).await), "the living token of the same session");
}

#[tokio::test]
async fn refresh_and_id_token_are_passed_on() {
    let idp = Idp::new();
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    let body = format!("refresh_token=r%2B%2Ft&id_token_hint={HINT}");
    for (body, refresh_token, id_token_hint) in [
        (body.as_str(), Some("r+/t".to_owned()), Some(HINT.to_owned())),
        ("refresh_token=r", Some("r".to_owned()), None),
        ("refresh_token=&id_token_hint=", None, None),
    ] {
        assert_eq!(bridge.send(&form(logout("a.d.a"), body)).await.status, 204, "{body}");
        assert_eq!(idp.logouts(), [LogoutTokens { identified: true, refresh_token, id_token_hint }]);
    }
    assert_eq!(bridge.send(&logout("a.d.a")).await.status, 204, "a repetition");
}

#[tokio::test]
async fn malformed_form_ends_no_login() {
    let idp = Idp::new();
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    let long = format!("refresh_token={}", "x".repeat(8193));
    for body in [
        "refresh_token=a&refresh_token=b",
        "refresh_token=a&refresh%5Ftoken=b",
        "id_token_hint=a&id_token_hint=a",
        "refreshToken=a",
        "refresh_token=a&access_token=a.d.a",
        "refresh_token=a&more=",
        "refresh_token=a%20b",
        "refresh_token=%C3%A4",
        "refresh_token=a%7F",
        "id_token_hint=a%0A",
        "refresh_token=%zz",
        &long,
    ] {
        let answer = bridge.send(&form(logout("a.d.a"), body)).await;
        assert_eq!(verdict(&answer), (400, "invalid_request".into()), "{body}");
    }
    let json = logout("a.d.a").json(&serde_json::json!({"refresh_token": "r"}));
    assert_eq!(verdict(&bridge.send(&json).await), (415, "unsupported_media_type".into()));
    let in_form = form(Request::new("POST", path("logout")), "access_token=a.d.a");
    assert_eq!(bridge.send(&in_form).await.status, 400);
    assert!(idp.calls().is_empty());
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
}

#[tokio::test]
async fn expired_opaque_token_ends_refresh_token() {
    let idp = Idp::new();
    idp.ada("opaque").end("opaque");
    let ended = bridge(&idp, rules()).await;
    assert!(refused(&ended.send(&logout("opaque")).await), "no login is left");
    assert_eq!(ended.send(&form(logout("opaque"), "refresh_token=r")).await.status, 204);
    assert_eq!(
        idp.logouts(),
        [LogoutTokens { identified: false, refresh_token: Some("r".into()), id_token_hint: None }]
    );
    idp.fail("log_out", Some(ErrorKind::InvalidInput));
    assert_eq!(ended.send(&form(logout("opaque"), "refresh_token=r")).await.status, 400);
    // An invalid signed token is rejected, also with a refresh token.
    assert!(refused(&ended.send(&form(logout("for.g.ed"), "refresh_token=r")).await));

    let signed_only = Idp::with(|federation| federation.opaque_tokens = false);
    let bridge = bridge(&signed_only, rules()).await;
    assert!(refused(&bridge.send(&form(logout("opaque"), "refresh_token=r")).await));
    assert_eq!(signed_only.calls(), ["identify"]);
}
