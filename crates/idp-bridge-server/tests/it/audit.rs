//! The audit of writes: its lines, and the refusal of writes without it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use idp_bridge_connector_memory::sample_users;
use idp_bridge_core::{Error, ErrorKind, SystemClock};
use idp_bridge_server::{Audit, AuditSettings, AuditSync, verify_audit};
use serde_json::{Value, json};

use crate::bridge::{Bridge, limits, memory, platform_key, tenant, verifying};
use crate::scripted::Scripted;

fn open(file: &Path, required: bool) -> Audit {
    let settings = AuditSettings { file: Some(file.to_owned()), fsync: AuditSync::Never, required };
    Audit::open(&settings, Arc::new(SystemClock)).unwrap()
}

/// Returns the lines of calls.
fn calls(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.filter(|line: &Value| line["event"] != "start").collect()
}

#[tokio::test]
async fn write_is_recorded_before_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit");
    let audit = open(&file, true);
    let users = [tenant("acme", memory(sample_users()))];
    let bridge = Bridge::with_server(users, limits(), |server| server.with_audit(audit)).await;
    bridge.call("users.get_by_id", json!({"id": "u-1"})).await;
    let answer = bridge.call("users.delete", json!({"id": "u-1"})).await;
    let [line] = calls(&file).try_into().unwrap();
    for (member, value) in [
        ("event", json!("write")),
        ("request", json!(answer.header("x-request-id").unwrap())),
        ("tenant", json!("acme")),
        ("connector", json!("memory")),
        ("surface", json!("webhook")),
        ("key", json!(verifying(&platform_key()).id())),
        ("call", json!("users.delete")),
        ("code", json!("ok")),
        ("status", json!(200)),
        ("outcome", json!("applied")),
    ] {
        assert_eq!(line[member], value, "{member}: {line}");
    }
    assert_eq!(line["user"].as_str().unwrap().len(), 16);
    let email = json!({"email": "unknown@acme.example"});
    bridge.call("users.send_password_reset_email", email).await;
    let [_, reset] = calls(&file).try_into().unwrap();
    assert_eq!((&reset["code"], &reset["outcome"]), (&json!("user_not_found"), &json!("not_applied")));
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("u-1") && !text.contains("unknown@"), "{text}");
    let report = verify_audit([("audit".to_owned(), text.as_bytes())]).unwrap();
    assert_eq!((report.lines, report.broken), (3, None));
}

#[tokio::test]
async fn failed_write_is_recorded_with_its_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit");
    let provider = Scripted::new(|_, scope| async move {
        scope.recorder().begin_write();
        scope.recorder().set_status(503);
        Err(Error::upstream(ErrorKind::Unavailable, "as the test says"))
    });
    let audit = open(&file, true);
    let bridge = Bridge::with_server([tenant("acme", provider)], limits(), |server| server.with_audit(audit)).await;
    bridge.call("users.delete", json!({"id": "u-1"})).await;
    let [line] = calls(&file).try_into().unwrap();
    assert_eq!((&line["code"], &line["status"]), (&json!("upstream_unavailable"), &json!(503)));
    assert_eq!((&line["outcome"], &line["upstream_status"]), (&json!("unknown"), &json!(503)));
}

#[tokio::test]
async fn optional_audit_may_be_unwritable() {
    let audit = open(Path::new("/dev/full"), false);
    let users = [tenant("acme", memory(sample_users()))];
    let bridge = Bridge::with_server(users, limits(), |server| server.with_audit(audit)).await;
    assert_eq!(bridge.call("users.delete", json!({"id": "u-1"})).await.status, 200);
}
