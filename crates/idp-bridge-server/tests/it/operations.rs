//! The seven operations (section 2), and the checks of returned users.

use std::collections::BTreeSet;

use idp_bridge_connector_memory::{Mail, sample_users};
use idp_bridge_core::{
    CallKind, Capabilities, Customer, Deleted, Email, ErrorKind, MailKind, Support, UserId, UserRecord,
};
use serde_json::json;

use crate::bridge::{Bridge, memory, tenant};
use crate::scripted::{ProviderCall, Returned, Scripted, record, upstream};

#[tokio::test]
async fn lookups_return_equal_users() {
    let bridge = Bridge::with_samples().await;
    let by_id = bridge.call("users.get_by_id", json!({"id": "u-1"})).await;
    assert_eq!(by_id.header("content-type"), Some("application/json"));
    assert_eq!(
        by_id.json(),
        json!({"user": {
            "tenant": "acme", "id": "u-1", "customer": "cust-1", "email": "ada@acme.example",
            "create_time": "2024-05-01T10:00:00Z", "update_time": "2026-02-11T08:30:00Z",
            "login_time": "2026-10-30T07:12:45Z", "logins_count": "42", "email_verified": true, "blocked": false
        }})
    );
    let by_email = bridge.call("users.get_by_email", json!({"email": "ADA@acme.example"})).await;
    let by_customer = bridge.call("users.get_by_customer", json!({"customer": "cust-1"})).await;
    assert_eq!([by_email.body, by_customer.body], [by_id.body.clone(), by_id.body]);
}

#[tokio::test]
async fn writes_change_the_user() {
    let users = memory(sample_users());
    let bridge = Bridge::with_provider(users.clone()).await;
    let linus = UserId::new("u-3").unwrap();
    let mail = |kind| Mail { to: Email::new("linus@acme.example").unwrap(), kind };
    let done = bridge.call("users.send_verification_email", json!({"id": "u-3"})).await;
    assert_eq!((done.status, done.json()), (200, json!({})));
    let done = bridge.call("users.send_password_reset_email", json!({"email": "linus@acme.example"})).await;
    assert_eq!((done.status, done.json()), (200, json!({})));
    assert_eq!(users.store().outbox(), [mail(MailKind::Verification), mail(MailKind::PasswordReset)]);
    let conflict = json!({"id": "u-3", "email": "other@acme.example"});
    let refused = bridge.call("users.mark_email_verified", conflict).await;
    assert_eq!(refused.verdict(), (409, "user_conflict".into()));
    assert!(!users.store().user(&linus).unwrap().email_verified);
    let done = bridge.call("users.mark_email_verified", json!({"id": "u-3"})).await;
    assert_eq!((done.status, done.json()), (200, json!({})));
    assert!(users.store().user(&linus).unwrap().email_verified);
    let deleted = bridge.call("users.delete", json!({"id": "u-3"})).await;
    assert_eq!((deleted.status, deleted.json()), (200, json!({"existed": true})));
    assert!(users.store().user(&linus).is_none());
    assert_eq!(bridge.call("users.delete", json!({"id": "u-3"})).await.json(), json!({"existed": false}));
}

#[tokio::test]
async fn delete_may_return_unknown_existence() {
    let bridge = Bridge::with_provider(Scripted::at_once(|_| Ok(Returned::Deleted(Deleted::Unknown)))).await;
    assert_eq!(bridge.call("users.delete", json!({"id": "u"})).await.json(), json!({"existed": null}));
}

