//! The fake rejects what Cognito rejects.

use idp_bridge_conformance::Harness as _;
use idp_bridge_conformance::fixture::scope;
use idp_bridge_core::{ErrorKind, IdentityProvider as _, UserId, UserKey};
use idp_bridge_http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::harness::CognitoHarness;

/// Creates a pool with a public app client that does not hide users.
fn pool() -> Pool {
    let mut client = AppClient::new("app", "");
    (client.secret, client.hides_users) = (None, false);
    let mut pool = Pool::default();
    pool.app_clients.push(client);
    pool
}

/// Returns the body of a response, or its error code.
fn body_or_code(answer: Result<Answer, Answer>) -> Result<Value, String> {
    let read = |answer: Answer| serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    answer
        .map(read)
        .map_err(|refused| read(refused).get("__type").and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn code(answer: Result<Answer, Answer>) -> String {
    body_or_code(answer).err().unwrap_or_else(|| "no error".into())
}

#[tokio::test]
async fn altered_requests_are_rejected() {
    let harness = CognitoHarness::start_with_fake().await.unwrap();
    let id = UserId::new("00000000-0000-4000-8000-000000000000").unwrap();
    harness.provider().await.unwrap().get(&scope(), UserKey::Id(&id)).await.unwrap_err();
    let request = harness.fake().take_exchanges().remove(0).request;
    let answer = |change: fn(&mut Incoming)| {
        let mut request = request.clone();
        change(&mut request);
        harness.fake().with(|pool| code(pool.handle_operation(&request)))
    };
    let header = HeaderName::from_static;
    assert_eq!(answer(|_| {}), "UserNotFoundException");
    assert_eq!(answer(|request| request.body = [&request.body[..], b" "].concat().into()), "InvalidSignatureException");
    for (name, value, expected) in [
        ("x-amz-target", "AWSCognitoIdentityProviderService.AdminDeleteUser", "InvalidSignatureException"),
        ("x-amz-date", "20200101T000000Z", "InvalidSignatureException"),
        ("x-amz-security-token", "t", "UnrecognizedClientException"),
        ("authorization", "AWS4-HMAC-SHA256 x", "IncompleteSignatureException"),
        ("content-type", "application/json", "SerializationException"),
    ] {
        let mut request = request.clone();
        request.headers.insert(header(name), HeaderValue::from_static(value));
        assert_eq!(harness.fake().with(|pool| code(pool.handle_operation(&request))), expected, "{name}");
    }
    let unsigned = answer(|request| drop(request.headers.remove("authorization")));
    assert_eq!(unsigned, "MissingAuthenticationTokenException");
}

#[test]
fn names_are_usernames_aliases_or_ids() {
    let mut pool = pool();
    let ada = pool.insert(User::new("ada", Status::Confirmed, &[("email", "ada@acme.example")]));
    let federated = pool.insert(User::new("google_1", Status::ExternalProvider, &[]));
    let named = |pool: &Pool, name: &str| pool.user_named(name).ok().map(|user| user.username.clone());
    assert_eq!(named(&pool, &ada).as_deref(), Some("ada"));
    assert_eq!(named(&pool, &federated), None);
    pool.insert(User::new(&ada, Status::Confirmed, &[]));
    assert_eq!(named(&pool, &ada), Some(ada.clone()));
    pool.aliases = ["email".to_owned()].into();
    assert_eq!(named(&pool, "ada@acme.example"), None);
    pool.change(&ada, |user| user.set("email_verified", "true"));
    assert_eq!(named(&pool, "ADA@acme.example").as_deref(), Some("ada"));
}

#[test]
fn pages_list_every_user_once() {
    let mut pool = pool();
    pool.begins_with_an_empty_page = true;
    for number in 0..61 {
        pool.insert(User::new(&format!("user-{number}"), Status::Confirmed, &[]));
    }
    let (mut sizes, mut token) = (Vec::new(), Value::Null);
    loop {
        let page = body_or_code(pool.list_users(&json!({"Limit": 60, "PaginationToken": token}))).unwrap();
        sizes.push(page["Users"].as_array().map(Vec::len));
        token = page.get("PaginationToken").cloned().unwrap_or_default();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(sizes, [Some(0), Some(60), Some(1)]);
    for bad in [
        json!({"Limit": 61}),
        json!({"Limit": 0}),
        json!({"PaginationToken": "x"}),
        json!({"Filter": "custom:customer_id = \"a\""}),
    ] {
        assert_eq!(code(pool.list_users(&bad)), "InvalidParameterException", "{bad}");
    }
    assert_eq!(code(pool.list_users(&json!({"AttributesToGet": ["sub"]}))), "SerializationException");
}

#[test]
fn mails_depend_on_the_state() {
    use Status::{Confirmed, ExternalProvider, ForceChangePassword, Unconfirmed};
    let (ok, parameter) = ("no error", "InvalidParameterException");
    let denied = "NotAuthorizedException";
    for (status, verified, enabled, resent, reset) in [
        (Unconfirmed, "false", true, ok, parameter),
        (Confirmed, "true", true, parameter, ok),
        (Confirmed, "false", true, parameter, parameter),
        (Confirmed, "true", false, denied, denied),
        (ForceChangePassword, "true", true, parameter, denied),
        (ExternalProvider, "true", true, parameter, denied),
    ] {
        let mut pool = pool();
        let attributes = [("email", "ada@acme.example"), ("email_verified", verified)];
        let mut ada = User::new("ada", status, &attributes);
        ada.enabled = enabled;
        pool.insert(ada);
        let order = json!({"ClientId": "app", "Username": "ada"});
        let codes = [code(pool.resend_confirmation_code(&order)), code(pool.forgot_password(&order))];
        assert_eq!(codes, [resent, reset], "{status:?} {verified} {enabled}");
        let sent = [resent, reset].into_iter().filter(|code| *code == ok).count();
        assert_eq!(pool.mails.len(), sent, "{status:?} {verified} {enabled}");
    }
}

#[test]
fn hiding_client_simulates_delivery() {
    let mut pool = pool();
    pool.app_clients = vec![AppClient::new("app", "secret")];
    let order = |proof: Value| json!({"ClientId": "app", "Username": "nobody", "SecretHash": proof});
    assert_eq!(code(pool.forgot_password(&order(Value::Null))), "NotAuthorizedException");
    assert_eq!(code(pool.forgot_password(&order(json!("x")))), "NotAuthorizedException");
    // base64(HMAC-SHA256("secret", "nobody" + "app")), made with OpenSSL.
    let proven = order(json!("mbqG1IiRCmdg07AfjZ93AlcuhaGOy6ptvRJQgHDSWMY="));
    assert_eq!(code(pool.forgot_password(&proven)), "no error");
    assert_eq!(code(pool.resend_confirmation_code(&proven)), "no error");
    let mut disabled = User::new("nobody", Status::Unconfirmed, &[("email", "ada@acme.example")]);
    disabled.enabled = false;
    let id = pool.insert(disabled);
    assert_eq!(code(pool.resend_confirmation_code(&proven)), "no error");
    pool.change(&id, |user| (user.enabled, user.status) = (true, Status::Confirmed));
    assert_eq!(code(pool.resend_confirmation_code(&proven)), "InvalidParameterException");
    assert!(pool.mails.is_empty());
}

#[tokio::test]
async fn policy_hides_which_pools_exist() {
    let harness = CognitoHarness::start_with_fake().await.unwrap();
    let id = UserId::new("00000000-0000-4000-8000-000000000000").unwrap();
    let kind = async |pools: Option<&str>| {
        let pools = pools.map(|pool| [pool.to_owned()].into());
        harness.fake().with(|pool| pool.principals[0].pools = pools);
        let mut config = harness.config();
        config.user_pool_id = "eu-west-1_NoSuchPool".into();
        harness.build(config).unwrap().get(&scope(), UserKey::Id(&id)).await.unwrap_err().kind()
    };
    assert_eq!(kind(Some(FakeCognito::POOL)).await, ErrorKind::PermissionDenied);
    assert_eq!(kind(Some("eu-west-1_NoSuchPool")).await, ErrorKind::Misconfigured);
    assert_eq!(kind(None).await, ErrorKind::Misconfigured);
}
