//! The fake rejects what Cognito rejects, also where the connector never sends it.

use idp_bridge_conformance::fake::{Answer, Fake as _, Incoming};
use idp_bridge_connector_cognito_testing::fake::filter::Filter;
use idp_bridge_connector_cognito_testing::fake::{AppClient, FakeCognito, Status, User};
use idp_bridge_core::{UserId, UserKey};
use idp_bridge_http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};

use crate::bench::Bench;

/// The id of the user of each pool.
const ADA: &str = "00000000-0000-4000-8000-00000000ada0";

/// Starts a pool with two public clients that do not hide users, and a user with a password.
async fn pool() -> FakeCognito {
    let fake = FakeCognito::start().await.unwrap();
    let attributes = [("sub", ADA), ("email", "ada@acme.example"), ("email_verified", "true")];
    let mut ada = User::new("ada", Status::Confirmed, &attributes);
    ada.password = Some("p".into());
    fake.insert(ada);
    fake.with(|pool| {
        pool.app_clients = ["app", "other"].map(|id| AppClient::new(id, "")).into();
        pool.app_clients.iter_mut().for_each(|own| (own.secret, own.hides_users) = (None, false));
    });
    fake
}

fn body_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// Returns the error code of a response, or `ok`.
fn code(answer: &Answer) -> String {
    body_of(answer)["__type"].as_str().unwrap_or("ok").to_owned()
}

/// Sends an operation of an app client, and returns its error code.
fn operate(fake: &FakeCognito, operation: &str, body: &Value) -> String {
    let mut request = Incoming::new(Method::POST, "/");
    request.body = body.to_string().into();
    let target = HeaderValue::from_str(&format!("AWSCognitoIdentityProviderService.{operation}")).unwrap();
    request.headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1")),
        (HeaderName::from_static("x-amz-target"), target),
    ]);
    code(&fake.with(|pool| pool.answer(&request)))
}

#[tokio::test]
async fn altered_requests_are_rejected() {
    let bench = Bench::new().await;
    let id = UserId::new("00000000-0000-4000-8000-000000000000").unwrap();
    bench.get(UserKey::Id(&id)).await.unwrap_err();
    let request = bench.fake().take_exchanges().remove(0).request;
    let answer = |change: &dyn Fn(&mut Incoming)| {
        let mut request = request.clone();
        change(&mut request);
        code(&bench.fake().with(|pool| pool.answer(&request)))
    };
    assert_eq!(answer(&|_| {}), "UserNotFoundException");
    assert_eq!(
        answer(&|request| request.body = [&request.body[..], b" "].concat().into()),
        "InvalidSignatureException"
    );
    for (name, value, expected) in [
        ("x-amz-target", "AWSCognitoIdentityProviderService.AdminDeleteUser", "InvalidSignatureException"),
        ("x-amz-date", "20200101T000000Z", "InvalidSignatureException"),
        ("x-amz-security-token", "t", "UnrecognizedClientException"),
        ("authorization", "AWS4-HMAC-SHA256 x", "IncompleteSignatureException"),
        ("content-type", "application/json", "SerializationException"),
    ] {
        let insert = |request: &mut Incoming| {
            request.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        };
        assert_eq!(answer(&insert), expected, "{name}");
    }
    let unsigned = answer(&|request| drop(request.headers.remove("authorization")));
    assert_eq!(unsigned, "MissingAuthenticationTokenException");
}

#[tokio::test]
async fn names_are_usernames_verified_aliases_or_ids() {
    let fake = pool().await;
    let is_name = |name: &str| {
        let order = json!({"ClientId": "app", "Username": name});
        operate(&fake, "ResendConfirmationCode", &order) != "UserNotFoundException"
    };
    assert!(is_name("ada") && is_name(ADA) && !is_name("ada@acme.example"));
    fake.with(|pool| pool.aliases = ["email".to_owned()].into());
    assert!(is_name("ADA@acme.example"));
    fake.change(ADA, |user| user.set("email_verified", "false"));
    assert!(!is_name("ADA@acme.example"));
    fake.change(ADA, |user| user.status = Status::ExternalProvider);
    assert!(is_name("ada") && !is_name(ADA));
}

