//! Tests of the commands other than `serve` and `check`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use idp_bridge_conformance::fake::SigningKey;

use crate::fixture::{Configured, KEY};
use crate::support::program::{command, finish, run, run_in};

#[test]
fn users_command_needs_no_server() {
    let configured = Configured::with_tenant_keys("");
    let call = |line: &str| run_in(configured.folder(), line.split_whitespace());
    let user = call("users get-by-email ada@acme.example --json").with_code(0).json();
    assert_eq!((&user["user"]["tenant"], &user["user"]["id"]), (&"acme".into(), &"u-1".into()));
    let shown = call("users get-by-id u-1 --tenant acme").with_code(0).stdout;
    assert!(shown.starts_with("tenant          acme\nid              u-1\ncustomer        cust-1\n"), "{shown}");
    assert!(call("users delete u-1").with_code(0).stdout.contains("deleted"));
    assert!(call("users get-by-id u-9").with_code(1).stderr.contains("no such user"));
    assert_eq!(call("users get-by-id u-9 --json").with_code(1).json()["kind"], "NotFound");
    let ran = call("users send-password-reset-email nobody@acme.example").with_code(0);
    assert!(ran.stderr.contains("no mail was sent"), "{ran:?}");
    assert!(call("users get-by-id u-1 --tenant acne").with_code(2).stderr.contains("did you mean `acme`"));
    assert!(call("users get-by-email nobody").with_code(2).stderr.contains("has no `@`"));
}

#[test]
fn call_reports_negative_answers() {
    let configured = Configured::with_tenant_keys("");
    let bridge = configured.serve();
    let call = |line: &str, key: &str| {
        let line = format!("call {line} --tenant acme {key} --url {}", bridge.url());
        run_in(configured.folder(), line.split_whitespace())
    };
    let valid = format!("--key {KEY}");
    assert!(call("get-by-id u-1", "--key-file webhook").with_code(0).stdout.contains("ada@acme.example"));
    assert!(call("ping", &valid).with_code(0).stdout.contains("connector memory"));
    let ran = call("get-by-id u-9", &valid).with_code(1);
    assert!(ran.stderr.contains("User not found (status 404, code `user_not_found`); request "), "{ran:?}");
    assert_eq!(call("get-by-id u-9 --json", &valid).with_code(1).json()["code"], "user_not_found");
    let ran = call("get-by-id u-5", &valid).with_code(1);
    assert!(ran.stderr.contains("`customer`"), "{ran:?}");
    let keys = run("keys new --json").json();
    let other = format!("--key {}", keys["platform"].as_str().unwrap());
    assert!(call("ping", &other).with_code(1).stderr.contains("the other half of this key"));
    let public = format!("--key {}", keys["bridge"].as_str().unwrap());
    let ran = call("ping", &public).with_code(2);
    assert!(ran.stderr.contains("sign with the platform's") && !ran.stderr.contains("whpk_1"), "{ran:?}");
    for (line, key) in
        [("ping", ""), ("ping", "--key-file nothing"), ("ping", "--key-env NOT_SET"), ("frobnicate", &*valid)]
    {
        call(line, key).with_code(2);
    }
    let twice = format!("delete u-2 --id msg_twice {valid}");
    assert!(call(&twice, "").with_code(0).stdout.contains("deleted"));
    assert!(call(&twice, "").with_code(0).stdout.contains("deleted"), "the answer is replayed");
}

#[cfg(feature = "http")]
#[test]
fn definition_test_runs_the_suite() {
    // A link in a folder of its own, since the build may have put the suite beside the program.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let [program, beside, bin] = ["idp-bridge", "idp-bridge-conformance", "bin"].map(|name| folder.path().join(name));
    std::fs::hard_link(env!("CARGO_BIN_EXE_idp-bridge"), &program).unwrap();
    std::fs::create_dir(&bin).unwrap();
    let test = || {
        let arguments = ["definition", "test", "our.toml", "--url", "http://127.0.0.1:1", "--json"];
        finish(Command::new(&program).args(arguments).env_clear().env("PATH", &bin))
    };
    let missing = test().with_code(2).json();
    assert!(missing["problems"][0]["hint"].as_str().unwrap().contains("cargo install"), "{missing}");
    symlink("/bin/echo", bin.join("idp-bridge-conformance")).unwrap();
    assert_eq!(test().with_code(0).stdout, "--definition our.toml --url http://127.0.0.1:1 --json\n");
    symlink("/bin/false", beside).unwrap();
    test().with_code(1);
}

