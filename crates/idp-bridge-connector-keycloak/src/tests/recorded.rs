//! Compares the fake's responses with those of a real Keycloak 26.7.3, recorded in November 2026.

use idp_bridge_core::OutboundPolicy;
use idp_bridge_http::{BaseUrl, Client, Request, Response};
use serde_json::{Value, json};

use super::{Stage, scope};

/// A client that can send malformed requests.
struct RawClient {
    http: Client,
    base: BaseUrl,
    realm: String,
    token: String,
}

impl RawClient {
    async fn new(stage: &Stage, client_id: &str) -> Self {
        let (policy, config) = (OutboundPolicy::default(), stage.harness.config());
        let http = Client::new(&policy).unwrap();
        let base = BaseUrl::parse(&config.url, &policy).unwrap();
        let mut client = Self { http, base, realm: config.realm, token: String::new() };
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", config.client_secret.expose()),
        ];
        let answer = client.token(&form).await;
        client.token = answer.json::<Value>().unwrap()["access_token"].as_str().unwrap().to_owned();
        client
    }

    async fn token(&self, form: &[(&str, &str)]) -> Response {
        let url = self.base.join(&["realms", &self.realm, "protocol", "openid-connect", "token"]).unwrap();
        self.http.send(&scope(), Request::post(url).read_only().form(form)).await.unwrap()
    }

    async fn send(&self, request: fn(idp_bridge_http::Url) -> Request, path: &[&str], body: Option<Value>) -> Response {
        let url = self.base.join(&[&["admin", "realms", self.realm.as_str()], path].concat()).unwrap();
        let mut request = request(url);
        if let Some(body) = body {
            request = request.json(&body).unwrap();
        }
        let request = request.bearer(&idp_bridge_core::Secret::new(self.token.as_str())).unwrap();
        self.http.send(&scope(), request).await.unwrap()
    }
}

fn assert_response(response: &Response, status: u16, body: Value) {
    let text = response.text().unwrap();
    let own = if text.is_empty() { Value::Null } else { serde_json::from_str(text).unwrap() };
    assert_eq!((response.status.as_u16(), own), (status, body));
}

#[tokio::test]
async fn token_endpoint_refuses_as_recorded() {
    let stage = Stage::new().await;
    let client = RawClient::new(&stage, "idp-bridge").await;
    let grant = ("grant_type", "client_credentials");
    let invalid = "Invalid client or Invalid client credentials";
    let wrong = client.token(&[grant, ("client_id", "idp-bridge"), ("client_secret", "nope")]).await;
    assert_response(&wrong, 401, json!({"error": "unauthorized_client", "error_description": invalid}));
    let unknown = client.token(&[grant, ("client_id", "nobody"), ("client_secret", "nope")]).await;
    assert_response(&unknown, 401, json!({"error": "invalid_client", "error_description": invalid}));
    let no_account = client.token(&[grant, ("client_id", "application")]).await;
    let why = "Public client not allowed to retrieve service account";
    assert_response(&no_account, 401, json!({"error": "unauthorized_client", "error_description": why}));
    let missing = client.token(&[("client_id", "idp-bridge"), ("client_secret", "x")]).await;
    let why = "Missing form parameter: grant_type";
    assert_response(&missing, 400, json!({"error": "invalid_request", "error_description": why}));
    let elsewhere = RawClient { realm: "nope".into(), ..RawClient::new(&stage, "idp-bridge").await };
    assert_response(&elsewhere.token(&[grant]).await, 404, json!({"error": "Realm does not exist"}));
    assert_response(&elsewhere.send(Request::get, &["users"], None).await, 404, json!({"error": "Realm not found."}));
    stage.harness.change_realm(json!({"enabled": false})).await.unwrap();
    let disabled = client.token(&[grant, ("client_id", "idp-bridge"), ("client_secret", "x")]).await;
    assert_response(&disabled, 403, json!({"error": "access_denied", "error_description": "Realm not enabled"}));
    stage.harness.remove().await.unwrap();
    // The token cannot be verified without the realm.
    assert_response(&client.send(Request::get, &["users"], None).await, 401, json!({"error": "HTTP 401 Unauthorized"}));
}

