//! The endpoints that validate each kind of token, and their refusals.

use idp_bridge_core::{Customer, ErrorKind};

use super::*;

#[tokio::test]
async fn audience_selects_the_endpoint() {
    let stage = Stage::new().await;
    for (client, endpoint) in [
        ("web", "POST protocol/openid-connect/token/introspect"),
        ("light", "POST protocol/openid-connect/token/introspect"),
        ("spa", "GET protocol/openid-connect/userinfo"),
    ] {
        let tokens = stage.log_in(client, "openid").await;
        stage.federation().validate(&scope(), &tokens.access).await.unwrap();
        stage.requests();
        let user = stage.federation().validate(&scope(), &tokens.access).await.unwrap();
        assert_eq!(stage.public_requests(), [endpoint], "{client}");
        assert_eq!((user.customer, user.record), (Customer::from_values(&["c-1"]), None), "{client}");
    }
}

#[tokio::test]
async fn token_without_openid_needs_introspection() {
    let stage = Stage::new().await;
    let tokens = stage.log_in("web", "profile").await;
    assert_eq!(stage.validation_error(&tokens.access).await, None);
    let tokens = stage.log_in("spa", "profile").await;
    let error = stage.federation().validate(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert!(error.hint().unwrap().contains("`openid`"));
}

#[tokio::test]
async fn hidden_active_token_is_misconfigured() {
    let stage = Stage::new().await;
    let tokens = stage.log_in("light", "openid").await;
    stage.harness.remove_audience("light").await.unwrap();
    let error = stage.federation().validate(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.hint().unwrap().contains("`Included Client Audience` is `idp-bridge`"), "{error:?}");
    let identity = stage.federation().identify(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(identity.kind(), ErrorKind::Misconfigured);

    // A token with the bridge in its own audience stays valid.
    let tokens = stage.log_in("web", "openid").await;
    stage.harness.remove_audience("web").await.unwrap();
    assert_eq!(stage.validation_error(&tokens.access).await, None);
}

#[tokio::test]
async fn lightweight_token_may_have_a_subject() {
    let stage = Stage::new().await;
    stage.harness.add_subject_to_lightweight_tokens().await.unwrap();
    let tokens = stage.log_in("light", "openid").await;
    stage.requests();
    let identity = stage.identify(&tokens).await;
    assert_eq!(stage.public_requests(), ["GET protocol/openid-connect/certs"]);
    let user = stage.federation().validate(&scope(), &tokens.access).await.unwrap();
    assert_eq!((user.identity, user.customer), (identity, Customer::from_values(&["c-1"])));
    stage.harness.remove_audience("light").await.unwrap();
    assert_eq!(stage.validation_error(&tokens.access).await, Some(ErrorKind::Misconfigured));
}

#[tokio::test]
async fn clients_own_token_with_session_is_rejected() {
    let stage = Stage::new().await;
    let tokens = stage.log_in("web", "openid").await;
    let mut claims = stage.claims(&tokens.access);
    claims["jti"] = "onrtcc:027461f4".into();
    let token = stage.sign(&tokens.access, &claims).await;
    assert_eq!(stage.validation_error(&token).await, Some(ErrorKind::InvalidToken));
}
