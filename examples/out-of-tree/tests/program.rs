//! Tests of the built program with the connector in it.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rolodex-bridge")).args(arguments).output().unwrap()
}

#[test]
fn the_connector_is_listed_with_its_settings() {
    let output = run(&["connectors", "--json"]);
    let connectors: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(connectors[0]["type"], "rolodex");
    assert!(connectors[0]["schema"]["properties"]["api_key"].is_object(), "{connectors}");
}

#[test]
fn the_configuration_of_the_page_is_valid() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("configured");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    assert!(run(&["keys", "new", "--out", &at("keys")]).status.success());
    let key = std::fs::read_to_string(at("keys/bridge.key")).unwrap();
    let page = include_str!("../rolodex.md");
    let (configuration, _) = page.split_once("```toml\n").unwrap().1.split_once("```").unwrap();
    let filled = configuration.replace("whpk_…", key.trim()).replace("\"…\"", "\"the-key\"");
    std::fs::write(at("idp-bridge.toml"), &filled).unwrap();
    let output = run(&["check", "--config", &at("idp-bridge.toml")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
