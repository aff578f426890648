//! The findings of a diagnosis, with one mistake at a time.

use idp_bridge_connector_oidc::{ClientSecretIn, Oidc, OidcConfig};
use idp_bridge_core::{FederationSettings, Finding, IdentityProvider as _, OauthClient, Secret, Verdict};
use serde_json::{Value, json};

use crate::bench::{Bench, federation, scope};

async fn findings(provider: &Oidc) -> Vec<Finding> {
    let mut all = provider.diagnose(&scope()).await;
    all.extend(federation(provider).diagnose(&scope()).await);
    all
}

/// Returns the names of the failed checks.
async fn failed(bench: &Bench, change: impl FnOnce(&mut OidcConfig, &mut FederationSettings)) -> Vec<String> {
    let all = findings(&bench.provider(change)).await;
    all.into_iter().filter(|finding| finding.verdict == Verdict::Failed).map(|finding| finding.check).collect()
}

#[tokio::test]
async fn healthy_provider_hides_authority_and_back_channel() {
    let bench = Bench::start().await;
    let all = findings(&bench.provider(|_, _| {})).await;
    let not_ok: Vec<&Finding> = all.iter().filter(|finding| finding.verdict != Verdict::Ok).collect();
    let [source, back_channel] = not_ok.as_slice() else { panic!("{not_ok:#?}") };
    assert!(source.hides_authority() && source.check.contains("`customer_id`"), "{source:?}");
    assert_eq!((back_channel.verdict, back_channel.authority), (Verdict::NotVisible, false));
    assert_eq!(all.len(), 12);
    let in_form = failed(&bench, |config, _| config.client_secret_in = ClientSecretIn::Form).await;
    assert!(in_form.is_empty(), "{in_form:?}");
}

#[tokio::test]
async fn wrong_clients_are_found() {
    let bench = Bench::start().await;
    let bridge = failed(&bench, |config, _| config.client_secret = Some(Secret::new("wrong"))).await;
    assert_eq!(bridge, ["the bridge can introspect tokens"]);
    let unprivileged = failed(&bench, |config, _| config.client_id = Some("shop".into())).await;
    assert_eq!(unprivileged, bridge);
    let clients = failed(&bench, |_, settings| {
        settings.clients = [("shop", None), ("phone", Some("a")), ("unknown", None)]
            .map(|(id, secret)| OauthClient { id: id.into(), secret: secret.map(Secret::new) })
            .into();
    })
    .await;
    assert_eq!(clients, ["shop", "phone", "unknown"].map(|id| format!("the client `{id}` exists and has this secret")));
}

#[tokio::test]
async fn missing_endpoints_and_scopes_are_found() {
    let bench = Bench::start().await;
    for (name, value, check) in [
        ("revocation_endpoint", Value::Null, "the discovery document has `revocation_endpoint`"),
        ("end_session_endpoint", Value::Null, "the discovery document has `end_session_endpoint`"),
        ("scopes_supported", json!(["openid"]), "the configured scopes are supported"),
    ] {
        bench.change(|issuer| drop(issuer.document.insert(name.into(), value)));
        assert_eq!(failed(&bench, |_, _| {}).await, [check]);
        bench.change(|issuer| issuer.document.clear());
    }
    bench.change(|issuer| drop(issuer.document.insert("introspection_endpoint".into(), Value::Null)));
    let introspection = failed(&bench, |_, _| {}).await;
    assert_eq!(
        introspection,
        ["the bridge can introspect tokens", "the discovery document has `introspection_endpoint`"]
    );
    bench.change(|issuer| {
        issuer.document = [("userinfo_endpoint".to_owned(), Value::Null)].into();
    });
    let userinfo = failed(&bench, |config, _| (config.client_id, config.client_secret) = (None, None)).await;
    assert_eq!(userinfo, ["the discovery document has `userinfo_endpoint`"]);
}

#[tokio::test]
async fn optional_members_of_the_document_are_not_visible() {
    let bench = Bench::start().await;
    bench.change(|issuer| {
        for name in ["scopes_supported", "claims_supported", "backchannel_logout_supported"] {
            issuer.document.insert(name.into(), Value::Null);
        }
    });
    let all = findings(&bench.provider(|_, _| {})).await;
    let hidden = all.iter().filter(|finding| finding.verdict == Verdict::NotVisible).count();
    assert_eq!((hidden, all.iter().filter(|finding| finding.verdict == Verdict::Failed).count()), (4, 0), "{all:?}");
}

#[tokio::test]
async fn another_issuer_hides_the_other_checks() {
    let bench = Bench::start().await;
    bench.change(|issuer| drop(issuer.document.insert("issuer".into(), json!("https://other.example"))));
    let all = findings(&bench.provider(|_, _| {})).await;
    let first = &all[0];
    assert_eq!(first.verdict, Verdict::Failed);
    assert!(first.fix.as_deref().is_some_and(|fix| fix.contains("exactly as the document has it")), "{first:?}");
    assert!(all.iter().all(|finding| finding.verdict != Verdict::Ok), "{all:?}");
}
