//! The fake rejects what Cognito rejects, also where the connector never sends it.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::{Answer, Fake as _, Incoming};
use idp_bridge_connector_cognito_testing::fake::{AppClient, CALLBACK, FakeCognito, Pool, Status, User};
use idp_bridge_core::{UserId, UserKey};
use idp_bridge_http::{HeaderMap, HeaderName, HeaderValue, Method, Url, header};
use serde_json::{Value, json};

use crate::bench::Bench;

/// A verifier and its challenge (RFC 7636, appendix B).
const PKCE: [&str; 2] = ["dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"];

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
async fn only_verified_aliases_are_names() {
    let fake = pool().await;
    let sign_in = |name: &str| {
        let parameters = json!({"USERNAME": name, "PASSWORD": "p"});
        let body = json!({"ClientId": "app", "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters});
        operate(&fake, "InitiateAuth", &body)
    };
    assert_eq!((sign_in("ada"), sign_in("ada@acme.example")), ("ok".into(), "NotAuthorizedException".into()));
    fake.with(|pool| pool.aliases = ["email".to_owned()].into());
    assert_eq!(sign_in("ADA@acme.example"), "ok");
    fake.change(ADA, |user| user.set("email_verified", "false"));
    assert_eq!((sign_in("ADA@acme.example"), sign_in(ADA)), ("NotAuthorizedException".into(), "ok".into()));
    fake.change(ADA, |user| user.status = Status::ExternalProvider);
    assert_eq!(sign_in(ADA), "NotAuthorizedException");
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

fn encoded<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    Url::parse_with_params("http://a", pairs).unwrap().query().unwrap_or_default().to_owned()
}

/// Sends a form to the domain, or a query if there is no form.
fn send(pool: &mut Pool, method: Method, target: &str, form: &[(&str, &str)]) -> Answer {
    let mut request = Incoming::new(method, target);
    request.body = encoded(form.iter().copied()).into();
    request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    pool.answer(&request)
}

/// Returns the query of an authorization request, with changes.
fn query(changes: &[(&'static str, &'static str)]) -> String {
    let mut parameters = BTreeMap::from([
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid"),
        ("code_challenge", PKCE[1]),
        ("code_challenge_method", "S256"),
    ]);
    parameters.extend(changes.iter().copied());
    encoded(parameters)
}

/// Signs in and redeems the code, with changes of the request. Returns the tokens or the error, and the code.
fn redeem(pool: &mut Pool, changes: &[(&str, &str)]) -> (Value, String) {
    let form = [("username", "ada"), ("password", "p")];
    let back = send(pool, Method::POST, &format!("/login?{}", query(&[])), &form);
    let code = back.header(&header::LOCATION).unwrap().split_once("code=").unwrap().1.to_owned();
    let mut form = BTreeMap::from([
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", PKCE[0]),
    ]);
    form.extend(changes.iter().copied());
    let form: Vec<_> = form.into_iter().collect();
    (body_of(&send(pool, Method::POST, "/oauth2/token", &form)), code)
}

#[tokio::test]
async fn codes_are_bound_and_single_use() {
    let fake = pool().await;
    fake.with(|pool| {
        for (changes, error) in [
            (("client_id", "other"), "invalid_grant"),
            (("redirect_uri", "https://evil.example/"), "invalid_grant"),
            (("code_verifier", PKCE[1]), "invalid_grant"),
            (("code", "another"), "invalid_grant"),
            (("client_id", "nobody"), "invalid_client"),
            (("client_secret", "guessed"), "invalid_client"),
            (("grant_type", "password"), "unsupported_grant_type"),
        ] {
            assert_eq!(redeem(pool, &[changes]).0["error"], error, "{changes:?}");
        }
        let (tokens, code) = redeem(pool, &[]);
        assert!(tokens["access_token"].is_string());
        assert_eq!(redeem(pool, &[("code", &code)]).0["error"], "invalid_grant");
    });
}

#[tokio::test]
async fn invalid_sign_ins_are_rejected() {
    let fake = pool().await;
    fake.with(|pool| {
        for changes in [
            ("client_id", "nobody"),
            ("redirect_uri", "https://evil.example/"),
            ("scope", "openid phone"),
            ("response_type", "token"),
            ("code_challenge_method", "plain"),
        ] {
            let target = format!("/oauth2/authorize?{}", query(&[changes]));
            assert_eq!(send(pool, Method::GET, &target, &[]).status, 400, "{changes:?}");
        }
        for form in [[("username", "ada"), ("password", "q")], [("username", "eve"), ("password", "p")]] {
            let target = format!("/login?{}", query(&[]));
            assert_eq!(send(pool, Method::POST, &target, &form).status, 400, "{form:?}");
        }
    });
}

#[tokio::test]
async fn refresh_tokens_are_bound_until_revoked() {
    let fake = pool().await;
    let (tokens, _) = fake.with(|pool| redeem(pool, &[]));
    let [refresh, access] = ["refresh_token", "access_token"].map(|name| tokens[name].as_str().unwrap());
    let refresh_status = |client: &str| {
        let form = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", refresh)];
        fake.with(|pool| send(pool, Method::POST, "/oauth2/token", &form).status)
    };
    assert_eq!((refresh_status("other"), refresh_status("app")), (400, 200));
    for (client, token, expected) in [
        ("other", refresh, "UnauthorizedException"),
        ("nobody", refresh, "UnauthorizedException"),
        ("app", access, "UnsupportedTokenTypeException"),
        ("app", "a.b.c", "UnsupportedTokenTypeException"),
        ("app", "a b", "InvalidParameterException"),
        ("app", refresh, "ok"),
        ("app", refresh, "ok"),
    ] {
        let order = json!({"ClientId": client, "Token": token});
        assert_eq!(operate(&fake, "RevokeToken", &order), expected, "{client} {token}");
    }
    assert_eq!(refresh_status("app"), 400);
    assert!(!fake.with(|pool| pool.accepts_access_token(access)));
}
