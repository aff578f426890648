//! The token of the bridge's application: authentication, refusals and rate limits.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_core::jiff::{SignedDuration, Timestamp};
use idp_bridge_core::{
    CallScope, Clock, Connector as _, ConnectorContext, ErrorKind, IdentityProvider as _, Random, Secret, SystemRandom,
    TenantId, UserKey,
};
use serde_json::Value;

use super::{Stage, email, scope};
use crate::fake::Key;
use crate::{Auth0, Auth0Config};

/// Returns a tenant with the bridge's public key, and the settings for it.
async fn with_key() -> (Stage, Auth0Config) {
    let stage = Stage::new().await;
    stage.create("ada", &["c-1"]).await;
    let config = stage.harness.config_with_key().unwrap();
    (stage, config)
}

/// Returns the claims of the sent assertions.
fn claims(stage: &Stage) -> Vec<Value> {
    let exchanges = stage.fake().take_exchanges();
    let forms = exchanges.iter().filter_map(|exchange| exchange.request.form());
    forms
        .filter_map(|form| form.get("client_assertion").cloned())
        .map(|assertion| {
            let payload = assertion.split('.').nth(1).unwrap();
            let decoded = URL_SAFE_NO_PAD.decode(payload).unwrap();
            serde_json::from_slice(&decoded).unwrap()
        })
        .collect()
}

#[tokio::test]
async fn each_token_request_has_a_new_assertion() {
    let (stage, config) = with_key().await;
    let provider = stage.harness.build(config).unwrap();
    for _ in 0..3 {
        provider.get(&scope(), UserKey::Email(&email("ada"))).await.unwrap();
        stage.fake().with(crate::fake::Tenant::expire_tokens);
    }
    let claims = claims(&stage);
    assert_eq!(claims.len(), 3);
    for own in &claims {
        assert_eq!((&own["iss"], &own["sub"]), (&"bridge-with-key".into(), &"bridge-with-key".into()));
        assert_eq!(own["aud"], "https://fake.eu.auth0.com/");
        assert_eq!(own["jti"].as_str().unwrap().len(), 32);
        assert!(claims.iter().filter(|other| other["jti"] == own["jti"]).count() == 1);
    }
}

#[tokio::test]
async fn each_attempt_has_a_new_assertion() {
    let (stage, config) = with_key().await;
    let provider = stage.harness.build(config).unwrap();
    stage.fake().with(|tenant| tenant.limit(1, 0));
    provider.get(&scope(), UserKey::Email(&email("ada"))).await.unwrap();
    let claims = claims(&stage);
    assert_eq!(claims.len(), 2);
    assert_ne!(claims[0]["jti"], claims[1]["jti"]);
}

#[tokio::test]
async fn assertion_expires_by_the_context_clock() {
    /// A clock that is an hour slow.
    #[derive(Debug)]
    struct Slow;
    impl Clock for Slow {
        fn now(&self) -> Timestamp {
            idp_bridge_core::SystemClock.now() - SignedDuration::from_hours(1)
        }
    }
    let (_stage, config) = with_key().await;
    let context = ConnectorContext { clock: Arc::new(Slow), ..ConnectorContext::new(TenantId::new("acme").unwrap()) };
    let provider = Auth0::build(config, &context).unwrap();
    let error = provider.get(&scope(), UserKey::Email(&email("ada"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn unregistered_and_invalid_keys_are_rejected() {
    let (stage, mut config) = with_key().await;
    config.private_key = Some(Key::generate().unwrap().private);
    let unregistered = stage.harness.build(config.clone()).unwrap();
    let error = unregistered.get(&scope(), UserKey::Email(&email("ada"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    for bad in ["s3cr3t", "-----BEGIN PRIVATE KEY-----\ns3cr3t\n-----END PRIVATE KEY-----"] {
        config.private_key = Some(Secret::new(bad));
        let error = Auth0::build(config.clone(), &ConnectorContext::new(TenantId::new("acme").unwrap())).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
    }
}

#[tokio::test]
async fn assertion_needs_randomness() {
    #[derive(Debug)]
    struct Once(std::sync::atomic::AtomicBool);
    impl Random for Once {
        fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()> {
            if self.0.swap(true, std::sync::atomic::Ordering::Relaxed) {
                return Err(std::io::Error::other("none left"));
            }
            SystemRandom.fill(buffer)
        }
    }
    let (stage, config) = with_key().await;
    let random = Arc::new(Once(std::sync::atomic::AtomicBool::new(false)));
    let context = ConnectorContext { random, ..ConnectorContext::new(TenantId::new("acme").unwrap()) };
    let provider = Auth0::build(config, &context).unwrap();
    stage.fake().take_exchanges();
    let error = provider.get(&scope(), UserKey::Email(&email("ada"))).await.unwrap_err();
    assert_eq!((error.kind(), stage.fake().take_exchanges().len()), (ErrorKind::Unexpected, 0));
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    stage.fake().with(crate::fake::Tenant::expire_tokens);
    stage.fake().take_exchanges();
    stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    let statuses: Vec<u16> = stage.fake().take_exchanges().iter().map(|exchange| exchange.answer.status).collect();
    assert_eq!(statuses, [401, 200, 200]);
}

#[tokio::test]
async fn missing_grant_and_custom_domain_have_own_errors() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &[]).await;
    let mut config = stage.harness.config();
    config.client_id = "application".into();
    let error = stage.harness.build(config).unwrap().get(&scope(), UserKey::Id(&id)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let mut config = stage.harness.config();
    config.domain = "login.acme.example".into();
    let error = stage.harness.build(config).unwrap().get(&scope(), UserKey::Id(&id)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
}

#[tokio::test]
async fn rate_limit_is_waited_out_within_the_deadline() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    stage.fake().with(|tenant| tenant.limit(1, 1));
    assert_eq!(stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap().id, id);
    stage.fake().with(|tenant| tenant.limit(1, 60));
    let hasty = CallScope::new("test", Duration::from_secs(2));
    let error = stage.provider.get(&hasty, UserKey::Id(&id)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    let wait = error.retry_after().unwrap();
    assert!((58..=62).contains(&wait.as_secs()), "{wait:?}");
    assert!(hasty.remaining() > Duration::from_secs(1), "the call waited in vain");
}
