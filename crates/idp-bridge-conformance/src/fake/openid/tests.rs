//! Tests of the fake OpenID Provider.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use super::{CLIENT, Client, OpenId, Users};
use crate::fake::{Answer, Fake as _, Incoming, SigningKey};

const SECRET: &str = "a:secret+";

struct Ada;

impl Users for Ada {
    fn find(&self, email: &str) -> Option<String> {
        (email == "ada@acme.example").then(|| "u-1".to_owned())
    }

    fn claims(&self, id: &str) -> Option<Value> {
        (id == "u-1").then(|| json!({"customer_id": "c-1"}))
    }
}

fn openid() -> OpenId<Ada> {
    let key = Arc::new(SigningKey::es256("k").unwrap());
    let mut openid = OpenId::new("https://idp.example", Ada, key);
    openid.clients.insert(CLIENT.into(), Client { secret: Some(SECRET.into()), ..Client::default() });
    openid.clients.insert("phone".into(), Client::default());
    openid
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
