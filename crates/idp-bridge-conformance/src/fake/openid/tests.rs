//! Tests of the fake OpenID Provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use super::{CLIENT, Client, FOREIGN_CLIENT, Login, OpenId, Users};
use crate::Tokens;
use crate::fake::{Answer, Fake as _, Incoming, SigningKey};

const SECRET: &str = "a:secret+";

/// A user who can be blocked.
struct Ada {
    is_blocked: bool,
}

impl Users for Ada {
    fn find(&self, email: &str) -> Option<String> {
        (email == "ada@acme.example").then(|| "u-1".to_owned())
    }

    fn claims(&self, id: &str) -> Option<Value> {
        (id == "u-1" && !self.is_blocked).then(|| json!({"customer_id": "c-1"}))
    }
}

fn openid() -> OpenId<Ada> {
    let key = Arc::new(SigningKey::es256("k").unwrap());
    let mut openid = OpenId::new("https://idp.example", Ada { is_blocked: false }, key);
    for (id, secret, introspects) in [(CLIENT, Some(SECRET), true), (FOREIGN_CLIENT, Some(SECRET), false)] {
        openid
            .clients
            .insert(id.into(), Client { secret: secret.map(str::to_owned), introspects, ..Client::default() });
    }
    openid.clients.insert("phone".into(), Client::default());
    openid
}

fn log_in(openid: &mut OpenId<Ada>, change: impl FnOnce(&mut Login)) -> Tokens {
    let mut login = Login::new("u-1", CLIENT);
    change(&mut login);
    openid.log_in(login).unwrap()
}

/// Posts a form, with basic authentication if there are credentials.
fn post(openid: &mut OpenId<Ada>, path: &str, basic: Option<&str>, form: &str) -> Answer {
    let mut request = Incoming::new(Method::POST, path);
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    if let Some(basic) = basic {
        let value = format!("Basic {}", STANDARD.encode(basic));
        request.headers.insert(AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
    }
    request.body = form.to_owned().into();
    openid.answer(&request)
}

#[test]
fn clients_authenticate_with_one_method() {
    let mut openid = openid();
    let code = "grant_type=authorization_code&code=c&redirect_uri=r";
    for (basic, fields, error) in [
        (Some("shop:a%3Asecret%2B"), "", "invalid_grant"),
        (None, "&client_id=shop&client_secret=a%3Asecret%2B", "invalid_grant"),
        (None, "&client_id=phone", "invalid_grant"),
        // The secret is not encoded.
        (Some("shop:a:secret+"), "", "invalid_client"),
        (Some("shop:wrong"), "", "invalid_client"),
        (Some("shop:a%3Asecret%2B"), "&client_secret=a%3Asecret%2B", "invalid_request"),
        (None, "&client_id=shop", "invalid_client"),
        (None, "&client_id=phone&client_secret=x", "invalid_client"),
        (None, "", "invalid_client"),
    ] {
        let answer = post(&mut openid, "/token", basic, &format!("{code}{fields}"));
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["error"], error, "{basic:?} {fields}");
    }
}

#[test]
fn only_some_clients_introspect() {
    let mut openid = openid();
    let tokens = log_in(&mut openid, |_| {});
    let form = format!("token={}", tokens.access.expose());
    for (basic, status) in [("shop:a%3Asecret%2B", 200), ("stranger:a%3Asecret%2B", 403)] {
        assert_eq!(post(&mut openid, "/introspect", Some(basic), &form).status, status, "{basic}");
    }
    assert_eq!(post(&mut openid, "/introspect", None, &format!("{form}&client_id=phone")).status, 403);
}

#[test]
fn tokens_are_revoked_by_their_client() {
    let mut openid = openid();
    let tokens = log_in(&mut openid, |_| {});
    let (access, refresh) = (tokens.access.expose(), tokens.refresh.as_ref().unwrap().expose());
    for token in [access, refresh] {
        assert!(!openid.revoke(FOREIGN_CLIENT, token));
        assert!(openid.active(access).is_some() && openid.refreshable(refresh).is_some());
    }
    assert!(openid.revoke(CLIENT, refresh));
    assert!(openid.active(access).is_none() && openid.refreshable(refresh).is_none());
    assert!(openid.revoke(CLIENT, refresh) && openid.revoke(CLIENT, "unknown"));
}

#[test]
fn inactive_tokens_are_rejected() {
    let mut openid = openid();
    let [ordinary, offline] = [false, true].map(|offline| log_in(&mut openid, |login| login.offline = offline));
    let expired = log_in(&mut openid, |login| login.lifetime = -1);
    for (tokens, ends) in [(&ordinary, true), (&offline, false)] {
        assert!(openid.userinfo(tokens.access.expose()).is_some());
        assert!(openid.end_login(tokens).unwrap().is_some());
        assert_eq!(openid.userinfo(tokens.access.expose()).is_none(), ends);
    }
    assert!(openid.userinfo(expired.access.expose()).is_none());
    assert!(openid.userinfo(offline.id.as_ref().unwrap().expose()).is_none());
    openid.users.is_blocked = true;
    assert!(openid.userinfo(offline.access.expose()).is_none());
}

#[test]
fn a_null_removes_a_member_of_the_document() {
    let mut openid = openid();
    openid.document = BTreeMap::from([("jwks_uri".into(), Value::Null), ("issuer".into(), json!("x"))]);
    let answer = openid.answer(&Incoming::new(Method::GET, "/.well-known/openid-configuration"));
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((document.get("jwks_uri"), &document["issuer"]), (None, &json!("x")));
}
