//! The checks of `doctor` for a pool and for federation, with one fault each.

use idp_bridge_conformance::fixture::{assert_faults, assert_first_failure, scope};
use idp_bridge_conformance::{Control, Harness as _, Setup};
use idp_bridge_connector_cognito::CustomerLookup;
use idp_bridge_core::{Finding, IdentityProvider as _, Secret, Verdict};
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::federation::custom;

use Verdict::{Failed, NotVisible};

/// Replaces a member of the pool's description; null removes it.
fn set(bench: &Bench, name: &str, value: Value) {
    bench.fake().with(|pool| pool.settings.extend([(name.to_owned(), value)]));
}

/// Replaces a member of the description of the app client for mails; null removes it.
fn set_client(bench: &Bench, name: &str, value: Value) {
    bench.fake().with(|pool| pool.app_clients[0].settings.extend([(name.to_owned(), value)]));
}

fn unset(bench: &Bench) {
    bench.fake().with(|pool| {
        pool.settings.clear();
        pool.app_clients[0].settings.clear();
    });
}

/// Lets all app clients read this attribute.
fn make_readable(bench: &Bench, attribute: &str) {
    let readable = Some([attribute.to_owned()].into());
    bench.fake().with(|pool| pool.app_clients.iter_mut().for_each(|client| client.readable.clone_from(&readable)));
}

#[tokio::test]
async fn healthy_pool_passes_without_writes() {
    let bench = Bench::new().await;
    // For federation: keys, document and domain; six for each client; and the right to sign users out.
    for (findings, count) in
        [(bench.provider.diagnose(&scope()).await, 11), (bench.oauth().diagnose(&scope()).await, 3 + 2 * 6 + 1)]
    {
        assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
        assert_eq!(findings.len(), count);
    }
    let mut requests = bench.requests();
    requests.retain(|request| !["AdminGet", "List", "Describe", "/"].iter().any(|verb| request.starts_with(verb)));
    assert!(requests.iter().all(|request| request.contains(" nobody-")), "{requests:?}");
    assert_eq!(requests.len(), 3);
    assert!(bench.fake().mails().is_empty());
}

#[tokio::test]
async fn each_missing_right_is_reported() {
    let bench = Bench::with(|config| config.customer_lookup = Some(CustomerLookup::Group)).await;
    for (action, verdict) in [
        ("AdminGetUser", Failed),
        ("ListUsers", Failed),
        ("ListUsersInGroup", Failed),
        ("AdminUpdateUserAttributes", Failed),
        ("AdminDeleteUser", Failed),
        ("ListUserPoolClients", NotVisible),
    ] {
        bench.allow(action, false);
        assert_faults(&bench.faults().await, &[(verdict, &format!("allow `cognito-idp:{action}`"))]);
        bench.allow(action, true);
    }
    bench.allow("AdminUserGlobalSignOut", false);
    assert_faults(&bench.oauth_faults().await, &[(Failed, "allow `cognito-idp:AdminUserGlobalSignOut`")]);
}

#[tokio::test]
async fn missing_right_hides_its_checks() {
    let bench = Bench::new().await;
    for (action, hidden, hidden_oauth) in [("DescribeUserPool", 2, 0), ("DescribeUserPoolClient", 2, 10)] {
        bench.allow(action, false);
        let fix = format!("allow `cognito-idp:{action}`");
        assert_faults(&bench.faults().await, &vec![(NotVisible, fix.as_str()); hidden]);
        assert_faults(&bench.oauth_faults().await, &vec![(NotVisible, fix.as_str()); hidden_oauth]);
        bench.allow(action, true);
    }
    for action in ["ListUserPoolClients", "DescribeUserPoolClient"] {
        bench.allow(action, false);
        assert!(bench.faults().await.iter().any(Finding::hides_authority), "{action}");
        bench.allow(action, true);
    }
}

