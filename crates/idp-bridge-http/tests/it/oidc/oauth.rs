//! Tests of introspection, revocation, userinfo and the check of a secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_core::{AccessToken, ConnectorContext, ErrorKind, OauthClient, Outcome, Secret, TenantId};
use idp_bridge_http::oidc::{AssertionAudience, ClientAuthentication, ClientCredentials, SecretCheck, TokenKind};
use idp_bridge_http::{AssertionSigner, PrivateKey};
use serde_json::json;

use super::issuer::Issuer;
use super::keys::Key;
use crate::server::{answer, everything, scope};

fn client(secret: Option<&str>) -> OauthClient {
    OauthClient { id: "br idge:1".into(), secret: secret.map(Secret::new) }
}

fn basic(client: &OauthClient) -> ClientCredentials<'_> {
    ClientCredentials { client, authentication: ClientAuthentication::Basic }
}

fn token() -> AccessToken {
    AccessToken::new("opaque-1").unwrap()
}

/// Starts an issuer with this response at this path.
async fn with(path: &'static str, status: u16, header: &'static str, body: &'static str) -> Issuer {
    let own = move |received: &crate::server::Received| {
        let headers: &[&str] = if header.is_empty() { &[] } else { &[header] };
        received.head.contains(&format!(" {path} ")).then(|| answer(status, headers, body))
    };
    Issuer::answering(Key::p256(), own).await
}

