//! The credentials of the bridge's client other than a secret.

use std::collections::BTreeSet;

use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_conformance::fixture::decode_jwt;
use idp_bridge_core::{ErrorKind, IdentityProvider as _, Secret, UserKey, Verdict};
use serde_json::Value;

use crate::bench::{Stage, email, scope};

/// Returns the assertions that the fake got since the last call.
fn assertions(stage: &Stage) -> Vec<String> {
    let exchanges = stage.fake.take_exchanges();
    let forms = exchanges.iter().filter_map(|exchange| exchange.request.form());
    forms.filter_map(|form| form.get("client_assertion").cloned()).collect()
}

fn claims(assertion: &str) -> Value {
    decode_jwt(assertion).unwrap().1
}

#[tokio::test]
async fn client_with_a_private_key_is_served() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    // Before the tokens expire, among them the administrator's.
    let mut configs = Vec::new();
    for key in [SigningKey::rs256("k-1").unwrap(), SigningKey::es256("k-2").unwrap()] {
        let mut config = stage.harness.config_with_key(&key).await.unwrap();
        config.private_key_id = Some(key.kid().to_owned());
        configs.push(config);
    }
    for config in configs {
        let provider = stage.harness.build(config.clone()).unwrap();
        stage.fake.take_exchanges();
        for _ in 0..3 {
            assert_eq!(provider.get(&scope(), UserKey::Email(&email("ada"))).await.unwrap().id, id);
            stage.fake.expire_tokens();
        }
        let findings = provider.diagnose(&scope()).await;
        assert!(findings.iter().all(|finding| finding.verdict != Verdict::Failed), "{findings:#?}");
        let sent = assertions(&stage);
        assert!(sent.len() >= 4, "{}", sent.len());
        assert_eq!(sent.iter().collect::<BTreeSet<_>>().len(), sent.len(), "each request has its own assertion");
        let claims = claims(&sent[0]);
        assert_eq!(claims["aud"], format!("{}/realms/{}", config.url, config.realm));
        assert_eq!((&claims["iss"], &claims["sub"]), (&Value::from(config.client_id.as_str()), &claims["iss"]));
    }
}

#[tokio::test]
async fn introspection_has_an_assertion() {
    let stage = Stage::new().await;
    let key = SigningKey::es256("k-1").unwrap();
    let config = stage.harness.config_with_key(&key).await.unwrap();
    let provider = stage.harness.build(config).unwrap();
    let token = stage.log_in("light", "").await.access;
    stage.fake.take_exchanges();
    // The fake accepts each assertion once, and only for this client.
    let _ = provider.federation().unwrap().validate(&scope(), &token).await;
    let exchanges = stage.fake.take_exchanges();
    let introspection = exchanges.iter().find(|exchange| exchange.request.target.ends_with("/introspect")).unwrap();
    assert_eq!(introspection.answer.status, 200);
    assert!(introspection.request.form().unwrap().contains_key("client_assertion"));
}

#[tokio::test]
async fn unregistered_key_is_found_with_its_fix() {
    let stage = Stage::new().await;
    let mut config = stage.harness.config_with_key(&SigningKey::es256("k-1").unwrap()).await.unwrap();
    config.private_key = Some(Secret::new(SigningKey::es256("k-1").unwrap().private_pem().unwrap()));
    let provider = stage.harness.build(config).unwrap();
    let error = provider.get(&scope(), UserKey::Email(&email("ada"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("Keys → Import")), "{error:?}");
    let findings = provider.diagnose(&scope()).await;
    let failed = findings.iter().find(|finding| finding.verdict == Verdict::Failed).unwrap();
    let fix = failed.fix.as_deref().unwrap();
    assert!(fix.contains("`Signed JWT`") && fix.contains("`idp-bridge keys public`"), "{fix}");
}
