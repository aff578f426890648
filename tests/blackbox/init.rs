//! Tests of `init` against a scripted Keycloak. tests/lab/init.rs has those against a real one.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use idp_bridge_test_http::{Received, Reply, Server, answer, unused_address};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::program::{Output, command, run_in};

const JSON: &str = "content-type: application/json";

/// A Keycloak that accepts the password `right`. It has the realm `acme` with a client that lacks its role.
struct Keycloak {
    server: Server,
    _runtime: Runtime,
    log: Arc<Mutex<Vec<String>>>,
}

impl Keycloak {
    fn start(client: Value, profile: Value) -> Self {
        let runtime = Runtime::new().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let writes = Arc::clone(&log);
        let script = move |_, request: &Received| respond(request, &client, &profile, &writes);
        let server = runtime.block_on(Server::start(script));
        Self { server, _runtime: runtime, log }
    }

    /// Returns the writes: method, path and body.
    fn writes(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn respond(request: &Received, client: &Value, profile: &Value, writes: &Mutex<Vec<String>>) -> Reply {
    let line = request.head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
    let (method, path) = line.split_once(' ').unwrap();
    let ok = |body: Value| answer(200, &[JSON], &body.to_string());
    let admin = path.strip_prefix("/admin/realms/acme/").unwrap_or_default();
    if method != "GET" && !admin.is_empty() {
        writes.lock().unwrap().push(format!("{method} {admin} {}", request.body));
    }
    match (method, path, admin) {
        ("GET", "/realms/acme/.well-known/openid-configuration", _) => {
            ok(json!({"issuer": "https://login.acme.example/realms/acme"}))
        }
        ("POST", "/realms/master/protocol/openid-connect/token", _) if request.body.contains("password=right") => {
            ok(json!({"access_token": "administrator", "expires_in": 60}))
        }
        ("POST", "/realms/master/protocol/openid-connect/token", _) => {
            answer(401, &[JSON], r#"{"error":"invalid_grant","error_description":"Invalid user credentials"}"#)
        }
        (_, _, "clients?clientId=realm-management") => ok(json!([{"id": "m", "clientId": "realm-management"}])),
        (_, _, "clients?clientId=idp-bridge") => ok(json!([client])),
        (_, _, "clients/c/service-account-user") => ok(json!({"id": "s"})),
        ("GET", _, "users/s/role-mappings/clients/m") => ok(json!([])),
        (_, _, "clients/m/roles/manage-users") => ok(json!({"id": "r", "name": "manage-users"})),
        ("GET", _, "users/profile") => ok(profile.clone()),
        ("PUT", _, "users/profile") => ok(json!({})),
        (_, _, "clients/c/client-secret") => ok(json!({"type": "secret", "value": "the-secret"})),
        ("POST", _, "users/s/role-mappings/clients/m") => answer(204, &[], ""),
        _ => answer(404, &[JSON], r#"{"error":"unknown"}"#),
    }
}

fn client() -> Value {
    json!({"id": "c", "clientId": "idp-bridge", "enabled": true, "publicClient": false, "serviceAccountsEnabled": true})
}

fn started() -> Keycloak {
    Keycloak::start(client(), json!({"attributes": [{"name": "email"}]}))
}

/// Runs `init` for the realm `acme` without prompts.
fn init(folder: &Path, url: &str, password: &str, more: &[&str]) -> Output {
    std::fs::write(folder.join("password"), format!("{password}\n")).unwrap();
    let fixed = ["init", "keycloak", "--url", url, "--realm", "acme", "--tenant", "acme"];
    let login = ["--admin-user", "admin", "--admin-password-file", "password", "--out", "made"];
    run_in(folder, fixed.iter().chain(&login).chain(more))
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join("made").join(name)).unwrap()
}

#[test]
fn realm_is_set_up_and_files_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let keycloak = started();
    let ran = init(folder.path(), &keycloak.server.base(), "right", &[]);
    // `doctor` cannot log in to this Keycloak.
    assert_eq!(ran.code, 1, "{ran:?}");
    for line in [
        "found    the client `idp-bridge`",
        "created  the role `manage-users` of `realm-management`",
        "created  the user attribute `customer_id`",
        "FAILED",
        "call ping --tenant acme --key-file made/platform.key",
    ] {
        assert!(ran.stdout.contains(line), "no {line:?} in {ran:?}");
    }
    let writes = keycloak.writes();
    assert_eq!(writes.len(), 2, "{writes:?}");
    assert_eq!(writes[0], r#"POST users/s/role-mappings/clients/m [{"id":"r","name":"manage-users"}]"#);
    let (put, profile) = writes[1].split_once(" {").unwrap();
    let profile: Value = serde_json::from_str(&format!("{{{profile}")).unwrap();
    assert_eq!((put, &profile["attributes"][0]["name"]), ("PUT users/profile", &json!("email")));
    assert_eq!(profile["attributes"][1]["permissions"], json!({"view": ["admin"], "edit": ["admin"]}));
    assert_eq!(read(folder.path(), "keycloak.secret"), "the-secret\n");
    assert!(read(folder.path(), "idp-bridge.toml").contains("issuer = \"https://login.acme.example/realms/acme\"\n"));
    for name in ["idp-bridge.toml", "keycloak.secret", "platform.key", "bridge.key"] {
        let mode = folder.path().join("made").join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        assert!(!read(folder.path(), name).contains("right"), "the password is stored nowhere: {name}");
    }
    run_in(&folder.path().join("made"), ["check"]).with_code(0);
}

#[test]
fn existing_files_are_replaced_only_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let keycloak = started();
    std::fs::create_dir(folder.path().join("made")).unwrap();
    std::fs::write(folder.path().join("made/bridge.key"), "precious").unwrap();
    let ran = init(folder.path(), &keycloak.server.base(), "right", &[]).with_code(2);
    assert!(ran.stderr.contains("`made/bridge.key` exists") && ran.stderr.contains("--force"), "{ran:?}");
    assert_eq!((read(folder.path(), "bridge.key"), keycloak.server.received().len()), ("precious".into(), 0));
    init(folder.path(), &keycloak.server.base(), "right", &["--force"]).with_code(1);
    assert!(read(folder.path(), "bridge.key").starts_with("whpk_"));
}

#[test]
fn refusals_write_nothing_and_name_the_step() {
    let public = json!({"id": "c", "clientId": "idp-bridge", "enabled": true, "publicClient": true});
    let with_public_client = Keycloak::start(public, json!({"attributes": []}));
    let keycloak = started();
    let unused = format!("http://{}", unused_address());
    for (url, password, more, reason) in [
        (keycloak.server.base(), "wrong", vec![], "keycloak refused the administrator's name or password"),
        (keycloak.server.base(), "right", vec!["--admin-realm", "other"], "no such realm"),
        (unused, "right", vec![], "no program listens on its port"),
        (keycloak.server.base() + "/auth", "right", vec![], "check `realm` and the path of `url`"),
        ("login.acme.example".into(), "right", vec![], "url"),
        (with_public_client.server.base(), "right", vec![], "switch `Client authentication` on"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let ran = init(folder.path(), &url, password, &more).with_code(1);
        assert!(ran.stderr.contains(reason), "no {reason:?} in {ran:?}");
        assert!(!format!("{ran:?}").contains("wrong"), "the password is not shown: {ran:?}");
        assert_eq!(std::fs::read_dir(folder.path().join("made")).unwrap().count(), 0, "{ran:?}");
    }
    assert_eq!((keycloak.writes(), with_public_client.writes()), (vec![], vec![]));
}

/// Runs `init` with these lines on standard input.
fn init_with_answers(folder: &Path, arguments: &[&str], answers: &str) -> Output {
    let mut command = command(folder);
    command.arg("init").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn missing_values_are_prompted_for() {
    let folder = tempfile::tempdir().unwrap();
    let keycloak = started();
    std::fs::write(folder.path().join("password"), "right").unwrap();
    // The realm defaults to the tenant.
    let answers = format!("keycloak\nacme\n{}\n\nadmin\n", keycloak.server.base());
    let ran = init_with_answers(folder.path(), &["--admin-password-file", "password", "--out", "made"], &answers);
    assert!(ran.stdout.contains("created  the role `manage-users`"), "{ran:?}");
    assert!(ran.stderr.contains("the realm [acme]: "), "{ran:?}");
    assert!(read(folder.path(), "idp-bridge.toml").contains("realm = \"acme\""));
}

#[test]
fn closed_input_is_a_missing_answer() {
    let folder = tempfile::tempdir().unwrap();
    let keycloak = started();
    let url = keycloak.server.base();
    let given = ["keycloak", "--tenant", "acme", "--url", &url, "--realm", "acme", "--admin-user", "admin"];
    for (arguments, answers, option) in [
        (&[][..], "", "PRODUCT"),
        (&["keycloak"], "", "--tenant"),
        (&["keycloak", "--tenant", "acme"], "\n", "--url"),
        (&given[..5], "", "--realm"),
        (&given[..7], "", "--admin-user"),
        (&given, "right\n", "--admin-password-file"),
    ] {
        let ran = init_with_answers(folder.path(), arguments, answers).with_code(2);
        assert!(ran.stderr.contains(&format!("give `{option}`")), "{option}: {ran:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is written");
}

#[test]
fn unknown_products_and_settings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, reason) in [
        (&["keyclock"][..], "did you mean `keycloak`?"),
        (&["memory"], "does not support"),
        (&["auth0", "--tenant", "a b"], "not an id of a tenant"),
        (&["auth0", "--tenant", "acme", "--set", "domain"], "has no `=`"),
        (&["auth0", "--tenant", "acme", "--set", "domian=x"], "has no setting `domian`"),
    ] {
        let ran = init_with_answers(folder.path(), arguments, "").with_code(2);
        assert!(ran.stderr.contains(reason), "no {reason:?} in {ran:?}");
    }
}

#[test]
fn other_products_get_a_configuration_and_steps() {
    for (kind, given, steps) in [
        ("cognito", &["user_pool_id=eu-west-1_AbCdEfGhI"][..], "aws iam put-user-policy"),
        (
            "auth0",
            &["domain=acme.eu.auth0.com", "client_id=abc", "client_secret=s"],
            "read:users update:users delete:users",
        ),
        ("oidc", &["issuer=https://id.acme.example"], "server.state_dir"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let settings = given.iter().flat_map(|pair| ["--set", pair]);
        let arguments: Vec<_> = [kind, "--tenant", "acme"].into_iter().chain(settings).collect();
        let ran = init_with_answers(folder.path(), &arguments, "").with_code(0);
        assert!(ran.stdout.contains(steps), "{ran:?}");
        assert!(ran.stdout.contains("doctor --config ./idp-bridge.toml"), "{ran:?}");
        let text = std::fs::read_to_string(folder.path().join("idp-bridge.toml")).unwrap();
        assert!(text.contains(&format!("type = \"{kind}\"")), "{text}");
    }
}

#[test]
fn policy_is_that_of_the_page() {
    let text = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
        let text = std::fs::read_to_string(path).unwrap();
        let (_, rest) = text.split_once("\"Version\"").unwrap();
        rest.split("\n\n").next().unwrap().split("```").next().unwrap().split_whitespace().collect::<String>()
    };
    let page = text("docs/connectors/cognito.md");
    assert_eq!(text("crates/idp-bridge/src/commands/init/cognito.txt"), page);
    assert!(page.contains("AdminGetUser"), "{page}");
}
