//! The checks of `doctor`.

use std::sync::Arc;
use std::time::Duration;

use idp_bridge_connector_http::{Definition, Http, HttpConfig, catalog};
use idp_bridge_core::{CallScope, Finding, IdentityProvider, Secret, Verdict};
use idp_bridge_test_http::{Server, answer};
use serde_json::{Value, json};

/// Returns the only finding about who can write the customer.
async fn find_authority(definition: Definition, config: &HttpConfig) -> Finding {
    let provider = Http::with_definition(&Arc::new(definition), config, &crate::context()).unwrap();
    let findings = provider.diagnose(&CallScope::new("r-1", Duration::from_secs(5))).await;
    let mut found: Vec<Finding> = findings.into_iter().filter(|finding| finding.authority).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Checks a PocketBase whose collection has these rules; a rule is left out if it is absent.
async fn check_pocketbase(update: Option<Value>, create: Option<Value>) -> Finding {
    let mut collection = json!({"name": "users", "type": "auth"});
    for (name, rule) in [("updateRule", update), ("createRule", create)] {
        if let Some(rule) = rule {
            collection[name] = rule;
        }
    }
    let server = Server::start(move |_, request| {
        let target = request.head.split(' ').nth(1).unwrap();
        match target.rsplit('/').next().unwrap() {
            "auth-with-password" => answer(200, &[], r#"{"token":"t-1"}"#),
            "users" => answer(200, &[], &collection.to_string()),
            _ => answer(200, &[], r#"{"items":[]}"#),
        }
    })
    .await;
    let mut config = HttpConfig::default();
    config.settings.extend([("url".into(), server.base()), ("superuser".into(), "root@acme.example".into())]);
    config.secrets.insert("password".into(), Secret::new("s3cr3t"));
    find_authority(Definition::parse(catalog::find("pocketbase").unwrap()).unwrap(), &config).await
}

#[tokio::test]
async fn unchecked_authority_is_not_visible() {
    let server = Server::start(|_, _| answer(200, &[], "{}")).await;
    let config = crate::config(&server.base(), &server.base(), "s3cr3t");
    let sample = include_str!("sample.toml");
    let finding = find_authority(Definition::parse(sample).unwrap(), &config).await;
    assert!(finding.hides_authority(), "{finding:?}");

    let protected = sample.replace("customer = ", "customer_protected = \"only administrators write it\"\ncustomer = ");
    let finding = find_authority(Definition::parse(&protected).unwrap(), &config).await;
    assert_eq!((finding.verdict, finding.detail.as_deref()), (Verdict::Ok, Some("only administrators write it")));
}

#[test]
fn catalog_says_who_can_write_the_customer() {
    let found = |text: &str| {
        let names = catalog::names().filter(|name| catalog::find(name).unwrap().contains(text));
        names.collect::<Vec<_>>()
    };
    assert_eq!(found("authority = true"), ["okta", "parse-server", "pocketbase"]);
    assert_eq!(found("customer_protected ="), ["firebase", "kratos", "supabase"]);
}

#[tokio::test]
async fn pocketbase_rules_must_protect_the_customer() {
    let term = "@request.body.customer_id:isset = false";
    let own = format!("id = @request.auth.id && {term}");
    let or = format!("id = @request.auth.id || {term}");
    let rule = |text: &str| Some(Value::from(text));
    for (update, create, verdict) in [
        (Some(Value::Null), Some(Value::Null), Verdict::Ok),
        (rule(&own), Some(Value::Null), Verdict::Ok),
        (rule(&own), rule(term), Verdict::Ok),
        (rule("id = @request.auth.id"), Some(Value::Null), Verdict::Failed),
        (Some(Value::Null), rule(""), Verdict::Failed),
        (rule(&or), rule(term), Verdict::Failed),
        (rule(&own), rule(&or), Verdict::Failed),
        (None, Some(Value::Null), Verdict::Failed),
        (Some(Value::Null), None, Verdict::Failed),
        (Some(json!(true)), Some(Value::Null), Verdict::Failed),
    ] {
        let finding = check_pocketbase(update.clone(), create.clone()).await;
        assert_eq!(finding.verdict, verdict, "{update:?}, {create:?}");
        assert_eq!(finding.fix.is_some_and(|fix| fix.contains(":isset = false")), verdict == Verdict::Failed);
    }
}
