//! Tests of `init` for Auth0: from a token of the operator to a signed call.

use std::path::Path;

use idp_bridge_connector_auth0::setup::TOKEN_SCOPES;
use idp_bridge_connector_auth0_testing::fake::{Application, FakeAuth0};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::support::bridge::Bridge;
use crate::support::program::{Output, run_in};

/// A fake tenant with a user, a database and an application for users.
fn tenant(runtime: &Runtime) -> FakeAuth0 {
    let fake = runtime.block_on(FakeAuth0::start()).unwrap();
    fake.with(|tenant| {
        tenant.connections.insert("Users".into(), "auth0".into());
        tenant.applications.push(Application::public("app-of-users"));
    });
    fake.insert(json!({
        "user_id": "auth0|ada", "email": "ada@acme.example", "email_verified": true, "app_metadata": {"customer_id": "c-1"},
        "identities": [{"connection": "Users", "provider": "auth0", "user_id": "ada", "isSocial": false}],
        "created_at": "2026-01-02T03:04:05.678Z", "updated_at": "2026-01-02T03:04:05.678Z",
    }));
    fake
}

fn init(folder: &Path, fake: &FakeAuth0, token: &str, more: &[&str]) -> Output {
    std::fs::write(folder.join("token"), token).unwrap();
    let url = fake.url();
    let fixed = ["init", "auth0", "--domain", FakeAuth0::DOMAIN, "--endpoint", &url, "--tenant", "acme"];
    run_in(folder, fixed.iter().chain(&["--management-token-file", "token"]).chain(more))
}

#[test]
fn token_leads_to_a_signed_call() {
    let runtime = Runtime::new().unwrap();
    let fake = tenant(&runtime);
    let folder = tempfile::tempdir().unwrap();
    let token = fake.with(|tenant| tenant.issue_operator_token(&TOKEN_SCOPES));
    let first = init(folder.path(), &fake, &token, &[]).with_code(0);
    assert_eq!(first.stdout.matches("  created  ").count(), 6, "{first:?}");
    assert!(first.stdout.contains("  found    the database `Users` and the application `app-of-users`"), "{first:?}");
    assert!(!first.stdout.contains("FAILED") && !format!("{first:?}").contains(&token), "{first:?}");
    let again = init(folder.path(), &fake, &token, &["--force"]).with_code(0);
    assert_eq!(again.stdout.matches("  created  ").count(), 0, "{again:?}");

    let bridge = Bridge::serve(&folder.path().join("idp-bridge.toml"));
    let url = bridge.url();
    let call =
        ["call", "get-by-email", "ada@acme.example", "--tenant", "acme", "--key-file", "platform.key", "--url", &url];
    let called = run_in(folder.path(), call).with_code(0);
    assert!(called.stdout.contains("customer        c-1"), "{called:?}");
}

#[test]
fn unusable_token_creates_nothing() {
    let runtime = Runtime::new().unwrap();
    let fake = tenant(&runtime);
    let narrow = fake.with(|tenant| tenant.issue_operator_token(&["read:clients"]));
    for (token, reason) in [("expired", "API Explorer"), (narrow.as_str(), "create:clients")] {
        let folder = tempfile::tempdir().unwrap();
        let refused = init(folder.path(), &fake, token, &[]).with_code(1);
        assert!(refused.stderr.contains(reason), "no {reason:?} in {refused:?}");
        assert!(!folder.path().join("idp-bridge.toml").exists());
    }
    assert_eq!(fake.with(|tenant| tenant.applications.len()), 1);
    let folder = tempfile::tempdir().unwrap();
    let untyped = run_in(folder.path(), ["init", "auth0", "--tenant", "acme"]).with_code(2);
    assert!(untyped.stderr.contains("give `--domain`"), "{untyped:?}");
}