#[tokio::test]
async fn each_wrong_setting_is_reported() {
    let bench = Bench::new().await;
    let recovery = |name: &str| json!({"RecoveryMechanisms": [{"Name": "verified_email", "Priority": 2}, {"Name": name, "Priority": 1}]});
    for (name, value, fix) in [
        ("SchemaAttributes", json!([]), "Custom attributes"),
        ("AutoVerifiedAttributes", json!(["phone_number"]), "Attribute verification"),
        ("AccountRecoverySetting", recovery("verified_phone_number"), "User account recovery"),
        ("AccountRecoverySetting", recovery("admin_only"), "User account recovery"),
    ] {
        set(&bench, name, value);
        assert_faults(&bench.faults().await, &[(Failed, fix)]);
        unset(&bench);
    }
    let write = "do not let it write `preferred_username`";
    for (name, value, fix) in [
        ("WriteAttributes", json!(["email", "preferred_username"]), write),
        ("WriteAttributes", Value::Null, write),
        ("ClientSecret", json!("another"), "copy the Client secret"),
        ("ClientSecret", Value::Null, "remove `client_secret`"),
    ] {
        set_client(&bench, name, value);
        assert_faults(&bench.faults().await, &[(Failed, fix)]);
        unset(&bench);
    }
    for (name, value, fix) in [
        ("AllowedOAuthScopes", json!(["openid", "email"]), "the scopes `OpenID` and `Profile`"),
        ("AllowedOAuthScopes", Value::Null, "the scopes `OpenID` and `Profile`"),
        ("LogoutURLs", json!([]), "sign-out URLs"),
        ("LogoutURLs", Value::Null, "sign-out URLs"),
        ("EnableTokenRevocation", json!(false), "enable token revocation"),
        ("EnableTokenRevocation", Value::Null, "enable token revocation"),
        ("ReadAttributes", json!(["email"]), "let it read `preferred_username`"),
        ("WriteAttributes", json!(["preferred_username"]), write),
        ("WriteAttributes", Value::Null, write),
        ("ClientSecret", json!("another"), "copy the Client secret"),
        ("ClientSecret", Value::Null, "copy the Client secret"),
    ] {
        set_client(&bench, name, value);
        assert_faults(&bench.oauth_faults().await, &[(Failed, fix)]);
        unset(&bench);
    }
}

#[tokio::test]
async fn details_describe_the_pool() {
    let bench = Bench::new().await;
    set(&bench, "AliasAttributes", json!(["email"]));
    set(&bench, "UsernameConfiguration", json!({"CaseSensitive": false}));
    set(&bench, "EmailConfiguration", json!({"EmailSendingAccount": "COGNITO_DEFAULT"}));
    bench.fake().with(|pool| pool.app_clients[0].hides_users = false);
    let findings = bench.provider.diagnose(&scope()).await;
    let details: Vec<&str> = findings.iter().filter_map(|finding| finding.detail.as_deref()).collect();
    for part in ["aliases: email; the case of names does not matter", "use SES", "errors show which users exist"] {
        assert!(details.iter().any(|detail| detail.contains(part)), "{details:?}");
    }
}

#[tokio::test]
async fn right_to_invite_is_not_tried() {
    let bench = Bench::with(|config| config.resend_invitations = true).await;
    assert_faults(&bench.faults().await, &[(NotVisible, "allow `cognito-idp:AdminCreateUser`")]);
}

#[tokio::test]
async fn missing_pool_is_never_ok() {
    let mut bench = Bench::new().await;
    bench.rebuild(|config, _| config.user_pool_id = "eu-west-1_NoSuchPool".into());
    // AWS denies access to a pool outside of the policy, so only a wider policy shows that it does not exist.
    for (pools, verdict) in [(Some([String::from("eu-west-1_FakePool1")].into()), NotVisible), (None, Failed)] {
        bench.fake().with(|pool| pool.principals[0].pools = pools);
        bench.allow("AdminGetUser", verdict == NotVisible);
        let faults = bench.faults().await;
        let pool = faults.iter().find(|finding| finding.check == "the pool exists").unwrap();
        assert_eq!(pool.verdict, verdict, "{pool:?}");
        assert!(pool.fix.as_deref().unwrap().contains("`eu-west-1_NoSuchPool`"), "{pool:?}");
        assert!(faults.iter().any(|finding| finding.verdict == Failed), "{faults:#?}");
    }
}

