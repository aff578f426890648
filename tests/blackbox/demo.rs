//! Tests of the demo and of the commands that it prints.

use std::process::Command;

use serde_json::Value;

use crate::support::bridge::Bridge;
use crate::support::http::Request;
use crate::support::program::{command, finish, run_in};

#[test]
fn printed_call_finds_the_user() {
    let bridge = Bridge::serve_demo();
    let line = bridge.wait_for_output(" call get-by-email ");
    let (_, arguments) = line.split_once(" call get-by-email ada@acme.example ").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let call = |command: &str| {
        let line = format!("call {command} {arguments} --json");
        run_in(folder.path(), line.split_whitespace()).with_code(0).json()
    };
    let user = call("get-by-email ada@acme.example");
    assert_eq!(user["user"]["email"], "ada@acme.example");
    assert_eq!(user["user"]["logins_count"], "42");
    let id = user["user"]["id"].as_str().unwrap();
    let customer = user["user"]["customer"].as_str().unwrap();
    assert_eq!(call(&format!("get-by-id {id}")), user);
    assert_eq!(call(&format!("get-by-customer {customer}")), user);
}

#[test]
fn printed_curl_command_works_in_a_shell() {
    let bridge = Bridge::serve_demo();
    let line = bridge.wait_for_output("  curl ");
    // A shell parses the line, and a function instead of curl prints the arguments.
    let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}\n{line}");
    let words = finish(Command::new("sh").arg("-c").arg(&script)).with_code(0).stdout;
    let words: Vec<&str> = words.lines().collect();
    let after = |option: &str| {
        let places = words.iter().enumerate().filter(move |(_, word)| **word == option);
        places.map(|(place, _)| words[place + 1]).collect::<Vec<_>>()
    };
    let url = words.iter().find(|word| word.starts_with("http://")).unwrap();
    let path = url.strip_prefix(&bridge.url()).unwrap();
    let request = after("-H").iter().fold(Request::new("POST", path), |request, header| {
        let (name, value) = header.split_once(": ").unwrap();
        request.header(name, value)
    });
    let reply = request.body(after("--data-raw")[0]).send(bridge.address());
    assert_eq!((reply.status, &reply.json()["user"]["id"]), (200, &Value::from("u-1")), "{reply:?}");
    // If curl is installed, the line runs unchanged.
    if let Ok(output) = Command::new("curl").arg("--version").output() {
        assert!(output.status.success());
        let answer = finish(Command::new("sh").arg("-c").arg(&line)).with_code(0);
        assert_eq!(answer.json()["user"]["id"], "u-1");
    }
}

#[test]
fn print_curl_quotes_special_characters() {
    let folder = tempfile::tempdir().unwrap();
    let keys = run_in(folder.path(), ["keys", "new", "--json"]).json();
    let options = ["--tenant", "acme", "--key", keys["platform"].as_str().unwrap(), "--print-curl"];
    let ran = run_in(folder.path(), [&["call", "get-by-email", "o'n`id`$HOME@acme.example"], &options[..]].concat());
    let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}\n{}", ran.with_code(0).stdout);
    let words = finish(Command::new("sh").arg("-c").arg(&script)).with_code(0).stdout;
    assert!(words.contains("o'n`id`$HOME@acme.example"), "{words}");
}

#[test]
fn demo_listens_on_loopback_only() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_in(folder.path(), ["serve", "--listen", "0.0.0.0:0"]).with_code(2);
    assert!(ran.stderr.contains("loopback only"), "{ran:?}");
}

#[test]
fn demo_is_announced_in_log_and_readiness() {
    let bridge = Bridge::serve_demo();
    let ready = Request::get("/readyz").send(bridge.address());
    assert_eq!((ready.status, ready.json()), (200, serde_json::json!({"status": "ready", "demo": true})));
    let line = bridge.wait_for_log("this is a demo");
    assert!(line.contains("\"level\":\"WARN\""), "{line}");
    let printed = bridge.wait_for_output("--key ");
    let (_, key) = printed.split_once("--key ").unwrap();
    let log = bridge.log().join("\n");
    assert!(key.starts_with("whsk_") && !log.contains(key.trim()) && !log.contains("whsk_"), "{log}");
    let configured = crate::fixture::Configured::with_tenant_keys("").serve();
    let ready = Request::get("/readyz").send(configured.address());
    assert_eq!(ready.json(), serde_json::json!({"status": "ready"}));
}

#[test]
fn environment_variable_selects_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let ran = finish(command(folder.path()).arg("serve").env("IDP_BRIDGE_CONFIG", "/nowhere.toml")).with_code(2);
    assert!(ran.stderr.contains("/nowhere.toml"), "{ran:?}");
}
