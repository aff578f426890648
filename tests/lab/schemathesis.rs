//! Generated requests: schemathesis reads `/openapi.json`, sends requests that match it and requests that do not, and
//! compares the responses with it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::settings;
use crate::support::bridge::Bridge;

const TENANT: &str = "acme";
const KEY: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const TOKEN: &str = "writer-0123456789abcdef0123456789abcdef";
/// The configuration of a bridge with sample users in memory. Its token is [`TOKEN`].
const CONFIG: &str = r#"
[server]
shutdown_delay = "0s"
[tenants.acme]
webhook_keys_file = ["webhook"]
rest.tokens = [{ name = "writer", sha256 = "SHA256", scopes = ["users.read", "users.write"] }]
[tenants.acme.connector]
type = "memory"
users_file = "users.json"
"#;
const SHA256: &str = "9a5dd072cabfe42aebf8c97567a806c66b219fd029696398ec79576670891a8e";
const USERS: &str = include_str!("../../crates/idp-bridge-connector-memory/src/sample_users.json");
/// The operations that have to succeed at least once: the hooks sign and authenticate them.
const SUCCEEDING: [&str; 7] = [
    "POST /v1/tenants/{tenant}/webhook",
    "GET /v1/tenants/{tenant}/users/{id}",
    "DELETE /v1/tenants/{tenant}/users/{id}",
    "POST /v1/tenants/{tenant}/users:lookup",
    "POST /v1/tenants/{tenant}/users/{id}/mark-email-verified",
    "POST /v1/tenants/{tenant}/users/{id}/send-verification-email",
    "POST /v1/tenants/{tenant}/users:send-password-reset-email",
];

fn serve(folder: &Path) -> Bridge {
    for (name, text) in
        [("webhook", KEY), ("users.json", USERS), ("idp-bridge.toml", &CONFIG.replace("SHA256", SHA256))]
    {
        std::fs::write(folder.join(name), text).unwrap();
    }
    Bridge::serve(&folder.join("idp-bridge.toml"))
}

/// Runs schemathesis in a folder, and returns its report.
fn run(bridge: &Bridge, folder: &Path) -> Value {
    let program = settings::folder().join("schemathesis/bin/schemathesis");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/schemathesis");
    let report = folder.join("report.json");
    let mut command = Command::new(&program);
    command.current_dir(folder).arg("--no-color").arg("--config-file").arg(sources.join("schemathesis.toml"));
    command.arg("run").arg(format!("{}/openapi.json", bridge.url())).arg("--report-json-path").arg(&report);
    command.env("SCHEMATHESIS_HOOKS", sources.join("hooks.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("BRIDGE_TENANT", TENANT).env("BRIDGE_KEY", KEY).env("BRIDGE_TOKEN", TOKEN);
    let output = command.output().unwrap_or_else(|error| {
        panic!("no schemathesis ({}: {error}); run `cargo xtask test`, which installs it", program.display())
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap()
}

/// Returns the number of requests of an operation that were accepted.
fn count_accepted(report: &Value, operation: &str) -> u64 {
    let phases = report["valid_rates"][operation].as_object().into_iter().flat_map(|phases| phases.values());
    phases.filter_map(|phase| phase["accepted"].as_u64()).sum()
}

#[test]
fn generated_requests_match_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = serve(folder.path());
    let report = run(&bridge, folder.path());
    let tested = &report["operations"];
    assert_eq!((&tested["tested"], &tested["errored"]), (&tested["total"], &0.into()), "{report}");
    for operation in SUCCEEDING {
        let accepted = count_accepted(&report, operation);
        println!("{operation}: {accepted} accepted");
        assert!(accepted > 0, "{operation}: {report}");
    }
    println!("{} requests", report["test_cases"]["generated"]);
}
