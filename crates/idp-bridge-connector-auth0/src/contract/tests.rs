//! Runs with synthetic recordings and a synthetic document.

use std::path::PathBuf;

use idp_bridge_core::{Random as _, SystemRandom};
use serde_json::{Value, json};

use super::*;

/// A temporary folder, deleted on drop.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("auth0-contract-{}", SystemRandom.word().unwrap()));
        std::fs::create_dir_all(folder.join("recorded")).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, value: &Value) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The recording of a read by id.
fn recording() -> Value {
    json!({
        "id": "get-user", "request": {
            "method": "GET", "path": "/api/v2/users/auth0%7C1", "query": null, "headers": {"authorization": "Bearer <token>"},
            "body": null,
        },
        "response": {
            "status": 200, "headers": {"content-type": "application/json; charset=utf-8"},
            "body": {"user_id": "auth0|1", "email": "ada@acme.example"},
        },
    })
}

/// A document that covers only this recording.
fn document() -> Value {
    json!({
        "paths": {"/api/v2/users/{id}": {"get": {"responses": {
            "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}}, "401": {}, "403": {}, "404": {},
        }}}},
        "components": {"schemas": {"User": {"type": "object", "required": ["user_id"], "properties": {
            "user_id": {"type": "string"}, "email": {"type": "string"}, "logins_count": {"type": "integer"},
        }}}},
    })
}

async fn run_with(change: impl FnOnce(&mut Value, &mut Value)) -> Staged<Report> {
    let (folder, mut recording, mut document) = (Folder::new(), recording(), document());
    change(&mut recording, &mut document);
    folder.write("recorded/get-user.json", &recording);
    let openapi = folder.write("openapi.json", &document);
    run(&folder.0.join("recorded"), &openapi).await
}

#[tokio::test]
async fn matching_exchanges_are_counted() {
    let report = run_with(|_, _| {}).await.unwrap();
    assert!(report.is_ok(), "{report}");
    assert_eq!((report.recorded(), report.accounted()), (1, 1));
    assert!(report.to_string().contains("get user"), "{report}");
}

#[tokio::test]
async fn every_mismatch_is_found() {
    type Change = fn(&mut Value, &mut Value);
    let table: &[(Change, &str)] = &[
        (|recording, _| recording["response"]["body"]["user_id"] = json!("none"), "cannot parse the response"),
        (|recording, _| recording["response"]["body"] = json!(["user"]), "cannot parse the response"),
        (|recording, _| recording["response"]["body"]["email"] = json!(7), "at `/email`"),
        (|_, document| document["components"]["schemas"]["User"]["required"] = json!(["shoe_size"]), "shoe_size"),
        (|_, document| document["components"] = json!({}), "the schema cannot be used"),
        (
            |_, document| document["paths"]["/api/v2/users/{id}"]["get"]["responses"] = json!({"200": {}}),
            "the status 404 is not documented",
        ),
        (
            |_, document| document["paths"] = json!({"/api/v2/users": {"get": {"responses": {"200": {}}}}}),
            "is not documented",
        ),
    ];
    for (number, (change, words)) in table.iter().enumerate() {
        let report = run_with(change).await.unwrap();
        assert!(!report.is_ok() && report.to_string().contains(words), "{number}: {report}");
    }
}

#[tokio::test]
async fn lists_of_connections_have_two_shapes() {
    let connection = json!({"name": "db", "strategy": "auth0"});
    for (query, body, is_ok) in [
        (None, json!([connection]), true),
        (Some("include_totals=true"), json!({"start": 0, "limit": 50, "total": 1, "connections": [connection]}), true),
        (Some("take=1"), json!({"next": "n", "connections": [connection]}), true),
        (Some("take=1"), json!({"next": "n"}), false),
        (None, json!([{"name": "db"}]), false),
    ] {
        let report = run_with(|recording, _| {
            recording["request"]["path"] = json!("/api/v2/connections");
            recording["request"]["query"] = json!(query);
            recording["response"]["body"] = body;
        });
        let report = report.await.unwrap();
        assert_eq!(report.is_ok(), is_ok, "{report}");
    }
}

#[tokio::test]
async fn responses_without_content_type_are_validated() {
    let report = run_with(|recording, _| recording["response"]["headers"] = json!({})).await.unwrap();
    assert!(report.is_ok(), "{report}");
    let wrong = |recording: &mut Value, _: &mut Value| {
        recording["response"]["headers"] = json!({});
        recording["response"]["body"]["email"] = json!(7);
    };
    let report = run_with(wrong).await.unwrap();
    assert!(report.to_string().contains("at `/email`"), "{report}");
}

#[tokio::test]
async fn missing_recordings_and_invalid_documents_are_errors() {
    let folder = Folder::new();
    let openapi = folder.write("openapi.json", &document());
    assert!(run(&folder.0.join("recorded"), &openapi).await.is_err());
    assert!(run_with(|_, document| *document = json!([])).await.is_err());
    assert!(run_with(|recording, _| *recording = json!({})).await.is_err());
}
