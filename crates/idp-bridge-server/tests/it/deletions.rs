//! Deleted users: their tokens are revoked, or the delete fails.

use std::sync::{Arc, Mutex};

use idp_bridge_core::jiff::{SignedDuration, Timestamp};
use idp_bridge_core::{Clock as _, Deleted, Error, ErrorKind, Result, TenantId, UserId, async_trait};
use idp_bridge_server::FederationRules;
use idp_bridge_server::revocation::{Revocation, RevocationStore, RevokedKey};
use serde_json::json;

use crate::bridge::{Bridge, envelope, limits, signed_as, store_with, tenant};
use crate::clock::TestClock;
use crate::scripted::{Returned, Scripted, upstream};

/// A revocation list that records its entries and can fail.
#[derive(Debug, Default)]
struct Spy {
    entries: Mutex<Vec<Revocation>>,
    is_unavailable: Mutex<bool>,
}

#[async_trait]
impl RevocationStore for Spy {
    async fn revoke(&self, tenant: &TenantId, entries: &[Revocation]) -> Result<()> {
        assert_eq!(tenant.as_str(), "acme");
        if *self.is_unavailable.lock().unwrap() {
            return Err(Error::ours(ErrorKind::Unavailable, "the store is unavailable"));
        }
        self.entries.lock().unwrap().extend_from_slice(entries);
        Ok(())
    }

    async fn is_revoked(&self, _: &TenantId, _: &[RevokedKey], _: Option<Timestamp>) -> Result<bool> {
        Ok(false)
    }
}

async fn bridge(provider: Scripted, federation: Option<FederationRules>) -> (Bridge, Arc<Spy>) {
    let spy = Arc::new(Spy::default());
    let mut acme = tenant("acme", provider);
    acme.federation = federation;
    let list = Arc::clone(&spy);
    let bridge = Bridge::with_server([acme], limits(), |server| server.with_store(store_with(list))).await;
    (bridge, spy)
}

fn deleting() -> Scripted {
    Scripted::at_once(|_| Ok(Returned::Deleted(Deleted::Existed)))
}

#[tokio::test]
async fn delete_revokes_tokens_until_now() {
    let rules = FederationRules { max_token_age: std::time::Duration::from_secs(600), ..FederationRules::default() };
    let (bridge, spy) = bridge(deleting(), Some(rules)).await;
    assert_eq!(bridge.call("users.delete", json!({"id": "u-1"})).await.status, 200);
    let entries = spy.entries.lock().unwrap().clone();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(entry.key, RevokedKey::Subject(UserId::new("u-1").unwrap()));
    let now = TestClock::default().now();
    let latest = entry.not_before.unwrap();
    assert!(latest > now && latest <= now + SignedDuration::from_mins(5), "{latest}");
    assert!(entry.until >= latest + SignedDuration::from_secs(600));
}

#[tokio::test]
async fn unwritable_list_fails_the_delete() {
    let provider = deleting();
    let (bridge, spy) = bridge(provider.clone(), Some(FederationRules::default())).await;
    let call = signed_as("msg_again", &envelope("users.delete", json!({"id": "u-1"})));
    *spy.is_unavailable.lock().unwrap() = true;
    let answer = bridge.send(&call).await;
    assert_eq!((answer.status, &answer.json()["outcome"]), (503, &json!("unknown")));
    assert_eq!((&answer.json()["retryable"], answer.header("retry-after").is_some()), (&json!(true), true));
    *spy.is_unavailable.lock().unwrap() = false;
    let answer = bridge.send(&call).await;
    assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, None));
    assert_eq!((provider.calls(), spy.entries.lock().unwrap().len()), (2, 1));
}

#[tokio::test]
async fn only_successful_deletes_revoke_tokens() {
    let (off, spy) = bridge(deleting(), None).await;
    assert_eq!(off.call("users.delete", json!({"id": "u-1"})).await.status, 200);
    assert!(spy.entries.lock().unwrap().is_empty());
    let failing = Scripted::at_once(|_| Err(upstream(ErrorKind::Unavailable)));
    let (failing, spy) = bridge(failing, Some(FederationRules::default())).await;
    assert_eq!(failing.call("users.delete", json!({"id": "u-1"})).await.status, 503);
    assert!(spy.entries.lock().unwrap().is_empty());
    let (marking, spy) = bridge(Scripted::at_once(|_| Ok(Returned::Done)), Some(FederationRules::default())).await;
    assert_eq!(marking.call("users.mark_email_verified", json!({"id": "u-1"})).await.status, 200);
    assert!(spy.entries.lock().unwrap().is_empty());
}