#[tokio::test]
async fn wrong_user_is_never_returned() {
    let no_email = UserRecord { email: None, ..record("u-1", "c-1", "x@y") };
    for (kind, data, answered) in [
        ("users.get_by_id", json!({"id": "u-1"}), record("U-1", "c-1", "a@b")),
        ("users.get_by_id", json!({"id": "u-1"}), record("u-10", "c-1", "a@b")),
        ("users.get_by_email", json!({"email": "a@b"}), record("u-1", "c-1", "aa@b")),
        ("users.get_by_email", json!({"email": "ä@b"}), record("u-1", "c-1", "Ä@b")),
        ("users.get_by_email", json!({"email": "a@b"}), no_email),
        ("users.get_by_customer", json!({"customer": "c-1"}), record("u-1", "C-1", "a@b")),
        (
            "users.get_by_customer",
            json!({"customer": "c-1"}),
            UserRecord { customer: Customer::Absent, ..record("c-1", "x", "a@b") },
        ),
    ] {
        let bridge = Bridge::with_provider(Scripted::at_once(move |_| Ok(Returned::User(answered.clone())))).await;
        let answer = bridge.call(kind, data.clone()).await;
        assert_eq!(answer.verdict(), (502, "upstream_invalid_response".into()), "{kind} {data}");
    }
}

#[tokio::test]
async fn incomplete_and_ambiguous_users_are_refused() {
    let base = record("u-1", "c-1", "a@b");
    for (answered, code, field) in [
        (UserRecord { email: None, ..base.clone() }, "user_incomplete", json!("email")),
        (UserRecord { customer: Customer::Absent, ..base.clone() }, "user_incomplete", json!("customer")),
        (UserRecord { customer: Customer::Unusable, ..base.clone() }, "user_incomplete", json!("customer")),
        (UserRecord { customer: Customer::Several, ..base }, "ambiguous_user", json!(null)),
    ] {
        let bridge = Bridge::with_provider(Scripted::at_once(move |_| Ok(Returned::User(answered.clone())))).await;
        let answer = bridge.call("users.get_by_id", json!({"id": "u-1"})).await;
        assert_eq!(answer.verdict(), (409, code.into()));
        assert_eq!(answer.json()["field"], field);
    }
}

#[tokio::test]
async fn password_reset_conceals_missing_users() {
    let users = memory(sample_users());
    let bridge = Bridge::with_provider(users.clone()).await;
    for email in ["linus@acme.example", "unknown@acme.example", "mallory@acme.example"] {
        let answer = bridge.call("users.send_password_reset_email", json!({"email": email})).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "{}"), "{email}");
    }
    assert_eq!(users.store().outbox().len(), 1);
    use ErrorKind::{Ambiguous, Incomplete, NotFound, State};
    for kind in [NotFound, Ambiguous, Incomplete, State] {
        let bridge = Bridge::with_provider(Scripted::failing(kind)).await;
        assert_eq!(bridge.call("users.send_password_reset_email", json!({"email": "a@b"})).await.body, "{}");
        // A verification mail is for a known user, so its errors are not concealed.
        assert_eq!(bridge.call("users.send_verification_email", json!({"id": "u"})).await.status / 100, 4);
    }
    let bridge = Bridge::with_provider(Scripted::failing(ErrorKind::Unavailable)).await;
    assert_eq!(bridge.call("users.send_password_reset_email", json!({"email": "a@b"})).await.status, 503);
}

#[tokio::test]
async fn unsupported_call_is_refused_with_reason() {
    let provider = Scripted::failing(ErrorKind::Unexpected)
        .with(Capabilities::all().with_call(CallKind::Delete, Support::unsupported("read only")));
    let bridge = Bridge::with_provider(provider.clone()).await;
    let answer = bridge.call("users.delete", json!({"id": "u"})).await;
    assert_eq!(answer.verdict(), (501, "not_supported".into()));
    assert_eq!(answer.json()["detail"], "read only");
    assert_eq!(provider.calls(), 0);
}

#[tokio::test]
async fn disabled_call_is_forbidden() {
    let provider = Scripted::at_once(|asked| match asked {
        ProviderCall::Id(_) => Err(upstream(ErrorKind::NotFound)),
        _ => Ok(Returned::Deleted(Deleted::Existed)),
    });
    let mut acme = tenant("acme", provider.clone());
    acme.switched_off = BTreeSet::from([CallKind::Delete]);
    let bridge = Bridge::start([acme]).await;
    assert_eq!(bridge.call("users.delete", json!({"id": "u"})).await.verdict(), (403, "forbidden".into()));
    assert_eq!(provider.calls(), 0);
    assert_eq!(bridge.call("users.get_by_id", json!({"id": "u"})).await.status, 404);
}
