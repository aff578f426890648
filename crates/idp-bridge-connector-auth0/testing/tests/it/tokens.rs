//! The token of the bridge's application: authentication, refusals and rate limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_conformance::fixture::{decode_jwt, email, scope};
use idp_bridge_connector_auth0::{Auth0, Auth0Config};
use idp_bridge_connector_auth0_testing::fake::Tenant;
use idp_bridge_core::jiff::{SignedDuration, Timestamp};
use idp_bridge_core::{
    CallScope, Clock, Connector as _, ConnectorContext, ErrorKind, IdentityProvider as _, Random, Result, Secret,
    SystemClock, SystemRandom, TenantId, UserKey,
};
use serde_json::Value;

use crate::bench::Bench;

/// Returns a tenant with the bridge's public key and a user, and the settings for it.
async fn with_key() -> (Bench, Auth0Config) {
    let bench = Bench::new().await;
    bench.create("ada", &["c-1"]).await;
    let config = bench.harness.config_with_key().unwrap();
    (bench, config)
}

/// Reads the user with these settings, and returns the kind of the error.
async fn read_with(config: Auth0Config, change: impl FnOnce(&mut ConnectorContext)) -> Option<ErrorKind> {
    let mut context = ConnectorContext::new(TenantId::new("acme").unwrap());
    change(&mut context);
    let provider = Auth0::build(config, &context).unwrap();
    let read: Result<_> = provider.get(&scope(), UserKey::Email(&email("ada"))).await;
    read.err().map(|error| error.kind())
}

/// Returns the claims of the sent assertions.
fn assertions(bench: &Bench) -> Vec<Value> {
    let exchanges = bench.fake().take_exchanges();
    let forms = exchanges.iter().filter_map(|exchange| exchange.request.form());
    forms.filter_map(|form| Some(decode_jwt(form.get("client_assertion")?).unwrap().1)).collect()
}

#[tokio::test]
async fn each_token_request_has_a_new_assertion() {
    let (bench, config) = with_key().await;
    let provider = bench.harness.build(config).unwrap();
    // The first attempt is refused: each attempt needs its own assertion, too.
    bench.fake().with(|tenant| tenant.limit(1, 0));
    for _ in 0..3 {
        provider.get(&scope(), UserKey::Email(&email("ada"))).await.unwrap();
        bench.fake().with(Tenant::expire_tokens);
    }
    let assertions = assertions(&bench);
    assert_eq!(assertions.len(), 4);
    for own in &assertions {
        assert_eq!((&own["iss"], &own["sub"]), (&"bridge-with-key".into(), &"bridge-with-key".into()));
        assert_eq!(own["aud"], "https://fake.eu.auth0.com/");
        assert_eq!(own["jti"].as_str().unwrap().len(), 32);
        assert_eq!(assertions.iter().filter(|other| other["jti"] == own["jti"]).count(), 1);
    }
}

#[tokio::test]
async fn assertion_expires_by_the_context_clock() {
    /// A clock that is an hour slow.
    #[derive(Debug)]
    struct Slow;
    impl Clock for Slow {
        fn now(&self) -> Timestamp {
            SystemClock.now() - SignedDuration::from_hours(1)
        }
    }
    let (_bench, config) = with_key().await;
    assert_eq!(read_with(config, |context| context.clock = Arc::new(Slow)).await, Some(ErrorKind::Unauthenticated));
}

#[tokio::test]
async fn assertion_needs_randomness() {
    #[derive(Debug, Default)]
    struct Once(AtomicBool);
    impl Random for Once {
        fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()> {
            if self.0.swap(true, Relaxed) {
                return Err(std::io::Error::other("none left"));
            }
            SystemRandom.fill(buffer)
        }
    }
    let (bench, config) = with_key().await;
    let kind = read_with(config, |context| context.random = Arc::new(Once::default())).await;
    assert_eq!((kind, bench.fake().take_exchanges().len()), (Some(ErrorKind::Unexpected), 0));
}

#[tokio::test]
async fn unregistered_and_invalid_keys_are_rejected() {
    let (_bench, mut config) = with_key().await;
    config.private_key = Some(Secret::new(SigningKey::rs256("other").unwrap().private_pem().unwrap()));
    assert_eq!(read_with(config.clone(), |_| {}).await, Some(ErrorKind::Unauthenticated));
    let p256 = SigningKey::es256("p256").unwrap().private_pem().unwrap();
    for bad in [&p256, "s3cr3t", "-----BEGIN PRIVATE KEY-----\ns3cr3t\n-----END PRIVATE KEY-----"] {
        config.private_key = Some(Secret::new(bad));
        let error = Auth0::build(config.clone(), &ConnectorContext::new(TenantId::new("acme").unwrap())).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
    }
}

#[tokio::test]
async fn missing_grant_and_custom_domain_have_own_errors() {
    let bench = Bench::new().await;
    let (mut without_grant, mut custom) = (bench.harness.config(), bench.harness.config());
    without_grant.client_id = "application".into();
    custom.domain = "login.acme.example".into();
    for (config, kind) in [(without_grant, ErrorKind::PermissionDenied), (custom, ErrorKind::Misconfigured)] {
        assert_eq!(read_with(config, |_| {}).await, Some(kind));
    }
}

#[tokio::test]
async fn rate_limit_is_waited_out_within_the_deadline() {
    let bench = Bench::new().await;
    let id = bench.create("ada", &["c-1"]).await;
    bench.get(UserKey::Id(&id)).await.unwrap();
    bench.fake().with(|tenant| tenant.limit(1, 1));
    assert_eq!(bench.get(UserKey::Id(&id)).await.unwrap().id, id);
    bench.fake().with(|tenant| tenant.limit(1, 60));
    let hasty = CallScope::new("test", Duration::from_secs(2));
    let error = bench.provider.get(&hasty, UserKey::Id(&id)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    let wait = error.retry_after().unwrap();
    assert!((58..=62).contains(&wait.as_secs()), "{wait:?}");
    assert!(hasty.remaining() > Duration::from_secs(1), "the call waited in vain");
}