#[tokio::test]
async fn client_credentials_are_encoded() {
    let secret = "s:e%c r+et";
    let issuer = with("/introspect", 200, "", r#"{"active": true, "sub": "u-1"}"#).await;
    let asked = |authentication, secret| {
        let (provider, client) = (issuer.provider.clone(), client(secret));
        async move { provider.introspect(&scope(), &token(), ClientCredentials { client: &client, authentication }).await }
    };
    for (authentication, secret) in [
        (ClientAuthentication::Basic, Some(secret)),
        (ClientAuthentication::Post, Some(secret)),
        (ClientAuthentication::Basic, None),
    ] {
        assert_eq!(asked(authentication, secret).await.unwrap().text("sub"), Some("u-1"));
    }
    let received: Vec<_> =
        issuer.server.received().into_iter().filter(|asked| asked.head.contains("/introspect")).collect();
    let form = "token=opaque-1&token_type_hint=access_token";
    // Base64 of `br+idge%3A1:s%3Ae%25c+r%2Bet`.
    assert!(received[0].head.contains("Basic YnIraWRnZSUzQTE6cyUzQWUlMjVjK3IlMkJldA=="), "{}", received[0].head);
    assert_eq!(received[0].body, form);
    assert_eq!(received[1].body, format!("{form}&client_id=br+idge%3A1&client_secret=s%3Ae%25c+r%2Bet"));
    assert_eq!(received[2].body, format!("{form}&client_id=br+idge%3A1"));
    assert!(received[1..].iter().all(|asked| !asked.head.to_lowercase().contains("authorization:")));
}

#[tokio::test]
async fn assertion_is_for_the_chosen_audience() {
    let issuer = with("/introspect", 200, "", r#"{"active": true, "sub": "u-1"}"#).await;
    let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let key = PrivateKey::from_settings(Some(&Secret::new(pem)), None, None).unwrap().unwrap();
    let client = OauthClient { id: "bridge".into(), secret: None };
    let signer =
        AssertionSigner::new(&client.id, &key, &ConnectorContext::new(TenantId::new("acme").unwrap())).unwrap();
    for (audience, expected) in [
        (AssertionAudience::Issuer, issuer.server.base()),
        (AssertionAudience::TokenEndpoint, format!("{}/token", issuer.server.base())),
    ] {
        let authentication = ClientAuthentication::PrivateKey(&signer, audience);
        let credentials = ClientCredentials { client: &client, authentication };
        issuer.provider.introspect(&scope(), &token(), credentials).await.unwrap();
        let body = issuer.server.received().last().unwrap().body.clone();
        let form: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let names: Vec<_> = form.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["token", "token_type_hint", "client_id", "client_assertion_type", "client_assertion"]);
        let claims = form[4].1.split('.').nth(1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        assert_eq!(claims["aud"], expected);
    }
}

#[tokio::test]
async fn introspection_must_say_active() {
    for (status, body, kind) in [
        (200, r#"{"active": false}"#, ErrorKind::InvalidToken),
        (200, r#"{"active": "true"}"#, ErrorKind::InvalidResponse),
        (200, r#"{"active": true, "active": false}"#, ErrorKind::InvalidResponse),
        (200, "{}", ErrorKind::InvalidResponse),
        (200, "[]", ErrorKind::InvalidResponse),
        (200, "", ErrorKind::InvalidResponse),
        (400, r#"{"error": "unsupported_token_type"}"#, ErrorKind::InvalidToken),
        (401, r#"{"error": "invalid_client"}"#, ErrorKind::Unauthenticated),
        (400, r#"{"error": "invalid_client"}"#, ErrorKind::Unauthenticated),
        (403, r#"{"error": "access_denied"}"#, ErrorKind::PermissionDenied),
        (400, r#"{"error": "unauthorized_client"}"#, ErrorKind::PermissionDenied),
        (401, "", ErrorKind::InvalidResponse),
        (403, "<html>no</html>", ErrorKind::InvalidResponse),
        (400, r#"{"error": "invalid_request"}"#, ErrorKind::InvalidResponse),
        (404, "", ErrorKind::InvalidResponse),
        (302, "", ErrorKind::InvalidResponse),
        (501, "", ErrorKind::Unavailable),
    ] {
        let issuer = with("/introspect", status, "", body).await;
        let client = client(Some("hunter2"));
        let asked = issuer.provider.introspect(&scope(), &token(), basic(&client)).await;
        let error = asked.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}");
        assert!(!everything(&error).contains("hunter2") && !everything(&error).contains("opaque-1"));
    }
}

#[tokio::test]
async fn userinfo_distinguishes_rejected_tokens_from_faults() {
    let invalid = r#"www-authenticate: Bearer realm="x", error="invalid_token""#;
    for (status, header, body, kind) in [
        (401, invalid, "", ErrorKind::InvalidToken),
        (401, "www-authenticate: Bearer", "", ErrorKind::InvalidToken),
        (401, "", "", ErrorKind::Unavailable),
        (401, "www-authenticate: Basic realm=\"gateway\"", "<html>no</html>", ErrorKind::Unavailable),
        (400, invalid, "", ErrorKind::InvalidToken),
        (403, r#"www-authenticate: Bearer error="insufficient_scope""#, "", ErrorKind::InvalidToken),
        (400, "", r#"{"error": "invalid_token"}"#, ErrorKind::InvalidToken),
        (403, "", "", ErrorKind::InvalidResponse),
        (400, "", r#"{"error": "invalid_request"}"#, ErrorKind::InvalidResponse),
        (404, "", "", ErrorKind::InvalidResponse),
        (429, "retry-after: 999", "", ErrorKind::RateLimited),
        (501, invalid, r#"{"error": "invalid_token"}"#, ErrorKind::Unavailable),
        (200, "", "{}", ErrorKind::InvalidResponse),
        (200, "", r#"{"sub": 1}"#, ErrorKind::InvalidResponse),
        (200, "", "a.b.c", ErrorKind::InvalidResponse),
    ] {
        let issuer = with("/userinfo", status, header, body).await;
        let error = issuer.provider.userinfo(&scope(), &token()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {header} {body}");
    }
    let issuer = with("/userinfo", 200, "", r#"{"sub": "u-1", "customer": "c-1"}"#).await;
    assert_eq!(issuer.provider.userinfo(&scope(), &token()).await.unwrap().text("customer"), Some("c-1"));
}

#[tokio::test]
async fn revocation_errors_are_distinguished() {
    for (status, body, kind) in [
        (200, "", None),
        (204, "", None),
        (400, r#"{"error": "invalid_grant"}"#, Some(ErrorKind::InvalidInput)),
        (400, r#"{"error": "unsupported_token_type"}"#, Some(ErrorKind::Unsupported)),
        (401, r#"{"error": "invalid_client"}"#, Some(ErrorKind::Unauthenticated)),
        (400, r#"{"error": "invalid_client"}"#, Some(ErrorKind::Unauthenticated)),
        (403, r#"{"error": "access_denied"}"#, Some(ErrorKind::PermissionDenied)),
        (401, "", Some(ErrorKind::InvalidResponse)),
        (403, "<html>no</html>", Some(ErrorKind::InvalidResponse)),
        (404, "", Some(ErrorKind::InvalidResponse)),
        (500, "", Some(ErrorKind::Unavailable)),
    ] {
        let issuer = with("/revoke", status, "", body).await;
        let (call, client) = (scope(), client(Some("x")));
        let ended = issuer.provider.revoke(&call, &Secret::new("r-1"), TokenKind::Refresh, basic(&client)).await;
        assert_eq!(ended.err().map(|error| error.kind()), kind, "{status} {body}");
        let unknown = !(400..500).contains(&status);
        assert_eq!(call.recorder().outcome() == Outcome::Unknown, unknown, "{status}");
        assert_eq!(issuer.server.received().last().unwrap().body, "token=r-1&token_type_hint=refresh_token");
    }
}

#[tokio::test]
async fn missing_endpoint_is_unsupported() {
    let issuer = Issuer::start(Key::p256()).await;
    issuer.change_document(|document| {
        for name in ["userinfo_endpoint", "introspection_endpoint", "revocation_endpoint"] {
            document.as_object_mut().unwrap().remove(name);
        }
    });
    let (provider, client) = (&issuer.provider, client(None));
    let kinds = [
        provider.userinfo(&scope(), &token()).await.unwrap_err().kind(),
        provider.introspect(&scope(), &token(), basic(&client)).await.unwrap_err().kind(),
        provider.revoke(&scope(), &Secret::new("r"), TokenKind::Refresh, basic(&client)).await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::Unsupported; 3]);
}

#[tokio::test]
async fn rejected_code_means_right_secret() {
    for (status, body, verdict) in [
        (400, r#"{"error": "invalid_grant"}"#, Ok(SecretCheck::Right)),
        (401, r#"{"error": "invalid_client"}"#, Ok(SecretCheck::Wrong)),
        (400, r#"{"error": "invalid_client"}"#, Ok(SecretCheck::Wrong)),
        (401, r#"{"error": "unauthorized"}"#, Ok(SecretCheck::Wrong)),
        (401, "", Err(ErrorKind::InvalidResponse)),
        (403, "<html>no</html>", Err(ErrorKind::InvalidResponse)),
        (400, r#"{"error": "unauthorized_client"}"#, Ok(SecretCheck::Unknown)),
        (400, r#"{"error": "invalid_request"}"#, Ok(SecretCheck::Unknown)),
        (200, "{}", Ok(SecretCheck::Unknown)),
        (404, "", Err(ErrorKind::InvalidResponse)),
        (501, "", Err(ErrorKind::Unavailable)),
    ] {
        let issuer = with("/token", status, "", body).await;
        let (call, client) = (scope(), client(Some("x")));
        let asked = issuer.provider.check_secret(&call, basic(&client), "https://shop.example/cb").await;
        assert_eq!(asked.map_err(|error| error.kind()), verdict, "{status} {body}");
        assert_eq!(call.recorder().outcome(), Outcome::NotApplied);
        let sent = issuer.server.received().last().unwrap().body.clone();
        assert!(
            sent.starts_with("grant_type=authorization_code&code=")
                && sent.ends_with("redirect_uri=https%3A%2F%2Fshop.example%2Fcb")
        );
    }
}

#[tokio::test]
async fn logout_token_signature_is_checked() {
    let issuer = Issuer::start(Key::p256()).await;
    let settings = idp_bridge_core::FederationSettings {
        clients: vec![OauthClient { id: "shop".into(), secret: None }],
        ..Default::default()
    };
    let mut claims = issuer.claims();
    claims["aud"] = json!("shop");
    claims["events"] = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    let mut header = issuer.header();
    header["typ"] = json!("logout+jwt");
    let check = |key: &Key, header: &serde_json::Value| {
        let token = AccessToken::new(key.token(header, &claims)).unwrap();
        let (provider, settings) = (issuer.provider.clone(), settings.clone());
        async move { provider.check_logout_token(&scope(), &token, &settings).await }
    };
    assert!(check(&issuer.key, &header).await.is_ok());
    assert_eq!(check(&Key::p256(), &header).await.unwrap_err().kind(), ErrorKind::InvalidToken);
    for typ in [json!("JWT"), json!("at+jwt")] {
        header["typ"] = typ;
        assert_eq!(check(&issuer.key, &header).await.unwrap_err().kind(), ErrorKind::InvalidToken);
    }
    header.as_object_mut().unwrap().remove("typ");
    assert_eq!(check(&issuer.key, &header).await.unwrap_err().kind(), ErrorKind::InvalidToken);
}
