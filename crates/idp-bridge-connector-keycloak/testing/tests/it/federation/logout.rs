//! Logouts with active, expired and revoked tokens.

use idp_bridge_conformance::{FederationHarness as _, TokenStatus};
use idp_bridge_core::{ErrorKind, SessionId};

use super::*;

const ENDED: TokenStatus = TokenStatus { userinfo: Some(false), introspection: Some(false), refresh: Some(false) };

#[tokio::test]
async fn online_session_is_deleted() {
    let stage = Stage::new().await;
    let mut tokens = stage.log_in("web", "openid").await;
    let identity = stage.identify(&tokens).await;
    stage.requests();
    stage.log_out(&tokens, &identity).await.unwrap();
    let session = identity.session.as_ref().unwrap().as_str();
    let ended = [format!("DELETE sessions/{session}"), "GET openid-connect/userinfo".to_owned()];
    assert_eq!(without_logins(stage.requests()), ended);
    assert_eq!(stage.harness.check_tokens(&mut tokens).await.unwrap(), ENDED);
    stage.log_out(&tokens, &identity).await.unwrap();
}

#[tokio::test]
async fn offline_session_is_deleted_too() {
    let stage = Stage::new().await;
    for client in ["web", "spa", "light"] {
        let mut tokens = stage.log_in(client, "openid offline_access").await;
        let identity = stage.identify(&tokens).await;
        stage.requests();
        stage.log_out(&tokens, &identity).await.unwrap();
        let session = identity.session.as_ref().unwrap().as_str();
        let requests = without_logins(stage.requests());
        assert!(requests.contains(&format!("DELETE sessions/{session}?isOffline=true")), "{requests:?}");
        assert_eq!(stage.harness.check_tokens(&mut tokens).await.unwrap(), ENDED, "{client}");
    }
}

#[tokio::test]
async fn revoked_token_ends_its_offline_session() {
    let stage = Stage::new().await;
    let mut revoked = stage.log_in("web", "openid offline_access").await;
    let identity = stage.identify(&revoked).await;
    // The effect of `/revoke`: the access token is refused, and the refresh token stays valid.
    stage.fake.revoke_token(revoked.access.expose());
    stage.log_out(&revoked, &identity).await.unwrap();
    assert_eq!(stage.harness.check_tokens(&mut revoked).await.unwrap().refresh, Some(false));
}

#[tokio::test]
async fn session_ids_reach_no_other_resource() {
    let stage = Stage::new().await;
    let tokens = stage.log_in("web", "openid").await;
    let mut identity = stage.identify(&tokens).await;
    for odd in ["../users", "a/../../b", "%2e%2e", "x?isOffline=true", "a#b", "..\\..\\master", "a b"] {
        identity.session = Some(SessionId::new(odd).unwrap());
        stage.requests();
        // The token stays active, so the logout cannot be confirmed.
        let error = stage.log_out(&tokens, &identity).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{odd}: {error:?}");
        for request in stage.requests().iter().filter(|request| request.starts_with("DELETE")) {
            let below = request.strip_prefix("DELETE sessions/").unwrap();
            assert!(!below.trim_end_matches("?isOffline=true").contains(['/', '?', '#', '\\']), "{request}");
        }
    }
    assert_eq!(stage.validation_error(&tokens.access).await, None);
}

#[tokio::test]
async fn refresh_token_is_sent_as_its_client() {
    let stage = Stage::new().await;
    let (tokens, mut other) = (stage.log_in("web", "openid").await, stage.log_in("spa", "openid").await);
    let identity = stage.identify(&tokens).await;
    let logout = Logout {
        token: &tokens.access,
        identity: Some(&identity),
        refresh_token: other.refresh.as_ref(),
        id_token_hint: None,
    };
    stage.federation().log_out(&scope(), &logout).await.unwrap();
    assert_eq!(stage.harness.check_tokens(&mut other).await.unwrap().refresh, Some(false));
    assert_eq!(stage.validation_error(&tokens.access).await, Some(ErrorKind::InvalidToken));
}

/// Removes the requests for tokens of the bridge's own client.
fn without_logins(requests: Vec<String>) -> Vec<String> {
    requests.into_iter().filter(|request| !request.ends_with("/token")).collect()
}
