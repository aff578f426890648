//! Tests of `check` and of configuration errors. The table of all mistakes is in `config/tests/mistakes.rs`.

use std::net::TcpListener;
use std::process::Command;

use rustix::process::Signal;

use crate::fixture::{Configured, KEY};
use crate::support::bridge::Bridge;
use crate::support::program::{Output, command, finish, run_in};

#[test]
fn check_describes_configuration_without_secrets() {
    let configured = Configured::with_tenant_keys("deadline = \"2s\"");
    let ran = run_in(configured.folder(), ["check"]).with_code(0);
    for part in ["acme (memory)", "1 shared", "2s", "REST           off"] {
        assert!(ran.stdout.contains(part), "{part}: {ran:?}");
    }
    assert!(!ran.stdout.contains("whsec_"), "{ran:?}");
    let json = run_in(configured.folder(), ["check", "--json"]).with_code(0).json();
    assert_eq!((&json["ok"], &json["tenants"][0]["deadline_ms"]), (&true.into(), &2000.into()));
}

#[test]
fn check_prints_all_mistakes_with_place_and_hint() {
    let configured = Configured::new(
        "[server]\nlisen = \"127.0.0.1:8080\"\n\n[tenants.acme]\nwebhook_keys = [\"whsec_hunter2\"]\n\n\
         [tenants.acme.connector]\ntype = \"keycloack\"\nurl = \"https://login.acme.example\"\n",
    );
    let ran = run_in(configured.folder(), ["check"]).with_code(2);
    assert_eq!(ran.stdout, "");
    assert_eq!(
        ran.stderr,
        "error: unknown key `lisen`\n   at: idp-bridge.toml:2:1, key `server.lisen`\n hint: did you mean `listen`?\n\n\
         error: the key is not base64 after its prefix\n   at: idp-bridge.toml:5:17, key `tenants.acme.webhook_keys[0]`\n \
         hint: `idp-bridge keys new` generates a pair: `whsk_…` for the platform, `whpk_…` for the bridge\n\n\
         error: this program has no connector `keycloack`\n   at: idp-bridge.toml:8:1, key `tenants.acme.connector.type`\n \
         hint: did you mean `keycloak`?\n"
    );
    let json = run_in(configured.folder(), ["check", "--json"]).with_code(2).json();
    assert_eq!(json["problems"][0]["line"], 2);
    assert_eq!(json["problems"][2]["key"], "tenants.acme.connector.type");
}

#[test]
fn misspelt_key_is_one_mistake() {
    let users = "webhook_keys_file = [\"webhook\"]\nconnector = { type = \"memory\", users = []";
    let folder = tempfile::tempdir().unwrap();
    for text in [
        format!("[server]\nlisen = 5\n[tenants.acme]\n{users} }}"),
        format!("[tenants.acme]\ndeadlin = 9\n{users} }}"),
        // Near to `client_key`, which needs a certificate.
        format!("[tenants.acme]\n{users}, client_id = \"a\" }}"),
        // Near to a required key.
        format!("[tenants.acme]\n{}}}", users.replace("keys_file", "kyes_file")),
    ] {
        std::fs::write(folder.path().join("webhook"), KEY).unwrap();
        std::fs::write(folder.path().join("idp-bridge.toml"), &text).unwrap();
        let ran = run_in(folder.path(), ["check"]).with_code(2);
        assert_eq!(ran.stderr.matches("error: ").count(), 1, "{text}: {ran:?}");
        assert!(ran.stderr.starts_with("error: unknown key") && ran.stderr.contains("did you mean"), "{ran:?}");
    }
}

#[test]
fn invalid_configuration_is_not_served() {
    let configured = Configured::with_tenant_keys("deadlin = \"2s\"");
    for command in ["serve", "doctor", "check"] {
        let ran = run_in(configured.folder(), [command]).with_code(2);
        assert!(ran.stderr.contains("did you mean `deadline`"), "{ran:?}");
    }
}

#[test]
fn missing_configuration_is_reported_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["check", "doctor"] {
        let ran = run_in(folder.path(), [command]).with_code(2);
        assert!(ran.stderr.contains("hint: name a file or a folder with `--config`"), "{ran:?}");
        let ran = run_in(folder.path(), [command, "--config", "none.toml"]).with_code(2);
        assert!(ran.stderr.contains("at: none.toml"), "{ran:?}");
    }
}

#[test]
fn used_port_is_reported() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = run_in(Configured::with_tenant_keys("").folder(), ["serve", "--listen", &address]).with_code(2);
    assert!(ran.stderr.contains("cannot listen") && ran.stderr.contains("--listen"), "{ran:?}");
    assert_eq!(ran.stdout, "");
}

#[test]
fn invalid_log_filter_is_reported() {
    let configured = Configured::with_tenant_keys("");
    let mut serve = command(configured.folder());
    let ran = finish(serve.args(["serve", "--listen", "127.0.0.1:0"]).env("IDP_BRIDGE_LOG", "=x=")).with_code(2);
    assert!(ran.stderr.contains("log filter") && ran.stderr.contains("IDP_BRIDGE_LOG"), "{ran:?}");
}

