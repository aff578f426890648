//! Tests of the built program with the connector in it.

use std::process::{Command, Output};

fn bridge(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_rolodex-bridge"));
    program.args(arguments).env("IDP_BRIDGE_SECRET_ROLODEX", "any").output().unwrap()
}

#[test]
fn the_connector_is_listed_with_its_settings() {
    let output = bridge(&["connectors", "--json"]);
    let connectors: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(connectors[0]["type"], "rolodex");
    assert!(connectors[0]["schema"]["properties"]["key"].is_object(), "{connectors}");
}

#[test]
fn check_accepts_the_example_configuration() {
    // The configuration refers to keys in the folder beside it.
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("configured");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("idp-bridge.toml"), include_str!("../idp-bridge.toml")).unwrap();
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    assert!(bridge(&["keys", "new", "--out", &at("keys")]).status.success());
    let output = bridge(&["check", "--config", &at("idp-bridge.toml")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
