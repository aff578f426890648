//! The other commands, as a person or a script runs them.

use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::fixture::{Configured, KEY};
use crate::support::program::{command, run, run_in};

#[test]
fn users_go_straight_through_the_connector() {
    let configured = Configured::with("");
    let ask = |line: &str| run_in(configured.folder(), line.split_whitespace());
    let user = ask("users get-by-email ada@acme.example --json").with_code(0).json();
    assert_eq!((&user["user"]["tenant"], &user["user"]["id"]), (&"acme".into(), &"u-1".into()));
    let shown = ask("users get-by-id u-1 --tenant acme").with_code(0).stdout;
    assert!(shown.starts_with("tenant          acme\nid              u-1\ncustomer        cust-1\n"), "{shown}");
    assert!(ask("users delete u-1").with_code(0).stdout.contains("deleted"));
    assert!(ask("users get-by-id u-9").with_code(1).stderr.contains("no such user"));
    assert_eq!(ask("users get-by-id u-9 --json").with_code(1).json()["kind"], "NotFound");
    let ran = ask("users send-password-reset-email nobody@acme.example").with_code(0);
    assert!(ran.stderr.contains("no mail was sent"), "{ran:?}");
    assert!(ask("users get-by-id u-1 --tenant acne").with_code(2).stderr.contains("did you mean `acme`"));
    assert!(ask("users get-by-email nobody").with_code(2).stderr.contains("has no `@`"));
}

#[test]
fn a_call_says_why_there_is_no_answer() {
    let configured = Configured::with("");
    let bridge = configured.serve();
    let ask = |line: &str, key: &str| {
        let line = format!("call {line} --tenant acme {key} --url {}", bridge.url());
        run_in(configured.folder(), line.split_whitespace())
    };
    let right = format!("--key {KEY}");
    assert!(ask("get-by-id u-1", "--key-file webhook").with_code(0).stdout.contains("ada@acme.example"));
    assert!(ask("ping", &right).with_code(0).stdout.contains("connector memory"));
    let ran = ask("get-by-id u-9", &right).with_code(1);
    assert!(ran.stderr.contains("User not found (status 404, code `user_not_found`); request "), "{ran:?}");
    assert_eq!(ask("get-by-id u-9 --json", &right).with_code(1).json()["code"], "user_not_found");
    let ran = ask("get-by-id u-5", &right).with_code(1);
    assert!(ran.stderr.contains("`customer`"), "{ran:?}");
    let keys = run("keys new --json").json();
    let other = format!("--key {}", keys["platform"].as_str().unwrap());
    assert!(ask("ping", &other).with_code(1).stderr.contains("the other half of this key"));
    let public = format!("--key {}", keys["bridge"].as_str().unwrap());
    let ran = ask("ping", &public).with_code(2);
    assert!(ran.stderr.contains("sign with the platform's") && !ran.stderr.contains("whpk_1"), "{ran:?}");
    for (line, key) in
        [("ping", ""), ("ping", "--key-file nothing"), ("ping", "--key-env NOT_SET"), ("frobnicate", &*right)]
    {
        ask(line, key).with_code(2);
    }
    let twice = format!("delete u-2 --id msg_twice {right}");
    assert!(ask(&twice, "").with_code(0).stdout.contains("deleted"));
    assert!(ask(&twice, "").with_code(0).stdout.contains("deleted"), "the answer is repeated");
}

#[test]
fn a_call_to_nobody_ends_with_a_hint() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = run(&format!("call ping --tenant acme --key {KEY} --url http://{closed}")).with_code(1);
    assert!(ran.stderr.contains("cannot be reached") && ran.stderr.contains("does a bridge listen"), "{ran:?}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let ran = run(&format!("call ping --tenant acme --key {KEY} --url http://{address} --timeout 200ms")).with_code(1);
    assert!(ran.stderr.contains("no answer in time"), "{ran:?}");
    let ran = run(&format!("call ping --tenant acme --key {KEY} --url ftp://x")).with_code(2);
    assert!(ran.stderr.contains("https://bridge.acme.example"), "{ran:?}");
}