#[tokio::test]
async fn mails_depend_on_the_state() {
    use Status::{Confirmed, ExternalProvider, ForceChangePassword, Unconfirmed};
    let (ok, parameter) = ("ok", "InvalidParameterException");
    let denied = "NotAuthorizedException";
    for (status, verified, enabled, resent, reset) in [
        (Unconfirmed, "false", true, ok, parameter),
        (Confirmed, "true", true, parameter, ok),
        (Confirmed, "false", true, parameter, parameter),
        (Confirmed, "true", false, denied, denied),
        (ForceChangePassword, "true", true, parameter, denied),
        (ExternalProvider, "true", true, parameter, denied),
    ] {
        let fake = pool().await;
        let mut eve = User::new("eve", status, &[("email", "eve@acme.example"), ("email_verified", verified)]);
        eve.enabled = enabled;
        fake.insert(eve);
        let order = json!({"ClientId": "app", "Username": "eve"});
        let codes = ["ResendConfirmationCode", "ForgotPassword"].map(|operation| operate(&fake, operation, &order));
        assert_eq!(codes, [resent, reset], "{status:?} {verified} {enabled}");
        let sent = codes.iter().filter(|code| *code == ok).count();
        assert_eq!(fake.mails().len(), sent, "{status:?} {verified} {enabled}");
    }
}

#[tokio::test]
async fn hiding_client_simulates_delivery() {
    let fake = pool().await;
    fake.with(|pool| pool.app_clients = vec![AppClient::new("app", "secret")]);
    let order = |proof: Value| json!({"ClientId": "app", "Username": "nobody", "SecretHash": proof});
    for proof in [Value::Null, json!("x")] {
        assert_eq!(operate(&fake, "ForgotPassword", &order(proof)), "NotAuthorizedException");
    }
    // base64(HMAC-SHA256("secret", "nobody" + "app")), made with OpenSSL.
    let proven = order(json!("mbqG1IiRCmdg07AfjZ93AlcuhaGOy6ptvRJQgHDSWMY="));
    let resend = || operate(&fake, "ResendConfirmationCode", &proven);
    assert_eq!((operate(&fake, "ForgotPassword", &proven).as_str(), resend().as_str()), ("ok", "ok"));
    let mut disabled = User::new("nobody", Status::Unconfirmed, &[("email", "nobody@acme.example")]);
    disabled.enabled = false;
    let id = fake.insert(disabled);
    assert_eq!(resend(), "ok");
    fake.change(&id, |user| (user.enabled, user.status) = (true, Status::Confirmed));
    assert_eq!(resend(), "InvalidParameterException");
    assert!(fake.mails().is_empty());
}

#[tokio::test]
async fn refresh_tokens_are_bound_to_their_client() {
    let fake = pool().await;
    assert!(fake.with(|pool| pool.sign_in("ada", "q", "app")).is_err());
    let (session, access, _) = fake.with(|pool| pool.sign_in("ada", "p", "app")).unwrap();
    for (client, token, expected) in [
        ("other", session.refresh.as_str(), "UnauthorizedException"),
        ("nobody", &session.refresh, "UnauthorizedException"),
        ("app", &access, "UnsupportedTokenTypeException"),
        ("app", "a.b.c", "UnsupportedTokenTypeException"),
        ("app", "a b", "InvalidParameterException"),
    ] {
        let order = json!({"ClientId": client, "Token": token});
        assert_eq!(operate(&fake, "RevokeToken", &order), expected, "{client} {token}");
        assert!(fake.with(|pool| pool.accepts_access_token(&access) && pool.accepts_refresh_token(&session.refresh)));
    }
    for _ in 0..2 {
        assert_eq!(operate(&fake, "RevokeToken", &json!({"ClientId": "app", "Token": session.refresh})), "ok");
        assert!(!fake.with(|pool| pool.accepts_access_token(&access) || pool.accepts_refresh_token(&session.refresh)));
    }
}

#[test]
fn only_one_quoted_value_is_parsed() {
    for (text, attribute, value) in [
        (r#"email = "a@b""#, "email", "a@b"),
        (r#"email="a@b""#, "email", "a@b"),
        (r#"sub = "a\"b\\c""#, "sub", r#"a"b\c"#),
        (r#"email = "x\" or email = \"y""#, "email", r#"x" or email = "y"#),
    ] {
        assert_eq!(Filter::parse(text), Some(Filter { attribute, value: value.into() }), "{text}");
    }
    let long = format!(r#"email = "{}""#, "x".repeat(250));
    for text in [
        "",
        "email = a@b",
        r#"email "a""#,
        r#"email = "a"#,
        r#"email = "a\""#,
        r#"email = "a" or email = "b""#,
        r#"custom:customer_id = "a""#,
        r#" = "a""#,
        &long,
    ] {
        assert_eq!(Filter::parse(text), None, "{text}");
    }
}
