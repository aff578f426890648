//! Which of Keycloak's endpoints is asked of which token, and what its refusals mean.

use idp_bridge_core::{Customer, ErrorKind};

use super::*;

#[tokio::test]
async fn introspection_is_asked_of_what_is_meant_for_the_bridge_and_userinfo_of_the_rest() {
    let stage = Stage::new().await;
    for (client, endpoint) in [
        ("web", "POST protocol/openid-connect/token/introspect"),
        ("light", "POST protocol/openid-connect/token/introspect"),
        ("spa", "GET protocol/openid-connect/userinfo"),
    ] {
        let tokens = stage.log_in(client, "openid").await;
        stage.oauth().validate(&scope(), &tokens.access).await.unwrap();
        stage.requests();
        let user = stage.oauth().validate(&scope(), &tokens.access).await.unwrap();
        assert_eq!(stage.public_requests(), [endpoint], "{client}");
        assert_eq!((user.customer, user.record), (Customer::from_values(&["c-1"]), None), "{client}");
    }
}

#[tokio::test]
async fn a_token_without_openid_is_told_of_by_introspection_alone() {
    let stage = Stage::new().await;
    let tokens = stage.log_in("web", "profile").await;
    assert_eq!(stage.kind(&tokens.access).await, None);
    let tokens = stage.log_in("spa", "profile").await;
    let error = stage.oauth().validate(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert!(error.hint().unwrap().contains("`openid`"));
}

#[tokio::test]
async fn a_living_token_that_keycloak_calls_inactive_is_never_taken_for_dead() {
    let stage = Stage::new().await;
    let tokens = stage.log_in("light", "openid").await;
    stage.harness.take_audience_from("light").await.unwrap();
    let error = stage.oauth().validate(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.hint().unwrap().contains("`Included Client Audience` is `idp-bridge`"), "{error:?}");
    let identity = stage.oauth().identify(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(identity.kind(), ErrorKind::Misconfigured);

    // A token that says itself that it is meant for the bridge goes on as before.
    let tokens = stage.log_in("web", "openid").await;
    stage.harness.take_audience_from("web").await.unwrap();
    assert_eq!(stage.kind(&tokens.access).await, None);
}

#[tokio::test]
async fn a_lightweight_token_may_say_whose_it_is() {
    let stage = Stage::new().await;
    stage.harness.name_user_in_lightweight_tokens().await.unwrap();
    let tokens = stage.log_in("light", "openid").await;
    stage.requests();
    let identity = stage.identify(&tokens).await;
    assert_eq!(stage.public_requests(), ["GET protocol/openid-connect/certs"]);
    let user = stage.oauth().validate(&scope(), &tokens.access).await.unwrap();
    assert_eq!((user.identity, user.customer), (identity, Customer::from_values(&["c-1"])));
    stage.harness.take_audience_from("light").await.unwrap();
    assert_eq!(stage.kind(&tokens.access).await, Some(ErrorKind::Misconfigured));
}

#[tokio::test]
async fn a_clients_own_token_is_refused_even_if_it_has_a_session() {
    let stage = Stage::new().await;
    let tokens = stage.log_in("web", "openid").await;
    let mut claims = stage.claims(&tokens.access);
    claims["jti"] = "onrtcc:027461f4".into();
    let token = stage.sign(&tokens.access, &claims).await;
    assert_eq!(stage.kind(&token).await, Some(ErrorKind::InvalidToken));
}

#[tokio::test]
async fn keys_may_change_at_any_time() {
    let stage = Stage::new().await;
    let before = stage.log_in("spa", "openid").await;
    assert_eq!(stage.kind(&before.access).await, None);
    stage.harness.rotate_keys().await.unwrap();
    let after = stage.log_in("spa", "openid").await;
    assert_eq!((stage.kind(&after.access).await, stage.kind(&before.access).await), (None, None));
}
