//! The requests of users who change themselves: `[stage.edit_self]`.

use std::sync::Arc;
use std::time::Duration;

use idp_bridge_connector_http::{Definition, StagedUser, Staging};
use idp_bridge_core::{CallScope, ErrorKind, Result};
use idp_bridge_test_http::{Server, answer};

const STAGE: &str = r#"
[stage]
create = { method = "POST", origin = "url", path = ["users"] }
id = "/id"
log_in = { method = "POST", origin = "public", auth = "none", path = ["login"], json = { email = "{email}", password = "{stage.password}" } }
[stage.edit_self]
token = "/token"
requests = [
  { method = "PATCH", origin = "url", auth = "none", path = ["users", "{id}"], json = { name = "{customer}" } },
  { method = "PATCH", origin = "url", auth = "none", path = ["users", "{id}"], json = { customer = "{customer}" } },
]
"#;

fn sample() -> String {
    include_str!("sample.toml").to_owned() + STAGE
}

/// Edits a user at a server that answers the two requests with these statuses, and each retry with the last. Returns the result and the server.
async fn edit(statuses: [u16; 2], login: &'static str) -> (Result<()>, Server) {
    let server = Server::start(move |number, _| match number {
        0 => answer(200, &[], login),
        _ => answer(statuses[(number - 1).min(1)], &[], "{}"),
    })
    .await;
    let config = crate::config(&server.base(), &server.base(), "s3cr3t");
    let staging = Staging::new(&Arc::new(Definition::parse(&sample()).unwrap()), &config, &crate::context()).unwrap();
    let (email, customer) = (Some("ada@acme.example"), Some("c-9"));
    let user = StagedUser { email, customer, password: "pw", ..StagedUser::default() };
    let result = staging.edit_self(&CallScope::new("r-1", Duration::from_secs(5)), "u-1", user).await;
    (result, server)
}

#[tokio::test]
async fn edits_have_the_token_of_the_user() {
    let (result, server) = edit([200, 400], r#"{"token":"t-1"}"#).await;
    result.unwrap();
    let [login, name, customer] = server.received().try_into().unwrap();
    assert_eq!(login.body, r#"{"email":"ada@acme.example","password":"pw"}"#);
    for (request, body) in [(name, r#"{"name":"c-9"}"#), (customer, r#"{"customer":"c-9"}"#)] {
        assert!(request.head.starts_with("PATCH /users/u-1 "), "{}", request.head);
        assert!(request.head.to_lowercase().contains("authorization: bearer t-1"), "{}", request.head);
        assert!(!request.head.contains("s3cr3t"), "{}", request.head);
        assert_eq!(request.body, body);
    }
}

#[tokio::test]
async fn only_some_edits_may_be_refused() {
    for (statuses, login, expected) in [
        ([403, 200], r#"{"token":"t-1"}"#, None),
        ([401, 404], r#"{"token":"t-1"}"#, Some(ErrorKind::PermissionDenied)),
        ([200, 500], r#"{"token":"t-1"}"#, Some(ErrorKind::Unavailable)),
        ([200, 429], r#"{"token":"t-1"}"#, Some(ErrorKind::RateLimited)),
        ([200, 200], r#"{"jwt":"t-1"}"#, Some(ErrorKind::InvalidResponse)),
    ] {
        let (result, _) = edit(statuses, login).await;
        assert_eq!(result.err().map(|error| error.kind()), expected, "{statuses:?}");
    }
}

#[test]
fn mistakes_are_located() {
    assert!(Definition::parse(&sample()).is_ok(), "{:?}", Definition::parse(&sample()).err());
    let (log_in, requests) = (STAGE.find("log_in").unwrap(), STAGE.find("requests").unwrap());
    let first = "origin = \"url\", auth = \"none\", path = [\"users\", \"{id}\"], json = { name";
    for (good, bad, part) in [
        (&STAGE[log_in..STAGE.find("[stage.edit_self]").unwrap()], "", "`stage.edit_self`: the user logs in first"),
        ("token = \"/token\"", "token = \"token\"", "`stage.edit_self.token`: a JSON pointer"),
        (&STAGE[requests..], "requests = []", "`stage.edit_self.requests`: add what"),
        (first, &first.replace("auth = \"none\", ", ""), "`stage.edit_self.requests.0.auth`: the request has"),
        ("{ name = \"{customer}\"", "{ name = \"{step.x}\"", "`stage.edit_self.requests.0.json`: `{step.x}`"),
    ] {
        assert!(STAGE.contains(good), "{good}");
        let problems = Definition::parse(&sample().replacen(good, bad, 1)).expect_err(part);
        assert!(problems.iter().any(|problem| problem.to_string().contains(part)), "{part}: {problems:?}");
    }
}
