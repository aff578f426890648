//! Compares the responses of the fake's public endpoints with those of a real Keycloak 26.7.3, recorded in November 2026.

use idp_bridge_core::OutboundPolicy;
use idp_bridge_http::{BaseUrl, Client, Request, Response, header};
use serde_json::{Value, json};

use super::*;

/// A client that can send malformed requests.
struct RawClient {
    http: Client,
    realm: BaseUrl,
    secret: String,
}

impl RawClient {
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

    /// Returns the status and the reason of userinfo's response.
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

fn assert_response(response: &Response, status: u16, body: Value) {
    let own = response.json::<Value>().unwrap_or_default();
    assert_eq!((response.status.as_u16(), own), (status, body));
}

fn refused(description: &str) -> (u16, String) {
    (401, format!("error=\"invalid_token\", error_description=\"{description}\""))
}

#[tokio::test]
async fn userinfo_refuses_as_recorded() {
    let stage = Stage::new().await;
    let client = RawClient::new(&stage);
    let tokens = stage.log_in("spa", "openid").await;
    let bare = stage.log_in("spa", "profile").await;
    let light = stage.log_in("light", "openid").await;
    let token = tokens.access.expose();
    assert_eq!(client.userinfo(Some(token)).await.0, 200);
    assert_eq!(client.userinfo(None).await, (401, String::new()));
    for bad in ["garbage", tokens.id.as_ref().unwrap().expose(), tokens.refresh.as_ref().unwrap().expose()] {
        assert_eq!(client.userinfo(Some(bad)).await, refused("Token verification failed"));
    }
    let insufficient = "error=\"insufficient_scope\", error_description=\"Missing openid scope\"";
    assert_eq!(client.userinfo(Some(bare.access.expose())).await, (403, insufficient.to_owned()));
    let lightweight = "Lightweight access token not allowed for userinfo endpoint";
    assert_eq!(client.userinfo(Some(light.access.expose())).await, refused(lightweight));

    let identity = stage.identify(&light).await;
    let id = identity.subject;
    stage.harness.change_user(&id, json!({"enabled": false})).await.unwrap();
    assert_eq!(client.userinfo(Some(token)).await, refused("User disabled"));
    stage.harness.change_user(&id, json!({"enabled": true})).await.unwrap();
    assert_eq!(client.userinfo(Some(token)).await.0, 200);
    stage.harness.end_session(identity.session.unwrap().as_str()).await.unwrap();
    assert_eq!(client.userinfo(Some(light.access.expose())).await, refused("user_session_not_found"));
}

#[tokio::test]
async fn introspection_answers_as_recorded() {
    let stage = Stage::new().await;
    let client = RawClient::new(&stage);
    let tokens = stage.log_in("web", "openid").await;
    let token = ("token", tokens.access.expose());
    let path = "token/introspect";
    let claims: Value = client.post(path, "idp-bridge", &[token]).await.json().unwrap();
    for (claim, value) in [
        ("active", json!(true)),
        ("azp", json!("web")),
        ("client_id", json!("web")),
        ("typ", json!("Bearer")),
        ("token_type", json!("Bearer")),
        ("aud", json!("idp-bridge")),
    ] {
        assert_eq!(claims[claim], value, "{claim}");
    }
    // The token is inactive even for the client that it was issued to.
    assert_response(&client.post(path, "web", &[token]).await, 200, json!({"active": false}));
    let plain = stage.log_in("spa", "openid").await;
    assert_response(
        &client.post(path, "idp-bridge", &[("token", plain.access.expose())]).await,
        200,
        json!({"active": false}),
    );
    assert_response(&client.post(path, "idp-bridge", &[("token", "garbage")]).await, 200, json!({"active": false}));
    let failed = json!({"error": "invalid_client", "error_description": "Client authentication failed."});
    assert_response(&client.post(path, "nobody", &[token]).await, 401, failed);
    let public = json!({"error": "invalid_request", "error_description": "Client not allowed."});
    assert_response(&client.post(path, "spa", &[token]).await, 403, public);
    let missing = json!({"error": "invalid_request", "error_description": "Token not provided."});
    assert_response(&client.post(path, "idp-bridge", &[]).await, 400, missing);
}

#[tokio::test]
async fn logout_answers_as_recorded() {
    let stage = Stage::new().await;
    let client = RawClient::new(&stage);
    let (own, other) = (stage.log_in("web", "openid").await, stage.log_in("light", "openid").await);
    let refresh = |tokens: &Tokens| tokens.refresh.as_ref().unwrap().expose().to_owned();
    let invalid = |why: &str| json!({"error": "invalid_grant", "error_description": why});
    let other = client.post("logout", "web", &[("refresh_token", &refresh(&other))]).await;
    assert_response(&other, 400, invalid("Invalid refresh token. Token client and authorized client don't match"));
    for bad in ["garbage", own.access.expose()] {
        assert_response(
            &client.post("logout", "web", &[("refresh_token", bad)]).await,
            400,
            invalid("Invalid refresh token"),
        );
    }
    for _ in 0..2 {
        let answer = client.post("logout", "web", &[("refresh_token", &refresh(&own))]).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_ref()), (204, &b""[..]));
    }
    let again = [("grant_type", "refresh_token"), ("refresh_token", &refresh(&own))];
    assert_response(&client.post("token", "web", &again).await, 400, invalid("Session not active"));
    let code = [("grant_type", "authorization_code"), ("code", "made-up"), ("redirect_uri", "https://app.example/x")];
    assert_response(&client.post("token", "web", &code).await, 400, invalid("Code not valid"));
}
