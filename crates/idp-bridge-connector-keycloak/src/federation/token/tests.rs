//! Which tokens are taken, and what is believed of the answers about them.

use idp_bridge_core::{Customer, OauthClient};
use serde_json::{Value, json};

use super::*;

/// As Keycloak 26.7.3 signed it for a login by a browser, November 2026.
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

fn proven(value: &Value) -> Result<Proven> {
    let clients = vec![OauthClient { id: "platform-web".into(), secret: None }];
    Proven::of(claims(value), &FederationSettings { clients, ..FederationSettings::default() })
}

#[test]
fn a_real_token_says_whose_it_is() {
    let proven = proven(&token()).unwrap();
    let identity = proven.identity().unwrap();
    assert_eq!(identity.subject.as_str(), "ece5e190-71f8-4742-a123-390a8dddc992");
    assert_eq!(identity.client.as_deref(), Some("platform-web"));
    assert_eq!(identity.session.unwrap().as_str(), "f0c_q-2tH9LHi3Y_o1DDNYcU");
    assert_eq!(identity.issued_at, Some("2026-11-24T23:33:53Z".parse().unwrap()));
    assert_eq!(identity.expires_at, Some("2026-11-24T23:38:53Z".parse().unwrap()));
    assert!(proven.is_for("idp-bridge") && !proven.is_for("idp") && proven.may_ask_userinfo());
}

#[test]
fn a_lightweight_token_proves_its_client_and_session_alone() {
    let light = with(token(), json!({"sub": null, "aud": null, "jti": "onltac:e8012bc0", "email": null}));
    let proven = proven(&light).unwrap();
    assert_eq!(proven.identity(), None);
    assert!(!proven.is_for("idp-bridge") && !proven.may_ask_userinfo());
}

#[test]
fn what_is_no_access_token_of_a_person_is_refused() {
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
        // Each thing that tells a client's own token, alone.
        json!({"jti": "trrtcc:02d8838d"}),
        json!({"jti": "onrtcc:027461f4"}),
        json!({"jti": "b4920c9d", "preferred_username": "service-account-web"}),
        json!({"clientHost": "127.0.0.1"}),
    ] {
        let error = proven(&with(token(), change.clone())).err().unwrap_or_else(|| panic!("{change}"));
        assert_eq!(error.kind(), ErrorKind::InvalidToken, "{change}");
    }
    // An id that looks like such a prefix is none.
    for jti in ["cc", "abcc:x", "onrtaccc:x", "cc:cc"] {
        assert!(proven(&with(token(), json!({"jti": jti}))).is_ok(), "{jti}");
    }
}

#[test]
fn an_answer_about_another_token_is_no_answer() {
    let proven = proven(&token()).unwrap();
    let told = |change| proven.user(&claims(&with(token(), change)), "customer_id");
    let user = told(json!({})).unwrap();
    assert_eq!(user.customer, Customer::from_values(&["cust-1"]));
    assert_eq!((user.email.unwrap().as_str(), user.email_verified), ("alice@example.com", Some(true)));
    // As userinfo answers.
    assert!(told(json!({"sid": null, "azp": null})).is_ok());
    for change in [
        json!({"sub": "another"}),
        json!({"sub": null}),
        json!({"sub": 7}),
        json!({"sid": "another"}),
        json!({"sid": 7}),
        json!({"azp": "another"}),
    ] {
        assert_eq!(told(change.clone()).unwrap_err().kind(), ErrorKind::InvalidResponse, "{change}");
    }
    let odd = told(json!({"email": "no address", "email_verified": 7, "customer_id": ["a", "b"]})).unwrap();
    assert_eq!((odd.email, odd.email_verified, odd.customer), (None, None, Customer::Several));
}

#[test]
fn person_may_have_name_of_service_account() {
    let named = json!({"preferred_username": "service-account-ada"});
    let person = with(token(), named.clone());
    let told = claims(&with(person.clone(), json!({"jti": null})));
    assert!(proven(&person).unwrap().user(&told, "customer_id").is_ok());
    // Without the code of the grant the name is all there is.
    let older = proven(&with(token(), json!({"jti": "b4920c9d"}))).unwrap();
    let refused = older.user(&claims(&with(token(), with(named, json!({"jti": "b4920c9d"})))), "customer_id");
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidToken);
}

#[test]
fn a_refresh_token_names_its_client_if_it_can_be_read() {
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
