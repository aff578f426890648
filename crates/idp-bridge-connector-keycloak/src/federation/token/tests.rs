//! Tests of the checks of claims.

use idp_bridge_core::{Customer, OauthClient};
use serde_json::{Value, json};

use super::*;

/// The claims of a token that Keycloak 26.7.3 issued to a browser in November 2026.
fn token() -> Value {
    json!({
        "exp": 1_795_563_533, "iat": 1_795_563_233, "auth_time": 1_795_563_233,
        "jti": "onrtac:b4920c9d-7c83-7470-95e1-ec0df7dbad42", "iss": "http://127.0.0.1:18080/realms/acme",
        "aud": "idp-bridge", "sub": "ece5e190-71f8-4742-a123-390a8dddc992", "typ": "Bearer", "azp": "platform-web",
        "sid": "f0c_q-2tH9LHi3Y_o1DDNYcU", "acr": "1", "scope": "openid email profile", "email_verified": true,
        "preferred_username": "alice", "customer_id": "cust-1", "email": "alice@example.com"
    })
}

fn with(mut claims: Value, changes: Value) -> Value {
    if let (Some(all), Value::Object(changes)) = (claims.as_object_mut(), changes) {
        for (name, value) in changes {
            if value.is_null() {
                all.remove(&name);
            } else {
                all.insert(name, value);
            }
        }
    }
    claims
}

fn claims(value: &Value) -> Claims {
    Claims::parse(value.to_string().as_bytes()).unwrap()
}

fn verified(value: &Value) -> Result<VerifiedToken> {
    let clients = vec![OauthClient { id: "platform-web".into(), secret: None }];
    VerifiedToken::from_claims(claims(value), &FederationSettings { clients, ..FederationSettings::default() })
}

#[test]
fn real_token_is_accepted() {
    let verified = verified(&token()).unwrap();
    let identity = verified.identity().unwrap();
    assert_eq!(identity.subject.as_str(), "ece5e190-71f8-4742-a123-390a8dddc992");
    assert_eq!(identity.client.as_deref(), Some("platform-web"));
    assert_eq!(identity.session.unwrap().as_str(), "f0c_q-2tH9LHi3Y_o1DDNYcU");
    assert_eq!(identity.issued_at, Some("2026-11-24T23:33:53Z".parse().unwrap()));
    assert_eq!(identity.expires_at, Some("2026-11-24T23:38:53Z".parse().unwrap()));
    assert!(verified.has_audience("idp-bridge") && !verified.has_audience("idp") && verified.is_accepted_by_userinfo());
}

#[test]
fn lightweight_token_has_no_identity() {
    let light = with(token(), json!({"sub": null, "aud": null, "jti": "onltac:e8012bc0", "email": null}));
    let verified = verified(&light).unwrap();
    assert_eq!(verified.identity(), None);
    assert!(!verified.has_audience("idp-bridge") && !verified.is_accepted_by_userinfo());
}

#[test]
fn other_tokens_are_rejected() {
    for change in [
        json!({"typ": "ID"}),
        json!({"typ": "Refresh"}),
        json!({"typ": "Offline"}),
        json!({"typ": "Logout"}),
        json!({"typ": "bearer"}),
        json!({"typ": ["Bearer"]}),
        json!({"typ": null}),
        json!({"cnf": {"jkt": "x"}}),
        json!({"cnf": {}, "typ": "DPoP"}),
        json!({"azp": "another"}),
        json!({"azp": null}),
        json!({"azp": ["platform-web"]}),
        json!({"client_id": "another"}),
        json!({"sid": null}),
        json!({"sid": ""}),
        json!({"sid": ".."}),
        json!({"sid": 7}),
        json!({"sid": "x".repeat(257)}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sub": ".."}),
        // Each mark of a client's own token, alone.
        json!({"jti": "trrtcc:02d8838d"}),
        json!({"jti": "onrtcc:027461f4"}),
        json!({"jti": "b4920c9d", "preferred_username": "service-account-web"}),
        json!({"clientHost": "127.0.0.1"}),
    ] {
        let error = verified(&with(token(), change.clone())).err().unwrap_or_else(|| panic!("{change}"));
        assert_eq!(error.kind(), ErrorKind::InvalidToken, "{change}");
    }
    // Ids without the prefix of that grant.
    for jti in ["cc", "abcc:x", "onrtaccc:x", "cc:cc"] {
        assert!(verified(&with(token(), json!({"jti": jti}))).is_ok(), "{jti}");
    }
}

#[test]
fn response_about_another_token_is_rejected() {
    let verified = verified(&token()).unwrap();
    let user_of = |change| verified.user(&claims(&with(token(), change)), "customer_id");
    let user = user_of(json!({})).unwrap();
    assert_eq!(user.customer, Customer::from_values(&["cust-1"]));
    assert_eq!((user.email.unwrap().as_str(), user.email_verified), ("alice@example.com", Some(true)));
    // Userinfo's response has neither.
    assert!(user_of(json!({"sid": null, "azp": null})).is_ok());
    for change in [
        json!({"sub": "another"}),
        json!({"sub": null}),
        json!({"sub": 7}),
        json!({"sid": "another"}),
        json!({"sid": 7}),
        json!({"azp": "another"}),
    ] {
        assert_eq!(user_of(change.clone()).unwrap_err().kind(), ErrorKind::InvalidResponse, "{change}");
    }
    let odd = user_of(json!({"email": "no address", "email_verified": 7, "customer_id": ["a", "b"]})).unwrap();
    assert_eq!((odd.email, odd.email_verified, odd.customer), (None, None, Customer::Several));
}

#[test]
fn person_may_have_name_of_service_account() {
    let named = json!({"preferred_username": "service-account-ada"});
    let person = with(token(), named.clone());
    let response = claims(&with(person.clone(), json!({"jti": null})));
    assert!(verified(&person).unwrap().user(&response, "customer_id").is_ok());
    // Without the code of the grant only the name counts.
    let older = verified(&with(token(), json!({"jti": "b4920c9d"}))).unwrap();
    let refused = older.user(&claims(&with(token(), with(named, json!({"jti": "b4920c9d"})))), "customer_id");
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidToken);
}

#[test]
fn client_of_refresh_token_is_parsed() {
    let refresh = |payload: &str| Secret::new(format!("h.{}.s", URL_SAFE_NO_PAD.encode(payload)));
    assert_eq!(client_of_refresh_token(&refresh(r#"{"azp":"web"}"#)).as_deref(), Some("web"));
    for unreadable in [
        refresh("{}"),
        refresh(r#"{"azp":7}"#),
        refresh("[]"),
        Secret::new("opaque"),
        Secret::new("a.!.c"),
        Secret::new("a.b"),
    ] {
        assert_eq!(client_of_refresh_token(&unreadable), None);
    }
}
