//! Compares the fake's responses with those of a real Keycloak 26.7.3, recorded in November 2026.

use idp_bridge_conformance::Tokens;
use idp_bridge_connector_keycloak_testing::fake::recorded;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::bench::Stage;

/// A client that can send malformed requests.
struct RawClient {
    http: Client,
    server: String,
    realm: String,
    secret: String,
    token: String,
}

impl RawClient {
    async fn new(stage: &Stage, client_id: &str) -> Self {
        let config = stage.harness.config();
        let http = Client::builder().no_proxy().build().unwrap();
        let secret = config.client_secret.unwrap().expose().to_owned();
        let mut client = Self { http, server: config.url, realm: config.realm, secret, token: String::new() };
        let answer = client.post("token", client_id, &[("grant_type", "client_credentials")]).await;
        client.token = answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned();
        client
    }

    fn endpoint(&self, path: &str) -> String {
        format!("{}/realms/{}/protocol/openid-connect/{path}", self.server, self.realm)
    }

    async fn form(&self, path: &str, form: &[(&str, &str)]) -> Response {
        self.http.post(self.endpoint(path)).form(form).send().await.unwrap()
    }

    /// Sends a form as this client.
    async fn post(&self, path: &str, client: &str, form: &[(&str, &str)]) -> Response {
        self.form(path, &[form, &[("client_id", client), ("client_secret", &self.secret)]].concat()).await
    }

    fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/admin/realms/{}/{path}", self.server, self.realm);
        self.http.request(method, url).bearer_auth(&self.token)
    }

    /// Sends an admin request with JSON.
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let request = self.admin(method, path);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        request.send().await.unwrap()
    }

    /// Returns the status and the reason of userinfo's response.
    async fn userinfo(&self, token: Option<&str>) -> (u16, String) {
        let mut request = self.http.get(self.endpoint("userinfo"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        assert!(status == 200 || answer.text().await.unwrap().is_empty());
        let challenge = challenge.unwrap_or_default();
        (status, challenge.split_once(", ").map_or("", |(_, reason)| reason).to_owned())
    }
}

async fn assert_response(response: Response, status: u16, body: Value) {
    let own = response.status().as_u16();
    let text = response.text().await.unwrap();
    let shown = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
    assert_eq!((own, shown), (status, body));
}

/// Checks that the response is the recorded one with this name.
async fn assert_recorded(response: Response, name: &str) {
    let recorded = recorded(name);
    assert_response(response, recorded.status, serde_json::from_slice(&recorded.body).unwrap()).await;
}

fn refused(description: &str) -> (u16, String) {
    (401, format!("error=\"invalid_token\", error_description=\"{description}\""))
}

#[tokio::test]
async fn token_endpoint_refuses_as_recorded() {
    let stage = Stage::new().await;
    let client = RawClient::new(&stage, "idp-bridge").await;
    let grant = ("grant_type", "client_credentials");
    for (client_id, secret, name) in [
        ("idp-bridge", "nope", "bad secret"),
        ("unknown", "nope", "unknown client"),
        ("application", "", "public client"),
    ] {
        let answer = client.form("token", &[grant, ("client_id", client_id), ("client_secret", secret)]).await;
        assert_recorded(answer, name).await;
    }
    assert_recorded(client.form("token", &[("client_id", "idp-bridge")]).await, "missing grant type").await;
    let code = [("grant_type", "authorization_code"), ("code", "made-up"), ("redirect_uri", "https://app.example/x")];
    assert_recorded(client.post("token", "web", &code).await, "code not valid").await;
    let elsewhere = RawClient { realm: "nope".into(), ..RawClient::new(&stage, "idp-bridge").await };
    assert_recorded(elsewhere.form("token", &[grant]).await, "realm unknown").await;
    assert_recorded(elsewhere.send(Method::GET, "users", None).await, "realm unknown to administrators").await;
    stage.harness.change_realm(json!({"enabled": false})).await.unwrap();
    assert_recorded(client.post("token", "idp-bridge", &[grant]).await, "realm disabled").await;
    stage.harness.remove().await.unwrap();
    // The token cannot be verified without the realm.
    assert_recorded(client.send(Method::GET, "users", None).await, "unauthorized").await;
}

#[tokio::test]
async fn users_are_refused_as_recorded() {
    let stage = Stage::new().await;
    let user = format!("users/{}", stage.create("ada", &["c-1"]).await.as_str());
    let client = RawClient::new(&stage, "idp-bridge").await;
    for path in ["users/nope", "users/a%2Fb", "users/..%5Cx"] {
        for method in [Method::GET, Method::DELETE] {
            assert_recorded(client.send(method, path, None).await, "user not found").await;
        }
    }
    let verified = Some(json!({"emailVerified": true}));
    assert_recorded(client.send(Method::PUT, "users/nope", verified).await, "user not found").await;
    for body in [json!([]), json!([{}]), json!("x"), json!(7)] {
        assert_recorded(client.send(Method::PUT, &user, Some(body)).await, "other type").await;
    }
    let unknown_field = client.send(Method::PUT, &user, Some(json!({"nosuch": 1}))).await;
    assert_eq!(unknown_field.status().as_u16(), 400);
    let why = "Invalid json representation for UserRepresentation. Unrecognized field \"nosuch\" at line 1 column";
    assert!(unknown_field.json::<Value>().await.unwrap()["error"].as_str().unwrap().starts_with(why));
    let form = client.admin(Method::PUT, &user).form(&[("a", "b")]);
    assert_recorded(form.send().await.unwrap(), "wrong content type").await;
    let email = client.send(Method::PUT, &user, Some(json!({"email": "not an email"}))).await;
    let params = json!(["email", "not an email"]);
    let body = json!({"field": "email", "errorMessage": "error-invalid-email", "params": params});
    assert_response(email, 400, body).await;
    assert_response(client.send(Method::GET, "users/count", None).await, 200, json!(1)).await;
}

#[tokio::test]
async fn full_update_clears_omitted_fields() {
    let stage = Stage::new().await;
    let user = format!("users/{}", stage.create("ada", &["c-1"]).await.as_str());
    let client = RawClient::new(&stage, "idp-bridge").await;
    assert_response(client.send(Method::PUT, &user, Some(json!({"attributes": {}}))).await, 204, Value::Null).await;
    let after: Value = client.send(Method::GET, &user, None).await.json().await.unwrap();
    assert_eq!((after.get("email"), after.get("attributes")), (None, None));
}

#[tokio::test]
async fn roles_grant_the_recorded_rights() {
    let stage = Stage::new().await;
    let user = format!("users/{}", stage.create("ada", &["c-1"]).await.as_str());
    for (client_id, get, lock, change, unknown) in [
        ("no-role", 403, 403, 403, 403),
        ("narrow", 403, 403, 403, 404),
        ("read-only", 200, 200, 403, 404),
        ("idp-bridge", 200, 200, 204, 404),
    ] {
        let client = RawClient::new(&stage, client_id).await;
        let verified = Some(json!({"emailVerified": true}));
        for (method, path, body, status) in [
            (Method::GET, user.as_str(), None, get),
            (Method::GET, "attack-detection/brute-force/users/unknown", None, lock),
            (Method::PUT, user.as_str(), verified, change),
            (Method::DELETE, "users/unknown", None, unknown),
        ] {
            let shown = format!("{client_id} {method} {path}");
            assert_eq!(client.send(method, path, body).await.status().as_u16(), status, "{shown}");
        }
    }
}

#[tokio::test]
async fn search_without_limit_is_refused() {
    let stage = Stage::new().await;
    let client = RawClient::new(&stage, "idp-bridge").await;
    let why = "the fake is stricter than Keycloak: a search needs a valid `exact`";
    assert_response(client.send(Method::GET, "users", None).await, 400, json!({"error": why})).await;
    for query in ["users?email=&exact=true&max=2", "users?emial=x&exact=true&max=2"] {
        assert_eq!(client.send(Method::GET, query, None).await.status().as_u16(), 400);
    }
}

#[tokio::test]
async fn userinfo_refuses_as_recorded() {
    let stage = Stage::new().await;
    let client = RawClient::new(&stage, "idp-bridge").await;
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
    let client = RawClient::new(&stage, "idp-bridge").await;
    let (tokens, plain) = (stage.log_in("web", "openid").await, stage.log_in("spa", "openid").await);
    let token = ("token", tokens.access.expose());
    let path = "token/introspect";
    let claims: Value = client.post(path, "idp-bridge", &[token]).await.json().await.unwrap();
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
    for (caller, token) in [("web", token.1), ("idp-bridge", plain.access.expose()), ("idp-bridge", "garbage")] {
        assert_response(client.post(path, caller, &[("token", token)]).await, 200, json!({"active": false})).await;
    }
    assert_recorded(client.post(path, "unknown", &[token]).await, "introspection unauthenticated").await;
    assert_recorded(client.post(path, "spa", &[token]).await, "introspection by public client").await;
    assert_recorded(client.post(path, "idp-bridge", &[]).await, "introspection without token").await;
}

#[tokio::test]
async fn logout_answers_as_recorded() {
    let stage = Stage::new().await;
    let client = RawClient::new(&stage, "idp-bridge").await;
    let (own, other) = (stage.log_in("web", "openid").await, stage.log_in("light", "openid").await);
    let refresh = |tokens: &Tokens| tokens.refresh.as_ref().unwrap().expose().to_owned();
    for (token, name) in [
        (refresh(&other).as_str(), "refresh token of another client"),
        ("garbage", "invalid refresh token"),
        (own.access.expose(), "invalid refresh token"),
    ] {
        assert_recorded(client.post("logout", "web", &[("refresh_token", token)]).await, name).await;
    }
    for _ in 0..2 {
        let answer = client.post("logout", "web", &[("refresh_token", &refresh(&own))]).await;
        assert_response(answer, 204, Value::Null).await;
    }
    let again = [("grant_type", "refresh_token"), ("refresh_token", &refresh(&own))];
    assert_recorded(client.post("token", "web", &again).await, "session not active").await;
}