#[test]
fn doctor_against_nothing_says_that_nothing_is_there() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tenants: String = (0..3)
        .map(|number| {
            format!(
                "[tenants.t{number}]\nwebhook_keys = [\"whpk_OzHzv9dJQOjJf0cyLa6rPQCJhfbThuf70Bc1z9fVDQA=\"]\n\
                 [tenants.t{number}.connector]\ntype = \"keycloak\"\nurl = \"http://{closed}\"\nrealm = \"r\"\nclient_id = \"c\"\n\
                 client_secret = \"hunter2\"\n"
            )
        })
        .collect();
    let configured = Configured::of(&tenants);
    let ran = run_in(configured.folder(), ["doctor", "--timeout", "2s"]).with_code(1);
    assert_eq!(ran.stdout.matches("FAILED       ").count(), 3, "{ran:?}");
    assert!(ran.stdout.contains("fix: ") && !ran.stdout.contains("hunter2"), "{ran:?}");
    let json = run_in(configured.folder(), ["doctor", "t1", "--json", "--timeout", "2s"]).with_code(1).json();
    assert_eq!((&json[0]["tenant"], &json[0]["ok"]), (&"t1".into(), &false.into()));
    assert_eq!(json[0]["calls"]["users.delete"], "failed");
    run_in(configured.folder(), ["doctor", "t9"]).with_code(2);
}

#[test]
fn doctor_of_a_tenant_in_order_is_all_ok() {
    let ran = run_in(Configured::with("").folder(), ["doctor"]).with_code(0);
    assert!(ran.stdout.contains("users are loaded") && !ran.stdout.contains("FAILED"), "{ran:?}");
}

#[test]
fn new_keys_fit_each_other_and_are_written_for_nobody_else_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let files = run_in(folder.path(), ["keys", "new", "--out", "keys", "--json"]).with_code(0).json();
    let platform = folder.path().join(files["platform"].as_str().unwrap());
    assert_eq!(platform.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&platform).unwrap().starts_with("whsk_"));
    let ran = run_in(folder.path(), ["keys", "new", "--out", "keys"]).with_code(2);
    assert!(ran.stderr.contains("never written over"), "{ran:?}");
    let configured = Configured::with("");
    let text = std::fs::read_to_string(configured.config()).unwrap();
    let bridge_key = folder.path().join(files["bridge"].as_str().unwrap());
    configured.write("idp-bridge.toml", &text.replace("\"webhook\"", &format!("{bridge_key:?}")));
    let bridge = configured.serve();
    let line = format!("call ping --tenant acme --url {} --key-file {}", bridge.url(), platform.display());
    run(&line).with_code(0);
    let shared = run("keys new --shared --json").json();
    assert_eq!(shared["platform"], shared["bridge"]);
    assert!(run("keys new").stdout.contains("webhook_keys = [\"whpk_"));
}

#[test]
fn connectors_and_schemas_are_json_that_others_can_use() {
    let connectors = run("connectors --json").with_code(0).json();
    let types: Vec<_> = connectors.as_array().unwrap().iter().map(|connector| connector["type"].clone()).collect();
    assert!(types.contains(&"keycloak".into()) && types.contains(&"memory".into()), "{types:?}");
    assert!(connectors[0]["capabilities"]["calls"]["users.delete"]["support"].is_string());
    let of = |name: &str| connectors.as_array().unwrap().iter().find(|one| one["type"] == name).unwrap().clone();
    assert_eq!(of("keycloak")["capabilities"]["federation"]["logout"], "session");
    assert!(of("memory")["capabilities"]["federation"].is_null());
    let text = run("connectors").with_code(0).stdout;
    assert!(text.contains("client_secret") && text.contains("(required)"), "{text}");
    assert!(text.contains("back-channel logout") && text.contains("ends the session\n"), "{text}");
    let schema = run("schema config").with_code(0).json();
    assert!(schema["$defs"]["Tenant"]["properties"]["webhook_keys_file"].is_object());
    assert_eq!(run("schema openapi").with_code(0).json()["openapi"].as_str().unwrap()[..3], *"3.1");
    assert_eq!(run("schema user").with_code(0).json()["title"], "User");
    run("schema frobnicate").with_code(2);
}

#[test]
fn completions_a_manual_and_help_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&format!("completions {shell}")).with_code(0).stdout.contains("get-by-email"), "{shell}");
    }
    assert!(run("man").with_code(0).stdout.contains("idp-bridge"));
    for line in ["--help", "call --help", "call get-by-id --help", "serve --help", "keys new --help"] {
        let ran = run(line).with_code(0);
        assert!(ran.stdout.contains("Usage: idp-bridge"), "{line}");
        let mut prose = ran.stdout.lines().filter(|line| !line.starts_with("Usage:"));
        assert!(prose.all(|line| line.chars().count() <= 100), "{}", ran.stdout);
    }
    assert!(run("--version").with_code(0).stdout.starts_with("idp-bridge "));
    run("").with_code(2);
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    for line in ["schema config", "connectors", "completions bash", "--help"] {
        let mut child =
            command(folder.path()).args(line.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""), "{line}");
    }
}