#[tokio::test]
async fn wrong_credentials_and_pool_come_first() {
    let bench = Bench::new().await;
    for (control, number, fix) in
        [(Control::WrongSecret, 1, "Security credentials"), (Control::WrongRealm, 2, "`eu-west-1_NoSuchPool`")]
    {
        let findings = bench.harness.provider(Setup::Broken(control)).await.unwrap().diagnose(&scope()).await;
        assert_eq!(findings.len(), 3);
        assert_first_failure(&findings, number, fix);
    }
}

#[tokio::test]
async fn unlisted_sign_out_url_is_reported() {
    let mut bench = Bench::new().await;
    let allowed = bench.fake().with(|pool| pool.app_clients[0].logout_urls[0].clone());
    let fix = "add every URL of `post_logout_redirect_uris`";
    for (uri, faults) in [("https://elsewhere.example/bye", &[(Failed, fix); 2][..]), (&allowed, &[])] {
        bench.rebuild(|_, settings| settings.post_logout_redirect_uris = vec![uri.into()]);
        assert_faults(&bench.oauth_faults().await, faults);
    }
}

#[tokio::test]
async fn claim_writable_by_another_client_fails() {
    let mut bench = Bench::new().await;
    make_readable(&bench, "custom:company");
    bench.fake().with(|pool| {
        let foreign = pool.app_clients.last_mut().unwrap();
        foreign.settings.extend([("WriteAttributes".to_owned(), json!(["custom:company"]))]);
    });
    bench.rebuild(|_, settings| settings.customer_claim = Some("custom:company".into()));
    let fix = "`5fakeforeignclient` → Attribute permissions: do not let it write `custom:company`";
    assert_faults(&bench.oauth_faults().await, &[(Failed, fix)]);
}

#[tokio::test]
async fn custom_attribute_must_be_readable() {
    let bench = Bench::with(custom).await;
    assert_faults(&bench.oauth_faults().await, &[(Failed, "let it read `custom:customer_id`"); 2]);
    make_readable(&bench, "custom:customer_id");
    assert_faults(&bench.oauth_faults().await, &[]);
}

#[tokio::test]
async fn domain_finds_a_wrong_secret() {
    let mut bench = Bench::new().await;
    bench.allow("DescribeUserPoolClient", false);
    bench.rebuild(|_, settings| settings.clients[0].secret = Some(Secret::new("wrong")));
    let mut faults = bench.oauth_faults().await;
    faults.retain(|finding| finding.verdict == Failed);
    assert_faults(&faults, &[(Failed, "copy the Client secret")]);
}

#[tokio::test]
async fn wrong_domain_and_issuer_are_reported() {
    let (mut bench, other) = (Bench::new().await, Bench::new().await);
    // The domain of another pool has none of the clients. Another server does not respond as a domain does.
    other.fake().with(|pool| pool.app_clients.clear());
    bench.rebuild(|config, _| config.domain = Some(other.fake().url()));
    assert_faults(&bench.oauth_faults().await, &[(Failed, "Client secret"); 2]);
    let nowhere = format!("{}/elsewhere", bench.fake().url());
    bench.rebuild(|config, _| config.domain = Some(nowhere));
    let foreign = (Failed, "check the URLs in the settings");
    assert_faults(&bench.oauth_faults().await, &[(Failed, "copy it to `domain`"), foreign, foreign]);
    bench.rebuild(|config, _| config.issuer_endpoint = Some("http://127.0.0.1:9".into()));
    let faults = bench.oauth_faults().await;
    let [keys, document] = faults.as_slice() else { panic!("{faults:#?}") };
    assert!(keys.check.contains("keys") && document.check.contains("document"), "{faults:#?}");
}
