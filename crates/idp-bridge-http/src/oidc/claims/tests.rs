//! Tests of claims with expected and unexpected types.

use idp_bridge_core::CustomerId;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn claims(value: Value) -> Claims {
    Claims::parse(value.to_string().as_bytes()).unwrap()
}

#[test]
fn claim_of_another_type_is_none() {
    let odd = [json!(null), json!(true), json!(1), json!([1]), json!(["a", 1]), json!({"a": "b"})];
    for value in odd {
        let claims = claims(json!({"x": value}));
        assert!(claims.has("x") && claims.text("x").is_none(), "{value}");
        assert!(claims.strings("x").is_empty() && claims.words("x").is_empty(), "{value}");
    }
    for value in [json!(null), json!("1700000000"), json!([1]), json!(1e300), json!(i64::MAX), json!(u64::MAX)] {
        assert_eq!(claims(json!({"x": value})).timestamp("x"), None, "{value}");
    }
    for value in [json!(null), json!(1), json!("True"), json!("yes"), json!([true])] {
        assert_eq!(claims(json!({"x": value})).bool_or_string("x"), None, "{value}");
    }
}

#[test]
fn claims_are_read_by_their_type() {
    let claims = claims(json!({
        "aud": ["a", "b"], "one": "a", "scope": "openid  email", "iat": 1_700_000_000.9, "exp": 1_700_000_000,
        "yes": "true", "no": false,
    }));
    assert_eq!((claims.audience(), claims.strings("one")), (vec!["a", "b"], vec!["a"]));
    assert_eq!(claims.words("scope"), ["openid", "email"]);
    assert_eq!((claims.timestamp("iat"), claims.timestamp("exp")), {
        let time = Timestamp::from_second(1_700_000_000).ok();
        (time, time)
    });
    assert_eq!((claims.bool_or_string("yes"), claims.bool_or_string("no")), (Some(true), Some(false)));
    assert_eq!((claims.text("none"), claims.strings("none").len(), claims.has("none")), (None, 0, false));
}

#[test]
fn customer_is_one_string_or_integer() {
    let one = |text| Customer::One(CustomerId::new(text).unwrap());
    for (value, expected) in [
        (json!("c-1"), one("c-1")),
        (json!(["c-1"]), one("c-1")),
        (json!(42), one("42")),
        (json!([]), Customer::Absent),
        (json!(null), Customer::Absent),
        (json!(["c-1", "c-2"]), Customer::Several),
        (json!(["c-1", "c-1"]), Customer::Several),
        (json!(""), Customer::Unusable),
        (json!("a\nb"), Customer::Unusable),
        (json!(4.5), Customer::Unusable),
        (json!(true), Customer::Unusable),
        (json!({"id": "c-1"}), Customer::Unusable),
        (json!(["c-1", null]), Customer::Unusable),
        (json!("x".repeat(257)), Customer::Unusable),
    ] {
        assert_eq!(claims(json!({"customer": value})).customer("customer"), expected, "{value}");
    }
    assert_eq!(claims(json!({})).customer("customer"), Customer::Absent);
    assert_eq!(
        claims(json!({"https://acme.example/customer": "c"})).customer("https://acme.example/customer"),
        one("c")
    );
}

#[test]
fn token_belongs_to_one_known_client() {
    let known = |client: &str| client == "shop";
    for good in [json!({"azp": "shop"}), json!({"client_id": "shop"}), json!({"azp": "shop", "client_id": "shop"})] {
        assert_eq!(claims(good.clone()).check_client(known).unwrap(), "shop", "{good}");
    }
    for bad in [
        json!({}),
        json!({"aud": "shop"}),
        json!({"azp": "other"}),
        json!({"azp": "shop", "client_id": "other"}),
        json!({"azp": "other", "client_id": "shop"}),
        json!({"azp": ["shop"]}),
        json!({"azp": "shop", "client_id": null}),
        json!({"azp": "Shop"}),
        json!({"azp": "shop "}),
    ] {
        assert_eq!(claims(bad.clone()).check_client(known).unwrap_err().kind(), ErrorKind::InvalidToken, "{bad}");
    }
}

#[test]
fn id_tokens_are_detected() {
    let typed = |typ: &str, value: Value| claims(value).with_type(Some(typ.into()));
    for bad in [
        json!({"aud": "shop"}),
        json!({"aud": ["shop", "api"]}),
        json!({"aud": "api", "nonce": "n"}),
        json!({"at_hash": "x"}),
        json!({"c_hash": null}),
    ] {
        assert!(claims(bad.clone()).check_not_id_token("shop").is_err(), "{bad}");
        assert!(typed("jwt", bad.clone()).check_not_id_token("shop").is_err(), "{bad}");
        assert!(typed("at+jwt", bad.clone()).check_not_id_token("shop").is_ok(), "{bad}");
    }
    for good in [json!({}), json!({"aud": "api"}), json!({"aud": "shop2"}), json!({"auth_time": 1, "aud": ["api"]})] {
        assert!(typed("jwt", good.clone()).check_not_id_token("shop").is_ok(), "{good}");
    }
}

#[test]
fn debug_hides_values_and_bound_token_is_rejected() {
    let claims = claims(json!({"sub": "hunter2", "cnf": {"jkt": "x"}}));
    assert_eq!(format!("{claims:?}"), r#"{"cnf", "sub"}"#);
    assert_eq!(claims.check_unbound().unwrap_err().kind(), ErrorKind::InvalidToken);
}

proptest! {
    #[test]
    fn timestamps_round_down(number in any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite())) {
        if let Some(time) = claims(json!({"exp": number})).timestamp("exp") {
            prop_assert!((time.as_second() as f64 - number).abs() <= 1.0);
        }
    }
}
