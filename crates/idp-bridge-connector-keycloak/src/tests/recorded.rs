//! The fake answers as the real Keycloak did: status and body of requests recorded on 26.7.3 in November 2026.

use idp_bridge_core::OutboundPolicy;
use idp_bridge_http::{BaseUrl, Client, Request, Response};
use serde_json::{Value, json};

use super::{Stage, scope};

/// A client that says what no careful one would.
struct Rude {
    http: Client,
    base: BaseUrl,
    realm: String,
    token: String,
}

impl Rude {
    async fn new(stage: &Stage, client: &str) -> Self {
        let (policy, config) = (OutboundPolicy::default(), stage.harness.config());
        let http = Client::new(&policy).unwrap();
        let base = BaseUrl::parse(&config.url, &policy).unwrap();
        let mut rude = Self { http, base, realm: config.realm, token: String::new() };
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", config.client_secret.expose()),
        ];
        let answer = rude.token(&form).await;
        rude.token = answer.json::<Value>().unwrap()["access_token"].as_str().unwrap().to_owned();
        rude
    }

    async fn token(&self, form: &[(&str, &str)]) -> Response {
        let url = self.base.join(&["realms", &self.realm, "protocol", "openid-connect", "token"]).unwrap();
        self.http.send(&scope(), Request::post(url).reading().form(form)).await.unwrap()
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

fn is(answer: &Response, status: u16, body: Value) {
    let text = answer.text().unwrap();
    let own = if text.is_empty() { Value::Null } else { serde_json::from_str(text).unwrap() };
    assert_eq!((answer.status.as_u16(), own), (status, body));
}

#[tokio::test]
async fn the_token_endpoint_refuses_as_recorded() {
    let stage = Stage::new().await;
    let rude = Rude::new(&stage, "idp-bridge").await;
    let grant = ("grant_type", "client_credentials");
    let invalid = "Invalid client or Invalid client credentials";
    let wrong = rude.token(&[grant, ("client_id", "idp-bridge"), ("client_secret", "nope")]).await;
    is(&wrong, 401, json!({"error": "unauthorized_client", "error_description": invalid}));
    let unknown = rude.token(&[grant, ("client_id", "nobody"), ("client_secret", "nope")]).await;
    is(&unknown, 401, json!({"error": "invalid_client", "error_description": invalid}));
    let no_account = rude.token(&[grant, ("client_id", "application")]).await;
    let why = "Public client not allowed to retrieve service account";
    is(&no_account, 401, json!({"error": "unauthorized_client", "error_description": why}));
    let missing = rude.token(&[("client_id", "idp-bridge"), ("client_secret", "x")]).await;
    let why = "Missing form parameter: grant_type";
    is(&missing, 400, json!({"error": "invalid_request", "error_description": why}));
    let elsewhere = Rude { realm: "nope".into(), ..Rude::new(&stage, "idp-bridge").await };
    is(&elsewhere.token(&[grant]).await, 404, json!({"error": "Realm does not exist"}));
    is(&elsewhere.send(Request::get, &["users"], None).await, 404, json!({"error": "Realm not found."}));
    stage.harness.change_realm(json!({"enabled": false})).await.unwrap();
    let disabled = rude.token(&[grant, ("client_id", "idp-bridge"), ("client_secret", "x")]).await;
    is(&disabled, 403, json!({"error": "access_denied", "error_description": "Realm not enabled"}));
    stage.harness.remove().await.unwrap();
    // Nobody can verify a token of a realm that is gone.
    is(&rude.send(Request::get, &["users"], None).await, 401, json!({"error": "HTTP 401 Unauthorized"}));
}

#[tokio::test]
async fn users_are_refused_as_recorded() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    let user = ["users", id.as_str()];
    let rude = Rude::new(&stage, "idp-bridge").await;
    let not_found = json!({"error": "User not found"});
    for path in [["users", "nope"], ["users", "a/b"], ["users", "..\\x"]] {
        is(&rude.send(Request::get, &path, None).await, 404, not_found.clone());
        is(&rude.send(Request::delete, &path, None).await, 404, not_found.clone());
    }
    is(&rude.send(Request::put, &["users", "nope"], Some(json!({"emailVerified": true}))).await, 404, not_found);
    let unknown_field = rude.send(Request::put, &user, Some(json!({"nosuch": 1}))).await;
    let why = "Invalid json representation for UserRepresentation. Unrecognized field \"nosuch\" at line 1 column";
    assert_eq!(unknown_field.status.as_u16(), 400);
    for body in [json!([]), json!([{}]), json!("x"), json!(7)] {
        let refused = rude.send(Request::put, &user, Some(body)).await;
        is(&refused, 400, json!({"error": "unknown_error", "error_description": "Cannot parse the JSON"}));
    }
    assert!(unknown_field.json::<Value>().unwrap()["error"].as_str().unwrap().starts_with(why));
    let no_type = rude.send(|url| Request::put(url).form(&[]), &user, None).await;
    is(&no_type, 415, json!({"error": "The content-type header value did not match the value in @Consumes"}));
    let email = rude.send(Request::put, &user, Some(json!({"email": "not an email"}))).await;
    let params = json!(["email", "not an email"]);
    is(&email, 400, json!({"field": "email", "errorMessage": "error-invalid-email", "params": params}));
    is(&rude.send(Request::get, &["users", "count"], None).await, 200, json!(1));
}

#[tokio::test]
async fn a_full_update_wipes_what_it_leaves_out_as_recorded() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    let rude = Rude::new(&stage, "idp-bridge").await;
    let path = ["users", id.as_str()];
    is(&rude.send(Request::put, &path, Some(json!({"attributes": {}}))).await, 204, Value::Null);
    let after: Value = rude.send(Request::get, &path, None).await.json().unwrap();
    assert_eq!((after.get("email"), after.get("attributes")), (None, None));
}

#[tokio::test]
async fn roles_open_what_they_opened() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    let lock = ["attack-detection", "brute-force", "users", "nobody"];
    for (client, get, lock_status, change, unknown) in [
        ("no-role", 403, 403, 403, 403),
        ("narrow", 403, 403, 403, 404),
        ("read-only", 200, 200, 403, 404),
        ("idp-bridge", 200, 200, 204, 404),
    ] {
        let rude = Rude::new(&stage, client).await;
        let status = async |request, path: &[&str], body| rude.send(request, path, body).await.status.as_u16();
        assert_eq!(status(Request::get, &["users", id.as_str()], None).await, get, "{client}");
        assert_eq!(status(Request::get, &lock, None).await, lock_status, "{client}");
        let verified = Some(json!({"emailVerified": true}));
        assert_eq!(status(Request::put, &["users", id.as_str()], verified).await, change, "{client}");
        assert_eq!(status(Request::delete, &["users", "nobody"], None).await, unknown, "{client}");
    }
}

#[tokio::test]
async fn a_careless_search_is_refused() {
    let stage = Stage::new().await;
    let rude = Rude::new(&stage, "idp-bridge").await;
    is(
        &rude.send(Request::get, &["users"], None).await,
        400,
        json!({"error": "the fake is stricter than Keycloak: a search says whether it is exact"}),
    );
    let empty = |url| Request::get(url).query(&[("email", ""), ("exact", "true"), ("max", "2")]);
    assert_eq!(rude.send(empty, &["users"], None).await.status.as_u16(), 400);
    let unknown = |url| Request::get(url).query(&[("emial", "x"), ("exact", "true"), ("max", "2")]);
    assert_eq!(rude.send(unknown, &["users"], None).await.status.as_u16(), 400);
}
