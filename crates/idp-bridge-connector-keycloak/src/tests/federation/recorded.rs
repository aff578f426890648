//! The fake's OAuth side answers as the real Keycloak did: recorded on 26.7.3 in November 2026.

use idp_bridge_core::OutboundPolicy;
use idp_bridge_http::{BaseUrl, Client, Request, Response, header};
use serde_json::{Value, json};

use super::*;

/// A client that says what no careful one would.
struct Rude {
    http: Client,
    realm: BaseUrl,
    secret: String,
}

impl Rude {
    fn new(stage: &Stage) -> Self {
        let (policy, config) = (OutboundPolicy::default(), stage.harness.config());
        let realm = BaseUrl::parse(&format!("{}/realms/{}", config.url, config.realm), &policy).unwrap();
        Self { http: Client::new(&policy).unwrap(), realm, secret: config.client_secret.expose().to_owned() }
    }

    fn url(&self, path: &str) -> idp_bridge_http::Url {
        let path: Vec<&str> = ["protocol", "openid-connect"].into_iter().chain(path.split('/')).collect();
        self.realm.join(&path).unwrap()
    }

    async fn post(&self, path: &str, client: &str, form: &[(&str, &str)]) -> Response {
        let mut form = form.to_vec();
        form.extend([("client_id", client), ("client_secret", &self.secret)]);
        self.http.send(&scope(), Request::post(self.url(path)).form(&form)).await.unwrap()
    }

    /// Status and reason of userinfo's answer.
    async fn userinfo(&self, token: Option<&str>) -> (u16, String) {
        let mut request = Request::get(self.url("userinfo"));
        if let Some(token) = token {
            request = request.bearer(&idp_bridge_core::Secret::new(token)).unwrap();
        }
        let answer = self.http.send(&scope(), request).await.unwrap();
        assert!(answer.status.is_success() || answer.body.is_empty());
        let reason = answer.header(&header::WWW_AUTHENTICATE).unwrap_or_default();
        (answer.status.as_u16(), reason.split_once(", ").map_or("", |(_, reason)| reason).to_owned())
    }
}

fn is(answer: &Response, status: u16, body: Value) {
    let own = answer.json::<Value>().unwrap_or_default();
    assert_eq!((answer.status.as_u16(), own), (status, body));
}

fn refused(description: &str) -> (u16, String) {
    (401, format!("error=\"invalid_token\", error_description=\"{description}\""))
}

#[tokio::test]
async fn userinfo_refuses_as_recorded() {
    let stage = Stage::new().await;
    let rude = Rude::new(&stage);
    let tokens = stage.log_in("spa", "openid").await;
    let bare = stage.log_in("spa", "profile").await;
    let light = stage.log_in("light", "openid").await;
    let token = tokens.access.expose();
    assert_eq!(rude.userinfo(Some(token)).await.0, 200);
    assert_eq!(rude.userinfo(None).await, (401, String::new()));
    for bad in ["garbage", tokens.id.as_ref().unwrap().expose(), tokens.refresh.as_ref().unwrap().expose()] {
        assert_eq!(rude.userinfo(Some(bad)).await, refused("Token verification failed"));
    }
    let insufficient = "error=\"insufficient_scope\", error_description=\"Missing openid scope\"";
    assert_eq!(rude.userinfo(Some(bare.access.expose())).await, (403, insufficient.to_owned()));
    let lightweight = "Lightweight access token not allowed for userinfo endpoint";
    assert_eq!(rude.userinfo(Some(light.access.expose())).await, refused(lightweight));

    let identity = stage.identify(&light).await;
    let id = identity.subject;
    stage.harness.change_user(&id, json!({"enabled": false})).await.unwrap();
    assert_eq!(rude.userinfo(Some(token)).await, refused("User disabled"));
    stage.harness.change_user(&id, json!({"enabled": true})).await.unwrap();
    assert_eq!(rude.userinfo(Some(token)).await.0, 200);
    stage.harness.end_session(identity.session.unwrap().as_str()).await.unwrap();
    assert_eq!(rude.userinfo(Some(light.access.expose())).await, refused("user_session_not_found"));
}

#[tokio::test]
async fn introspection_answers_as_recorded() {
    let stage = Stage::new().await;
    let rude = Rude::new(&stage);
    let tokens = stage.log_in("web", "openid").await;
    let token = ("token", tokens.access.expose());
    let path = "token/introspect";
    let told: Value = rude.post(path, "idp-bridge", &[token]).await.json().unwrap();
    for (claim, value) in [
        ("active", json!(true)),
        ("azp", json!("web")),
        ("client_id", json!("web")),
        ("typ", json!("Bearer")),
        ("token_type", json!("Bearer")),
        ("aud", json!("idp-bridge")),
    ] {
        assert_eq!(told[claim], value, "{claim}");
    }
    // Not even the client that a token was issued to is told of it.
    is(&rude.post(path, "web", &[token]).await, 200, json!({"active": false}));
    let plain = stage.log_in("spa", "openid").await;
    is(&rude.post(path, "idp-bridge", &[("token", plain.access.expose())]).await, 200, json!({"active": false}));
    is(&rude.post(path, "idp-bridge", &[("token", "garbage")]).await, 200, json!({"active": false}));
    let failed = json!({"error": "invalid_client", "error_description": "Client authentication failed."});
    is(&rude.post(path, "nobody", &[token]).await, 401, failed);
    let public = json!({"error": "invalid_request", "error_description": "Client not allowed."});
    is(&rude.post(path, "spa", &[token]).await, 403, public);
    let missing = json!({"error": "invalid_request", "error_description": "Token not provided."});
    is(&rude.post(path, "idp-bridge", &[]).await, 400, missing);
}

#[tokio::test]
async fn a_logout_with_a_refresh_token_answers_as_recorded() {
    let stage = Stage::new().await;
    let rude = Rude::new(&stage);
    let (own, other) = (stage.log_in("web", "openid").await, stage.log_in("light", "openid").await);
    let refresh = |tokens: &Tokens| tokens.refresh.as_ref().unwrap().expose().to_owned();
    let invalid = |why: &str| json!({"error": "invalid_grant", "error_description": why});
    let other = rude.post("logout", "web", &[("refresh_token", &refresh(&other))]).await;
    is(&other, 400, invalid("Invalid refresh token. Token client and authorized client don't match"));
    for bad in ["garbage", own.access.expose()] {
        is(&rude.post("logout", "web", &[("refresh_token", bad)]).await, 400, invalid("Invalid refresh token"));
    }
    for _ in 0..2 {
        let answer = rude.post("logout", "web", &[("refresh_token", &refresh(&own))]).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_ref()), (204, &b""[..]));
    }
    let again = [("grant_type", "refresh_token"), ("refresh_token", &refresh(&own))];
    is(&rude.post("token", "web", &again).await, 400, invalid("Session not active"));
    let code = [("grant_type", "authorization_code"), ("code", "made-up"), ("redirect_uri", "https://app.example/x")];
    is(&rude.post("token", "web", &code).await, 400, invalid("Code not valid"));
}