#[test]
fn unreachable_bridge_is_reported_with_a_hint() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = run(&format!("call ping --tenant acme --key {KEY} --url http://{closed}")).with_code(1);
    assert!(ran.stderr.contains("cannot be reached") && ran.stderr.contains("check that a bridge listens"), "{ran:?}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let ran = run(&format!("call ping --tenant acme --key {KEY} --url http://{address} --timeout 200ms")).with_code(1);
    assert!(ran.stderr.contains("did not answer in time"), "{ran:?}");
    let ran = run(&format!("call ping --tenant acme --key {KEY} --url ftp://x")).with_code(2);
    assert!(ran.stderr.contains("https://bridge.acme.example"), "{ran:?}");
}

/// Listens on a free port and handles each connection.
fn listen(handle: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().flatten().for_each(handle));
    address
}

#[test]
fn write_without_answer_shows_its_id() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closing = listen(|mut stream| assert!(stream.read(&mut [0; 4096]).is_ok()));
    for address in [silent.local_addr().unwrap(), closing] {
        let call = |line: &str| {
            run(&format!("call {line} --tenant acme --key {KEY} --url http://{address} --timeout 300ms")).with_code(1)
        };
        let ran = call("delete u-1");
        let id = ran.stderr.split("--id ").nth(1).unwrap_or_default();
        assert!(id.starts_with("msg_") && ran.stderr.contains("may have taken effect"), "{ran:?}");
        assert!(call("delete u-1 --id own").stderr.contains("repeat it with `--id own`"));
        let ran = call("get-by-id u-1");
        assert!(ran.stderr.contains("hint: ") && !ran.stderr.contains("--id"), "{ran:?}");
        let json = call("delete u-1 --json --id own").json();
        assert_eq!((&json["outcome"], &json["webhook_id"]), (&"unknown".into(), &"own".into()));
        assert!(json["error"].is_string() && json["hint"].is_string(), "{json}");
        assert_eq!(call("get-by-id u-1 --json").json()["outcome"], "not_applied");
    }
    for wrong in ["--url ftp://x", "--key-file nothing"] {
        let line = format!("call ping --json --tenant acme --key {KEY} {wrong}");
        assert_eq!(run(&line).with_code(2).json()["ok"], false, "{wrong}");
    }
}

#[test]
fn failed_connections_have_equal_messages() {
    let plain = listen(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let no_http = listen(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 10]);
    });
    for (url, message, hint) in [
        (format!("https://localhost:{}", plain.port()), "port does not speak TLS", "name the port that speaks TLS"),
        (format!("http://{closed}"), "cannot be reached: no program listens on its port", ""),
        (format!("http://{no_http}"), "answer is not HTTP", "if the port speaks TLS, write `https://`"),
        ("https://no-such-name.invalid".into(), "host name cannot be resolved", "check the spelling of the host name"),
    ] {
        let configured = Configured::new(&format!(
            "[tenants.acme]\nwebhook_keys_file = [\"webhook\"]\n[tenants.acme.connector]\ntype = \"keycloak\"\n\
             url = \"{url}\"\nrealm = \"r\"\nclient_id = \"c\"\nclient_secret = \"s\"\n"
        ));
        for line in [
            "doctor --timeout 5s".to_owned(),
            "users get-by-id u-1 --timeout 5s".into(),
            format!("call get-by-id u-1 --tenant acme --key-file webhook --url {url} --timeout 5s"),
        ] {
            let ran = run_in(configured.folder(), line.split(' ')).with_code(1);
            let shown = format!("{}{}", ran.stdout, ran.stderr);
            assert!(shown.contains(message) && shown.contains(hint), "{line}: {ran:?}");
            for raw in ["os error", "error sending request", "InvalidContentType", "client error"] {
                assert!(!shown.contains(raw), "{line}: {ran:?}");
            }
        }
    }
}

#[test]
fn negative_timeout_is_rejected() {
    let configured = Configured::with_tenant_keys("");
    for line in ["doctor --timeout -4s", "users get-by-id u-1 --timeout -4s"] {
        let ran = run_in(configured.folder(), line.split(' ')).with_code(2);
        assert!(ran.stderr.contains("expected a time such as `800ms` or `4s`"), "{ran:?}");
    }
    let ran = run(&format!("call ping --tenant acme --key {KEY} --timeout -4s")).with_code(2);
    assert!(ran.stderr.contains("expected a time such as `800ms` or `4s`"), "{ran:?}");
}

#[test]
fn doctor_reports_unreachable_identity_providers() {
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
    let configured = Configured::new(&tenants);
    let ran = run_in(configured.folder(), ["doctor", "--timeout", "2s"]).with_code(1);
    assert_eq!(ran.stdout.matches("FAILED       ").count(), 3, "{ran:?}");
    assert!(ran.stdout.contains("fix: ") && !ran.stdout.contains("hunter2"), "{ran:?}");
    let json = run_in(configured.folder(), ["doctor", "t1", "--json", "--timeout", "2s"]).with_code(1).json();
    assert_eq!((&json[0]["tenant"], &json[0]["ok"]), (&"t1".into(), &false.into()));
    assert_eq!(json[0]["calls"]["users.delete"], "failed");
    run_in(configured.folder(), ["doctor", "t9"]).with_code(2);
}

