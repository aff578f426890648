//! Tests of logout tokens and end-session URLs.

use idp_bridge_core::{ErrorKind, OauthClient, Secret};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: i64 = 1_700_000_000;

fn settings() -> FederationSettings {
    let client = |id: &str| OauthClient { id: id.into(), secret: None };
    FederationSettings { clients: vec![client("shop"), client("desk")], ..FederationSettings::default() }
}

fn good() -> Value {
    json!({"aud": "shop", "iat": NOW - 1, "exp": NOW + 120, "jti": "j", "events": {EVENT: {}}, "sub": "u-1", "sid": "s-1"})
}

/// Checks valid claims with some changed, or removed if null.
fn check_with(changes: Value) -> Result<LogoutToken> {
    let mut claims = good();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    let claims = Claims::parse(claims.to_string().as_bytes()).unwrap();
    check(&claims, Timestamp::from_second(NOW).unwrap(), &settings())
}

#[test]
fn logout_token_names_session_or_user() {
    let user = || Ended::User(UserId::new("u-1").unwrap());
    let session = || Ended::Session(SessionId::new("s-1").unwrap());
    let both = check_with(json!({})).unwrap();
    assert_eq!(both.clone().into_notice().ended, session());
    assert_eq!(both.into_user_notice().unwrap().ended, user());
    let only_user = check_with(json!({"sid": null})).unwrap();
    assert_eq!((only_user.clone().into_notice().ended, only_user.into_user_notice().unwrap().ended), (user(), user()));
    let only_session = check_with(json!({"sub": null, "aud": ["other", "desk"]})).unwrap();
    assert_eq!(only_session.clone().into_notice().issued_at, Timestamp::from_second(NOW - 1).unwrap());
    assert_eq!(only_session.clone().into_notice().ended, session());
    assert_eq!(only_session.into_user_notice().unwrap_err().kind(), ErrorKind::InvalidToken);
    assert!(check_with(json!({"iat": NOW - 300, "events": {EVENT: {"x": 1}, "other": 1}})).is_ok());
}

#[test]
fn invalid_logout_tokens_are_rejected() {
    for bad in [
        json!({"aud": null}),
        json!({"aud": "other"}),
        json!({"aud": "Shop"}),
        json!({"aud": ["shop", 1]}),
        json!({"iat": null}),
        json!({"iat": "1700000000"}),
        json!({"iat": NOW - 301}),
        json!({"iat": 0}),
        json!({"events": null}),
        json!({"events": EVENT}),
        json!({"events": [EVENT]}),
        json!({"events": {}}),
        json!({"events": {EVENT: true}}),
        json!({"events": {EVENT: []}}),
        json!({"events": {"http://schemas.openid.net/event/other": {}}}),
        json!({"nonce": "n"}),
        json!({"nonce": ""}),
        json!({"sub": null, "sid": null}),
        json!({"sub": 1}),
        json!({"sid": ["s-1"]}),
        json!({"sid": ""}),
        json!({"sub": "a\nb"}),
    ] {
        assert_eq!(check_with(bad.clone()).unwrap_err().kind(), ErrorKind::InvalidToken, "{bad}");
    }
}

#[test]
fn end_session_url_uses_the_given_names() {
    let hint = Secret::new("a.b.c");
    let end = EndSession {
        client_id: "shop",
        post_logout_redirect_uri: "https://shop.example/bye?a=1&b=2",
        id_token_hint: Some(&hint),
        state: Some("x y+z"),
    };
    let at = |endpoint: &str, names| end_session_url(&Url::parse(endpoint).unwrap(), &end, names);
    assert_eq!(
        at("https://idp.example/logout?tenant=1", EndSessionParameters::OPENID),
        "https://idp.example/logout?tenant=1&client_id=shop&post_logout_redirect_uri=https%3A%2F%2Fshop.example%2Fbye%3Fa%3D1%26b%3D2&id_token_hint=a.b.c&state=x+y%2Bz"
    );
    let own = EndSessionParameters {
        client_id: "client_id",
        post_logout_redirect_uri: "logout_uri",
        id_token_hint: None,
        state: None,
    };
    assert_eq!(
        at("https://idp.example/logout", own),
        "https://idp.example/logout?client_id=shop&logout_uri=https%3A%2F%2Fshop.example%2Fbye%3Fa%3D1%26b%3D2"
    );
}

proptest! {
    #[test]
    fn values_never_become_parameters(client in ".{0,16}", return_to in ".{0,16}", state in "[&=#%+;?/ ]{0,6}.{0,8}") {
        let end = EndSession {
            client_id: &client,
            post_logout_redirect_uri: &return_to,
            id_token_hint: None,
            state: Some(&state),
        };
        let url = end_session_url(&Url::parse("https://idp.example/logout").unwrap(), &end, EndSessionParameters::OPENID);
        let url = Url::parse(&url).unwrap();
        prop_assert_eq!((url.host_str(), url.path(), url.fragment()), (Some("idp.example"), "/logout", None));
        let read: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let sent =
            [pair("client_id", &client), pair("post_logout_redirect_uri", &return_to), pair("state", &state)];
        prop_assert_eq!(read, sent);
    }
}
