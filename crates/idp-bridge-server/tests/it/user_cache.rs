//! The cache of users (`user_cache`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use idp_bridge_core::{Deleted, ErrorKind};
use idp_bridge_server::Tenant;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::bridge::{Bridge, envelope, signed, tenant};
use crate::http::{Answer, within};
use crate::scripted::{ProviderCall, Returned, Scripted, record, upstream};

/// A provider with the user `u-1`.
fn one_user() -> Scripted {
    Scripted::at_once(|call| {
        Ok(match call {
            ProviderCall::Id(_) | ProviderCall::Email(_) | ProviderCall::Customer(_) => {
                Returned::User(record("u-1", "c-1", "ada@acme.example"))
            }
            ProviderCall::Delete => Returned::Deleted(Deleted::Existed),
            _ => Returned::Done,
        })
    })
}

fn caching(provider: &Scripted) -> Tenant {
    let mut acme = tenant("acme", provider.clone());
    acme.user_cache = Duration::from_secs(60);
    acme
}

/// Returns the three reads of the user.
fn reads() -> [(&'static str, Value); 3] {
    [
        ("users.get_by_id", json!({"id": "u-1"})),
        ("users.get_by_email", json!({"email": "ada@acme.example"})),
        ("users.get_by_customer", json!({"customer": "c-1"})),
    ]
}

async fn read_all(bridge: &Bridge) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (kind, data) in reads() {
        let answer = bridge.call(kind, data).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answers.push(answer);
    }
    answers
}

#[tokio::test]
async fn repeated_reads_are_answered_from_the_cache() {
    let provider = one_user();
    let bridge = Bridge::start([caching(&provider)]).await;
    let first = read_all(&bridge).await;
    let second = read_all(&bridge).await;
    assert_eq!(provider.calls(), 3);
    assert!(first.iter().zip(&second).all(|(one, two)| one.json() == two.json()));
}

#[tokio::test]
async fn each_write_empties_all_reads_of_its_user() {
    for (kind, data) in [
        ("users.delete", json!({"id": "u-1"})),
        ("users.mark_email_verified", json!({"id": "u-1"})),
        ("users.send_verification_email", json!({"id": "u-1"})),
        ("users.send_password_reset_email", json!({"email": "ADA@acme.example"})),
    ] {
        let provider = one_user();
        let bridge = Bridge::start([caching(&provider)]).await;
        read_all(&bridge).await;
        assert_eq!(bridge.call("users.delete", json!({"id": "u-2"})).await.status, 200);
        read_all(&bridge).await;
        assert_eq!(provider.calls(), 4, "the write was to another user");
        assert_eq!(bridge.call(kind, data).await.status, 200, "{kind}");
        read_all(&bridge).await;
        assert_eq!(provider.calls(), 8, "{kind}");
    }
}

#[tokio::test]
async fn failed_write_empties_the_reads_too() {
    let provider = Scripted::at_once(|call| match call {
        ProviderCall::Delete => Err(upstream(ErrorKind::Unavailable)),
        _ => Ok(Returned::User(record("u-1", "c-1", "ada@acme.example"))),
    });
    let bridge = Bridge::start([caching(&provider)]).await;
    read_all(&bridge).await;
    assert_eq!(bridge.call("users.delete", json!({"id": "u-1"})).await.status, 503);
    read_all(&bridge).await;
    assert_eq!(provider.calls(), 7);
}

#[tokio::test]
async fn failed_reads_are_not_cached() {
    for kind in [ErrorKind::NotFound, ErrorKind::Unavailable] {
        let provider = Scripted::failing(kind);
        let bridge = Bridge::start([caching(&provider)]).await;
        for calls in 1..=2 {
            assert_ne!(bridge.call("users.get_by_id", json!({"id": "u-1"})).await.status, 200);
            assert_eq!(provider.calls(), calls);
        }
    }
}

#[tokio::test]
async fn read_across_a_write_is_not_cached() {
    let (begun, gate, is_first) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)), AtomicBool::new(true));
    let (begins, waits) = (Arc::clone(&begun), Arc::clone(&gate));
    let provider = Scripted::new(move |call, _| {
        let (begun, gate) = (Arc::clone(&begins), Arc::clone(&waits));
        let is_slow = matches!(call, ProviderCall::Id(_)) && is_first.swap(false, SeqCst);
        async move {
            if is_slow {
                begun.add_permits(1);
                gate.acquire().await.unwrap().forget();
            }
            Ok(match call {
                ProviderCall::Id(_) => Returned::User(record("u-1", "c-1", "ada@acme.example")),
                _ => Returned::Done,
            })
        }
    });
    let bridge = Bridge::start([caching(&provider)]).await;
    let mut slow = bridge.begin(&signed(&envelope("users.get_by_id", json!({"id": "u-1"})))).await;
    within(begun.acquire()).await.unwrap().forget();
    assert_eq!(bridge.call("users.mark_email_verified", json!({"id": "u-1"})).await.status, 200);
    gate.add_permits(1);
    assert_eq!(slow.answer().await.unwrap().status, 200);
    assert_eq!(provider.calls(), 2);
    assert_eq!(bridge.call("users.get_by_id", json!({"id": "u-1"})).await.status, 200);
    assert_eq!(provider.calls(), 3, "the result of the slow read may be older than the write");
    assert_eq!(bridge.call("users.get_by_id", json!({"id": "u-1"})).await.status, 200);
    assert_eq!(provider.calls(), 3);
}
