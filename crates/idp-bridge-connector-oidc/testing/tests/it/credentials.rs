//! The credentials of the bridge's client other than a secret.

use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_connector_oidc::OidcConfig;
use idp_bridge_connector_oidc_testing::harness::{OidcHarness, build};
use idp_bridge_core::{ErrorKind, IdentityProvider as _, OutboundPolicy, Secret, Verdict};
use idp_bridge_http::oidc::AssertionAudience;

use crate::bench::{Bench, federation, scope};

fn provider(config: OidcConfig) -> idp_bridge_connector_oidc::Oidc {
    build(config, Some(OidcHarness::settings()), OutboundPolicy::default()).unwrap()
}

#[tokio::test]
async fn tokens_are_introspected_with_a_private_key() {
    let bench = Bench::start().await;
    for key in [SigningKey::rs256("k-1").unwrap(), SigningKey::es256("k-2").unwrap()] {
        let mut config = bench.harness.config_with_key(&key).unwrap();
        config.private_key_id = Some(key.kid().to_owned());
        let provider = provider(config);
        for _ in 0..3 {
            let user = federation(&provider).validate(&scope(), &bench.log_in().access).await.unwrap();
            assert_eq!(user.identity.subject, bench.user());
        }
        let findings = provider.diagnose(&scope()).await;
        assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
    }
}

#[tokio::test]
async fn audience_is_the_one_that_is_set() {
    let bench = Bench::start().await;
    let mut config = bench.harness.config_with_key(&SigningKey::es256("k-1").unwrap()).unwrap();
    bench.change(|issuer| issuer.assertion_audience = Some(format!("{}/token", issuer.issuer)));
    let token = bench.log_in().access;
    let error = federation(&provider(config.clone())).validate(&scope(), &token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
    config.private_key_audience = AssertionAudience::TokenEndpoint;
    federation(&provider(config)).validate(&scope(), &token).await.unwrap();
}

#[tokio::test]
async fn unregistered_key_is_found_with_its_fix() {
    let bench = Bench::start().await;
    let mut config = bench.harness.config_with_key(&SigningKey::es256("k-1").unwrap()).unwrap();
    config.private_key = Some(Secret::new(SigningKey::es256("k-1").unwrap().private_pem().unwrap()));
    let findings = provider(config).diagnose(&scope()).await;
    let failed = findings.iter().find(|finding| finding.verdict == Verdict::Failed).unwrap();
    assert_eq!(failed.check, "the bridge can introspect tokens");
    let fix = failed.fix.as_deref().unwrap();
    assert!(fix.contains("`idp-bridge keys public`") && fix.contains("`private_key_audience`"), "{fix}");
}