#[test]
fn doctor_of_healthy_tenant_is_ok() {
    let ran = run_in(Configured::with_tenant_keys("").folder(), ["doctor"]).with_code(0);
    assert!(ran.stdout.contains("users are loaded") && !ran.stdout.contains("FAILED"), "{ran:?}");
}

#[test]
fn new_keys_match_and_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let files = run_in(folder.path(), ["keys", "new", "--out", "keys", "--json"]).with_code(0).json();
    let platform = folder.path().join(files["platform"].as_str().unwrap());
    assert_eq!(platform.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&platform).unwrap().starts_with("whsk_"));
    let ran = run_in(folder.path(), ["keys", "new", "--out", "keys"]).with_code(2);
    assert!(ran.stderr.contains("never overwritten"), "{ran:?}");
    let configured = Configured::with_tenant_keys("");
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
fn public_half_of_a_key_is_a_jwks() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::es256("k-1").unwrap();
    std::fs::write(folder.path().join("private.pem"), key.private_pem().unwrap()).unwrap();
    let public = ["keys", "public", "--file", "private.pem"];
    let with_id = [&public[..], &["--key-id", "k-1"]].concat();
    assert_eq!(run_in(folder.path(), with_id).with_code(0).json()["keys"], serde_json::json!([key.jwk()]));
    let rsa = run_in(folder.path(), [&public[..], &["--algorithm", "PS256"]].concat()).with_code(2);
    assert!(rsa.stdout.contains("`private.pem` is not an RSA key") && rsa.stdout.contains("\"hint\""), "{rsa:?}");
    std::fs::write(folder.path().join("private.pem"), "hunter2").unwrap();
    let ran = run_in(folder.path(), public).with_code(2);
    assert!(ran.stdout.contains("openssl genpkey") && !ran.stdout.contains("hunter2"), "{ran:?}");
    run_in(folder.path(), ["keys", "public", "--file", "nothing"]).with_code(2);
    run_in(folder.path(), [&public[..], &["--algorithm", "HS256"]].concat()).with_code(2);
}

#[test]
fn connectors_and_schemas_are_json() {
    let connectors = run("connectors --json").with_code(0).json();
    let types: Vec<_> = connectors.as_array().unwrap().iter().map(|connector| connector["type"].clone()).collect();
    assert!(types.contains(&"keycloak".into()) && types.contains(&"memory".into()), "{types:?}");
    assert!(connectors[0]["capabilities"]["calls"]["users.delete"]["support"].is_string());
    let connector = |name: &str| connectors.as_array().unwrap().iter().find(|one| one["type"] == name).unwrap().clone();
    assert_eq!(connector("keycloak")["capabilities"]["federation"]["logout"], "session");
    assert!(connector("memory")["capabilities"]["federation"].is_null());
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
fn completions_manual_and_help_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&format!("completions {shell}")).with_code(0).stdout.contains("get-by-email"), "{shell}");
    }
    assert!(run("--help").stdout.contains("Print the manual page"));
    assert!(run("man").with_code(0).stdout.contains("idp-bridge"));
    for line in
        ["--help", "call --help", "call get-by-id --help", "serve --help", "keys new --help", "keys public --help"]
    {
        let ran = run(line).with_code(0);
        assert!(ran.stdout.contains("Usage: idp-bridge"), "{line}");
        let mut prose = ran.stdout.lines().filter(|line| !line.starts_with("Usage:"));
        assert!(prose.all(|line| line.chars().count() <= 100), "{}", ran.stdout);
    }
    run("").with_code(2);
}

#[test]
fn version_names_commit_and_connectors() {
    let short = format!("idp-bridge {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run("-V").with_code(0).stdout, short);
    let long = run("--version").with_code(0).stdout;
    assert!(long.starts_with(&short), "{long}");
    assert!(long.contains("\ncommit      "), "{long}");
    assert!(long.lines().any(|line| line.starts_with("connectors  ") && line.contains("memory")), "{long}");
    assert_eq!(run("version").with_code(0).stdout, long);
}

#[test]
fn each_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), ["man", "--out", "."]).with_code(0);
    for page in ["idp-bridge.1", "idp-bridge-serve.1", "idp-bridge-keys-new.1", "idp-bridge-audit-verify.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
    run_in(folder.path(), ["man", "--out", "missing"]).with_code(2);
}

#[test]
fn closed_output_is_not_an_error() {
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
