//! The session end of a definition: a request with the credential of the definition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use idp_bridge_connector_http::{Definition, Http};
use idp_bridge_core::{
    AccessToken, CallScope, ConnectorContext, ErrorKind, FederationSettings, IdentityProvider, LoggedOut, Logout,
    OauthClient,
};
use idp_bridge_test_http::{Received, Server, answer};
use serde_json::json;

const FEDERATION: &str = r#"
[federation]
origin = "url"
client_id = "title"
client_secret = "key"
session_claim = "sid"
end_session = { method = "DELETE", origin = "url", path = ["sessions", "{session}"], success = [204] }
"#;

/// Returns the answer of a product in which a deleted session ends its tokens, if `works`.
fn respond(request: &Received, has_ended: &AtomicBool, works: bool) -> Option<(u16, String)> {
    let host = request.head.lines().find_map(|line| line.to_lowercase().strip_prefix("host: ").map(str::to_owned))?;
    let target = request.head.split(' ').nth(1)?;
    Some(match target {
        "/.well-known/openid-configuration" => (200, crate::discovery(&format!("http://{host}"))),
        "/introspect" if has_ended.load(Ordering::SeqCst) => (200, r#"{"active":false}"#.to_owned()),
        "/introspect" => {
            let claims = json!({
                "active": true, "sub": "u-1", "client_id": "shop", "token_type": "Bearer", "sid": "s/1", "customer_id": "c-1",
                "email": "ada@acme.example",
            });
            (200, claims.to_string())
        }
        "/sessions/s%2f1" | "/sessions/s%2F1" => {
            has_ended.store(works, Ordering::SeqCst);
            (204, String::new())
        }
        _ => (404, "{}".to_owned()),
    })
}

/// Logs the only login out. Returns how it ended, and the requests.
async fn log_out(works: bool) -> (Result<LoggedOut, ErrorKind>, Vec<Received>) {
    let has_ended = AtomicBool::new(false);
    let server = Server::start(move |_, request| {
        let (status, body) = respond(request, &has_ended, works).unwrap();
        answer(status, &[], &body)
    })
    .await;
    let text = include_str!("sample.toml").replace("[user]", &format!("{FEDERATION}\n[user]"));
    let config = crate::config(&server.base(), &server.base(), "s3cr3t");
    let clients = vec![OauthClient { id: "shop".to_owned(), secret: None }];
    let federation = Some(FederationSettings { clients, ..FederationSettings::default() });
    let context = ConnectorContext { federation, ..crate::context() };
    let definition = Arc::new(Definition::parse(&text).unwrap());
    let provider = Http::with_definition(&definition, &config, &context).unwrap();
    let (federation, scope) = (provider.federation().unwrap(), CallScope::new("r-1", Duration::from_secs(5)));
    let token = AccessToken::new("opaque").unwrap();
    let user = federation.validate(&scope, &token).await.unwrap();
    assert_eq!(user.identity.session.as_ref().unwrap().as_str(), "s/1");
    let logout = Logout { token: &token, identity: Some(&user.identity), refresh_token: None, id_token_hint: None };
    let ended = federation.log_out(&scope, &logout).await.map_err(|error| error.kind());
    (ended, server.received())
}

#[tokio::test]
async fn a_logout_ends_the_session() {
    let (ended, received) = log_out(true).await;
    assert_eq!(ended, Ok(LoggedOut::Session));
    let end = received.iter().find(|request| request.head.starts_with("DELETE ")).unwrap();
    assert!(end.head.contains("x-api-key: SSWS s3cr3t"), "{}", end.head);
}

#[tokio::test]
async fn an_active_token_after_the_logout_fails() {
    assert_eq!(log_out(false).await.0, Err(ErrorKind::Unavailable));
}

#[test]
fn federation_is_declared_only_if_it_is_on() {
    let text = include_str!("sample.toml").replace("[user]", &format!("{FEDERATION}\n[user]"));
    assert!(Definition::parse(&text).unwrap().capabilities().federation().is_some());
    assert!(Definition::parse(include_str!("sample.toml")).unwrap().capabilities().federation().is_none());
}
