//! Runs the clients in `examples/clients` against the program, and checks the page.

use std::path::{Path, PathBuf};
use std::process::Command;

use idp_bridge_protocol::{SigningKey, signature};

use crate::fixture::{Configured, KEY, TENANT};
use crate::rest::sha256;
use crate::support::bridge::Bridge;
use crate::support::http::Request;
use crate::support::program::{Output, finish};
use crate::support::sign::now;

/// The platform's half of a key pair.
const SEED: &str = "whsk_/mNQL1NLSpJtd820gMbjBtdPkirjWybMvbu5nlnYpbQ=";
const TOKEN: &str = "writer-0123456789abcdef0123456789abcdef";
/// The files that the page shows, with the language of their blocks.
const FILES: [(&str, &str); 5] = [
    ("client.mjs", "js"),
    ("client.py", "python"),
    ("client.go", "go"),
    ("Client.java", "java"),
    ("client.sh", "bash"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn example(name: &str) -> PathBuf {
    root().join("examples/clients").join(name)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Serves the sample users to callers with a shared key, with a key pair, and with a token.
fn bridge() -> Bridge {
    let configured = Configured::with_tenant_keys(&format!(
        "rest.tokens = [{{ name = \"writer\", sha256 = \"{}\", scopes = [\"users.read\", \"users.write\"] }}]",
        sha256(TOKEN)
    ));
    let public = SigningKey::parse(SEED).unwrap().to_verifying_text();
    configured.write("public", public.expose());
    let text = read(&configured.config()).replace("[\"webhook\"]", "[\"webhook\", \"public\"]");
    configured.write("idp-bridge.toml", &text);
    configured.serve()
}

/// Creates a command of a program that this machine needs.
fn command(program: &str, hint: &str) -> Command {
    let is_missing = Command::new(program).arg("--version").output().is_err();
    assert!(!is_missing, "`{program}` is missing on this machine; hint: {hint}");
    Command::new(program)
}

/// Runs a client with a key and checks that it prints a user.
#[track_caller]
fn expect_user(client: &mut Command, bridge: &Bridge, key: &str) {
    let ran = run(client, bridge, key, "ada@acme.example").with_code(0);
    assert_eq!(ran.json()["user"]["id"], "u-1", "{ran:?}");
}

/// Runs a client with a key and checks that it reads the problem of an unknown user.
#[track_caller]
fn expect_problem(client: &mut Command, bridge: &Bridge, key: &str) {
    let ran = run(client, bridge, key, "käthe@acme.example").with_code(1);
    let (problem, flags) = ran.stderr.trim().split_once(" retryable: ").unwrap_or_else(|| panic!("{ran:?}"));
    assert_eq!(problem.trim_start_matches("Error: "), "user_not_found (404): User not found");
    assert_eq!(flags.to_lowercase(), "false, outcome: not_applied");
    assert_eq!(ran.stdout, "");
}

fn run(client: &mut Command, bridge: &Bridge, key: &str, email: &str) -> Output {
    client.env("BRIDGE_URL", bridge.url()).env("BRIDGE_TENANT", TENANT).env("BRIDGE_KEY", key);
    finish(client.arg("users.get_by_email").arg(format!("{{\"email\":\"{email}\"}}")))
}

/// Checks a client with both kinds of key, and with an answer and a problem.
fn check(client: impl Fn() -> Command) {
    let bridge = bridge();
    expect_problem(&mut client(), &bridge, KEY);
    expect_user(&mut client(), &bridge, SEED);
}

fn script(program: &str, name: &str, hint: &str) -> Command {
    let mut command = command(program, hint);
    command.arg(example(name));
    command
}

#[test]
fn client_in_javascript_calls_and_reads_problems() {
    check(|| script("node", "client.mjs", "install Node.js 20 (Debian: `nodejs`)"));
}

#[test]
fn client_in_python_calls_and_reads_problems() {
    let hint = "install Python 3 (Debian: `python3`)";
    check(|| script("python3", "client.py", hint));
    // Without third-party packages, `openssl` signs.
    check(|| {
        let mut isolated = command("python3", hint);
        isolated.arg("-S").arg(example("client.py"));
        isolated
    });
}

#[test]
fn client_in_go_calls_and_reads_problems() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("client");
    let mut build = Command::new("go");
    build.arg("build").arg("-o").arg(&binary).arg(example("client.go"));
    let built = build.output().expect("`go` is missing on this machine; hint: install Go (Debian: `golang-go`)");
    assert!(built.status.success(), "{built:?}");
    check(|| Command::new(&binary));
}

#[test]
fn client_in_java_calls_and_reads_problems() {
    check(|| script("java", "Client.java", "install a JDK, 17 or later (Debian: `default-jdk-headless`)"));
}

#[test]
fn client_in_shell_calls_and_reads_problems() {
    let hint = "install bash, curl and openssl (Debian: `bash curl openssl`)";
    for program in ["curl", "openssl"] {
        command(program, hint);
    }
    check(|| script("bash", "client.sh", hint));
}

#[test]
fn page_shows_the_clients() {
    let page = read(&root().join("docs/clients.md"));
    for (name, language) in FILES {
        let block = format!("```{language}\n{}```\n", read(&example(name)));
        assert!(page.contains(&block), "copy `examples/clients/{name}` into docs/clients.md");
    }
}

/// Reads the requests of a `.http` file, with the values of its variables.
fn read_requests(text: &str, variables: &[(&str, &str)]) -> Vec<Request> {
    let fill = |part: &str| variables.iter().fold(part.to_owned(), |text, (name, value)| text.replace(name, value));
    let parts = text.split("\n### ").skip(1);
    parts
        .map(|part| {
            let (_, request) = part.split_once('\n').unwrap();
            let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
            let mut lines = head.trim().lines();
            let (method, target) = lines.next().unwrap().split_once(" {{url}}").unwrap();
            let request = Request::new(method, fill(target)).body(body.trim());
            lines.fold(request, |request, line| {
                let (name, value) = line.split_once(": ").unwrap();
                request.header(name, fill(value))
            })
        })
        .collect()
}

#[test]
fn requests_of_collection_succeed() {
    let bridge = bridge();
    let text = read(&example("calls.http"));
    let ping = r#"{"type":"ping","timestamp":"2026-01-02T03:04:05Z","tenant":"acme","data":{}}"#;
    let time = now();
    let token = signature::sign(&[SigningKey::parse(KEY).unwrap()], "msg_1", time, ping.as_bytes());
    let variables = [
        ("{{tenant}}", TENANT),
        ("{{token}}", TOKEN),
        ("{{id}}", "msg_1"),
        ("{{timestamp}}", &time.to_string()),
        ("{{signature}}", &token),
    ];
    let requests = read_requests(&text, &variables);
    assert_eq!(requests.len(), 9, "one for each call, a ping and a probe");
    for request in requests {
        let answer = request.send(bridge.address());
        assert_eq!(answer.status, 200, "{} {}: {answer:?}", request.method, request.target);
    }
}
