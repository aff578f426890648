//! Runs with synthetic recordings and a synthetic document.

use idp_bridge_conformance::TestResult;
use idp_bridge_connector_auth0_testing::contract::{Report, run};
use serde_json::{Value, json};

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

/// Runs with one recording and a document.
async fn run_on(recording: Option<&Value>, document: &Value) -> TestResult<Report> {
    let folder = tempfile::tempdir().unwrap();
    let (recorded, openapi) = (folder.path().join("recorded"), folder.path().join("openapi.json"));
    std::fs::create_dir(&recorded).unwrap();
    if let Some(recording) = recording {
        std::fs::write(recorded.join("recording.json"), recording.to_string()).unwrap();
    }
    std::fs::write(&openapi, document.to_string()).unwrap();
    run(&recorded, &openapi).await
}

async fn run_with(change: impl FnOnce(&mut Value, &mut Value)) -> TestResult<Report> {
    let (mut recording, mut document) = (recording(), document());
    change(&mut recording, &mut document);
    run_on(Some(&recording), &document).await
}

#[tokio::test]
async fn matching_exchanges_are_counted() {
    let report = run_with(|_, _| {}).await.unwrap();
    assert!(report.is_ok(), "{report}");
    assert_eq!((report.recorded(), report.accounted()), (1, 1));
    assert!(report.to_string().contains("GetUser"), "{report}");
}

#[tokio::test]
async fn every_mismatch_is_found() {
    type Change = fn(&mut Value, &mut Value);
    let table: &[(Change, &str)] = &[
        (|recording, _| recording["response"]["body"]["user_id"] = json!("none"), "should not have ended with"),
        (|recording, _| recording["response"]["body"] = json!(["user"]), "should not have ended with"),
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
    assert!(run_on(None, &document()).await.is_err());
    assert!(run_with(|_, document| *document = json!([])).await.is_err());
    assert!(run_with(|recording, _| *recording = json!({})).await.is_err());
}