#[test]
fn host_aws_credentials_are_off_by_default() {
    let tenant = "[tenants.acme]\nwebhook_keys_file = [\"webhook\"]\n[tenants.acme.connector]\ntype = \"cognito\"\n\
                  user_pool_id = \"eu-west-1_AbCdEfGhI\"\n";
    let off = Configured::new(tenant);
    let ran = run_in(off.folder(), ["check"]).with_code(2);
    assert!(ran.stderr.contains("`server.aws_default_chain`"), "{ran:?}");
    let on = Configured::new(&format!("[server]\naws_default_chain = true\n{tenant}"));
    run_in(on.folder(), ["check"]).with_code(0);
}

/// Runs the program for at most ten seconds.
fn run_briefly(configured: &Configured, line: &str) -> Output {
    let mut timeout = Command::new("timeout");
    timeout.arg("10").arg(env!("CARGO_BIN_EXE_idp-bridge")).args(line.split(' ')).current_dir(configured.folder());
    finish(&mut timeout)
}

#[test]
fn pipes_and_devices_are_not_read() {
    let configured = Configured::with_tenant_keys("");
    let made = Command::new("mkfifo").arg(configured.folder().join("pipe")).status().unwrap();
    assert!(made.success());
    let text = std::fs::read_to_string(configured.config()).unwrap();
    let keycloak =
        "type = \"keycloak\"\nurl = \"https://a.example\"\nrealm = \"r\"\nclient_id = \"c\"\nclient_secret = \"s\"\n";
    let ca = text.split("type =").next().unwrap().to_owned() + keycloak;
    for path in ["pipe", "/dev/zero"] {
        let refused = |ran: Output| {
            assert_eq!(ran.code, 2, "{ran:?}");
            assert!(ran.stderr.contains("it is not a regular file"), "{ran:?}");
        };
        refused(run_briefly(&configured, &format!("check --config {path}")));
        refused(run_briefly(&configured, &format!("call ping --tenant acme --key-file {path}")));
        for text in [
            text.replace("[\"webhook\"]", &format!("[{path:?}]")),
            text.replace("\"users.json\"", &format!("{path:?}")),
            format!("{ca}ca_file = {path:?}\n"),
        ] {
            configured.write("other.toml", &text);
            refused(run_briefly(&configured, "check --config other.toml"));
        }
    }
}

#[test]
fn secrets_behind_links_are_read() {
    // Kubernetes mounts secrets in this way.
    let configured = Configured::with_tenant_keys("");
    configured.write("data", crate::fixture::KEY);
    std::os::unix::fs::symlink(configured.folder(), configured.folder().join("..data")).unwrap();
    std::fs::remove_file(configured.folder().join("webhook")).unwrap();
    std::os::unix::fs::symlink("..data/data", configured.folder().join("webhook")).unwrap();
    run_in(configured.folder(), ["check"]).with_code(0);
}

#[test]
fn configuration_errors_are_printed_as_json() {
    let configured = Configured::with_tenant_keys("deadlin = \"2s\"");
    for line in ["check --json", "doctor --json", "users get-by-id u-1 --json"] {
        let ran = run_in(configured.folder(), line.split(' ')).with_code(2);
        assert_eq!(ran.stderr, "", "{line}");
        let json = ran.json();
        assert_eq!((&json["ok"], &json["problems"][0]["hint"]), (&false.into(), &"did you mean `deadline`?".into()));
    }
    let configured = Configured::with_tenant_keys("");
    for line in ["doctor globex --json", "users get-by-id u-1 --tenant globex --json"] {
        let json = run_in(configured.folder(), line.split(' ')).with_code(2).json();
        assert_eq!(json["problems"][0]["message"], "no tenant `globex` is configured", "{line}");
    }
}

#[test]
fn invalid_listen_option_has_a_hint() {
    let configured = Configured::with_tenant_keys("");
    for (address, hint) in [("localhost:8080", "write `127.0.0.1:8080`"), (":8080", "`0.0.0.0:8080` for all")] {
        let ran = run_in(configured.folder(), ["serve", "--listen", address]).with_code(2);
        assert!(ran.stderr.contains("expected an address and a port") && ran.stderr.contains(hint), "{ran:?}");
    }
}

#[test]
fn environment_controls_log_colours() {
    let configured = Configured::with_tenant_keys("");
    let text = std::fs::read_to_string(configured.config()).unwrap();
    configured.write("idp-bridge.toml", &format!("{text}log.format = \"text\"\n"));
    for (variables, coloured) in
        [(&["CLICOLOR_FORCE"][..], true), (&["CLICOLOR_FORCE", "NO_COLOR"], false), (&[], false)]
    {
        let mut serve = command(configured.folder());
        serve.args(["serve", "--listen", "127.0.0.1:0"]).envs(variables.iter().map(|name| (name, "1")));
        let bridge = Bridge::start(&mut serve);
        bridge.signal(Signal::TERM);
        let line = bridge.wait_for_log("stopping");
        assert_eq!(line.contains('\u{1b}'), coloured, "{variables:?}: {line:?}");
    }
}
