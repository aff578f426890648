//! The domain rejects what Cognito rejects.

use idp_bridge_http::{HeaderValue, Method};
use serde_json::Value;

use super::*;
use crate::fake::{Status, User};

/// A verifier and its challenge (RFC 7636, appendix B).
const PKCE: [&str; 2] = ["dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"];

/// Creates a pool without a server, with two public clients and a user with a password.
fn pool() -> Pool {
    let clients = ["app", "other"].map(|id| AppClient { secret: None, ..AppClient::new(id, "") });
    let mut ada = User::new("ada", Status::Confirmed, &[("email", "ada@acme.example")]);
    ada.password = Some("p".into());
    let mut pool = Pool::default();
    pool.oauth = OAuth::new("http://127.0.0.1:1".into()).unwrap();
    pool.app_clients = clients.into();
    pool.insert(ada);
    pool
}

fn query(changes: &[(&str, &str)]) -> String {
    let mut asked = BTreeMap::from([
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid"),
        ("code_challenge", PKCE[1]),
        ("code_challenge_method", "S256"),
    ]);
    asked.extend(changes.iter().copied());
    encoded(asked)
}

fn encoded<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let url = idp_bridge_http::Url::parse_with_params("http://a", pairs).unwrap();
    url.query().unwrap_or_default().to_owned()
}

fn send(
    pool: &mut Pool,
    method: Method,
    target: &str,
    form: &[(&str, &str)],
    headers: &[(HeaderName, &str)],
) -> Answer {
    let mut request = Incoming::new(method, target);
    request.body = encoded(form.iter().copied()).into();
    let form = (header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    for (name, value) in headers.iter().cloned().chain([form]) {
        request.headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    pool.handle_oauth(&request).unwrap()
}

fn header_of(answer: &Answer, name: &HeaderName) -> String {
    let found = answer.headers.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// Fills in the form; the code, and the browser's cookie.
fn sign_in(pool: &mut Pool) -> (String, String) {
    let form = [("username", "ada"), ("password", "p")];
    let answer = send(pool, Method::POST, &format!("/login?{}", query(&[])), &form, &[]);
    let code = header_of(&answer, &header::LOCATION).split_once("code=").unwrap().1.to_owned();
    (code, header_of(&answer, &header::SET_COOKIE).split(';').next().unwrap().to_owned())
}

fn redeem(pool: &mut Pool, code: &str, changes: &[(&str, &str)]) -> Value {
    let mut form = BTreeMap::from([
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", PKCE[0]),
    ]);
    form.extend(changes.iter().copied());
    let form: Vec<_> = form.into_iter().collect();
    serde_json::from_slice(&send(pool, Method::POST, "/oauth2/token", &form, &[]).body).unwrap()
}

#[test]
fn codes_are_bound_and_single_use() {
    let mut pool = pool();
    for (changes, error) in [
        (("client_id", "other"), "invalid_grant"),
        (("redirect_uri", "https://evil.example/"), "invalid_grant"),
        (("code_verifier", PKCE[1]), "invalid_grant"),
        (("code", "another"), "invalid_grant"),
        (("client_id", "nobody"), "invalid_client"),
        (("client_secret", "guessed"), "invalid_client"),
        (("grant_type", "password"), "unsupported_grant_type"),
    ] {
        let (code, _) = sign_in(&mut pool);
        assert_eq!(redeem(&mut pool, &code, &[changes])["error"], error, "{changes:?}");
    }
    let (code, _) = sign_in(&mut pool);
    assert!(redeem(&mut pool, &code, &[])["access_token"].is_string());
    assert_eq!(redeem(&mut pool, &code, &[])["error"], "invalid_grant");
}

#[test]
fn invalid_sign_ins_are_rejected() {
    let mut pool = pool();
    for changes in [
        ("client_id", "nobody"),
        ("redirect_uri", "https://evil.example/"),
        ("scope", "openid phone"),
        ("response_type", "token"),
        ("code_challenge_method", "plain"),
    ] {
        let target = format!("/oauth2/authorize?{}", query(&[changes]));
        assert_eq!(send(&mut pool, Method::GET, &target, &[], &[]).status, 400, "{changes:?}");
    }
    let target = format!("/login?{}", query(&[]));
    for form in [[("username", "ada"), ("password", "q")], [("username", "eve"), ("password", "p")]] {
        assert_eq!(send(&mut pool, Method::POST, &target, &form, &[]).status, 400, "{form:?}");
    }
}

#[test]
fn sign_out_ends_only_the_browser_session() {
    let mut pool = pool();
    let (code, cookie) = sign_in(&mut pool);
    let tokens = redeem(&mut pool, &code, &[]);
    let target = format!("/oauth2/authorize?{}", query(&[]));
    let begin = |pool: &mut Pool| {
        let answer = send(pool, Method::GET, &target, &[], &[(header::COOKIE, &cookie)]);
        header_of(&answer, &header::LOCATION)
    };
    assert!(begin(&mut pool).starts_with(CALLBACK));
    for bad in ["https://evil.example/", "https://app.conformance.example/bye/"] {
        let leave = format!("/logout?{}", encoded([("client_id", "app"), ("logout_uri", bad)]));
        assert_eq!(send(&mut pool, Method::GET, &leave, &[], &[(header::COOKIE, &cookie)]).status, 400);
    }
    assert!(begin(&mut pool).starts_with(CALLBACK));
    let leave = format!("/logout?{}", encoded([("client_id", "app"), ("logout_uri", SIGNED_OUT), ("state", "s")]));
    let left = send(&mut pool, Method::GET, &leave, &[], &[(header::COOKIE, &cookie)]);
    assert_eq!((left.status, header_of(&left, &header::LOCATION).as_str()), (302, SIGNED_OUT));
    assert!(begin(&mut pool).starts_with("/login?"));
    assert!(pool.accepts_access_token(tokens["access_token"].as_str().unwrap()));
    assert!(pool.accepts_refresh_token(tokens["refresh_token"].as_str().unwrap()));
}

#[test]
fn refresh_tokens_are_bound_until_revoked() {
    let mut pool = pool();
    let (code, _) = sign_in(&mut pool);
    let tokens = redeem(&mut pool, &code, &[]);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let refresh_status = |pool: &mut Pool, client: &str| {
        let form = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", refresh)];
        send(pool, Method::POST, "/oauth2/token", &form, &[]).status
    };
    assert_eq!((refresh_status(&mut pool, "other"), refresh_status(&mut pool, "app")), (400, 200));
    let code = |answer: Result<Answer, Answer>| {
        answer.err().map(|refused| serde_json::from_slice::<Value>(&refused.body).unwrap()["__type"].clone())
    };
    for (client, token, expected) in [
        ("other", refresh, "UnauthorizedException"),
        ("nobody", refresh, "UnauthorizedException"),
        ("app", tokens["access_token"].as_str().unwrap(), "UnsupportedTokenTypeException"),
        ("app", "a.b.c", "UnsupportedTokenTypeException"),
        ("app", "a b", "InvalidParameterException"),
    ] {
        let refused = code(pool.revoke_token(&json!({"ClientId": client, "Token": token})));
        assert_eq!(refused, Some(expected.into()), "{client} {token}");
    }
    for _ in 0..2 {
        assert_eq!(code(pool.revoke_token(&json!({"ClientId": "app", "Token": refresh}))), None);
    }
    assert_eq!(refresh_status(&mut pool, "app"), 400);
    assert!(!pool.accepts_access_token(tokens["access_token"].as_str().unwrap()));
}