#[tokio::test]
async fn users_are_refused_as_recorded() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    let user = ["users", id.as_str()];
    let client = RawClient::new(&stage, "idp-bridge").await;
    let not_found = json!({"error": "User not found"});
    for path in [["users", "nope"], ["users", "a/b"], ["users", "..\\x"]] {
        assert_response(&client.send(Request::get, &path, None).await, 404, not_found.clone());
        assert_response(&client.send(Request::delete, &path, None).await, 404, not_found.clone());
    }
    assert_response(
        &client.send(Request::put, &["users", "nope"], Some(json!({"emailVerified": true}))).await,
        404,
        not_found,
    );
    let unknown_field = client.send(Request::put, &user, Some(json!({"nosuch": 1}))).await;
    let why = "Invalid json representation for UserRepresentation. Unrecognized field \"nosuch\" at line 1 column";
    assert_eq!(unknown_field.status.as_u16(), 400);
    for body in [json!([]), json!([{}]), json!("x"), json!(7)] {
        let refused = client.send(Request::put, &user, Some(body)).await;
        assert_response(&refused, 400, json!({"error": "unknown_error", "error_description": "Cannot parse the JSON"}));
    }
    assert!(unknown_field.json::<Value>().unwrap()["error"].as_str().unwrap().starts_with(why));
    let no_type = client.send(|url| Request::put(url).form(&[]), &user, None).await;
    assert_response(
        &no_type,
        415,
        json!({"error": "The content-type header value did not match the value in @Consumes"}),
    );
    let email = client.send(Request::put, &user, Some(json!({"email": "not an email"}))).await;
    let params = json!(["email", "not an email"]);
    assert_response(&email, 400, json!({"field": "email", "errorMessage": "error-invalid-email", "params": params}));
    assert_response(&client.send(Request::get, &["users", "count"], None).await, 200, json!(1));
}

#[tokio::test]
async fn full_update_clears_omitted_fields() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    let client = RawClient::new(&stage, "idp-bridge").await;
    let path = ["users", id.as_str()];
    assert_response(&client.send(Request::put, &path, Some(json!({"attributes": {}}))).await, 204, Value::Null);
    let after: Value = client.send(Request::get, &path, None).await.json().unwrap();
    assert_eq!((after.get("email"), after.get("attributes")), (None, None));
}

#[tokio::test]
async fn roles_grant_the_recorded_rights() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    let lock = ["attack-detection", "brute-force", "users", "nobody"];
    for (client_id, get, lock_status, change, unknown) in [
        ("no-role", 403, 403, 403, 403),
        ("narrow", 403, 403, 403, 404),
        ("read-only", 200, 200, 403, 404),
        ("idp-bridge", 200, 200, 204, 404),
    ] {
        let client = RawClient::new(&stage, client_id).await;
        let status = async |request, path: &[&str], body| client.send(request, path, body).await.status.as_u16();
        assert_eq!(status(Request::get, &["users", id.as_str()], None).await, get, "{client_id}");
        assert_eq!(status(Request::get, &lock, None).await, lock_status, "{client_id}");
        let verified = Some(json!({"emailVerified": true}));
        assert_eq!(status(Request::put, &["users", id.as_str()], verified).await, change, "{client_id}");
        assert_eq!(status(Request::delete, &["users", "nobody"], None).await, unknown, "{client_id}");
    }
}

#[tokio::test]
async fn search_without_limit_is_refused() {
    let stage = Stage::new().await;
    let client = RawClient::new(&stage, "idp-bridge").await;
    assert_response(
        &client.send(Request::get, &["users"], None).await,
        400,
        json!({"error": "the fake is stricter than Keycloak: a search needs a valid `exact`"}),
    );
    let empty = |url| Request::get(url).query(&[("email", ""), ("exact", "true"), ("max", "2")]);
    assert_eq!(client.send(empty, &["users"], None).await.status.as_u16(), 400);
    let unknown = |url| Request::get(url).query(&[("emial", "x"), ("exact", "true"), ("max", "2")]);
    assert_eq!(client.send(unknown, &["users"], None).await.status.as_u16(), 400);
}
