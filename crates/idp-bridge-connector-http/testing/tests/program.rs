//! The program `idp-bridge-conformance`, with the definition of the scaffold and a server of the test's own.

// Always true here. It lets clippy accept `unwrap` in helpers, too.
#![cfg(test)]

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::LazyLock;

use idp_bridge_conformance::fake::{Answer, Fake, FakeServer, Incoming};
use idp_bridge_connector_http::catalog;
use serde_json::{Value, json};

const TOKEN: &str = "token-of-the-bridge";
/// A case that creates one user.
const UNKNOWN_ID: &str = "an_unknown_key_is_not_found/users.get_by_id";

/// The file with the definition.
static DEFINITION: LazyLock<&str> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/scaffold.toml");
    std::fs::write(path, catalog::SCAFFOLD.replacen("[id]\n", "[id]\nreserved = [\"me\"]\n", 1)).unwrap();
    path
});

/// A product that answers as the scaffold says.
struct Product {
    users: BTreeMap<String, Value>,
    /// The number of the last user. Each differs from the others in two digits at least, as a multiple of 11.
    number: usize,
    /// The answer about an unknown id.
    unknown: Answer,
}

impl Fake for Product {
    fn answer(&mut self, request: &Incoming) -> Answer {
        if request.bearer() != Some(TOKEN) {
            return Answer::json(401, &json!({"code": "invalid_token"}));
        }
        let segments = request.segments().unwrap();
        match (request.method.as_str(), segments.get(1).map_or("", String::as_str)) {
            ("POST", _) => {
                self.number += 11;
                let user = json!({"id": self.number.to_string(), "email": request.json().unwrap()["email"]});
                self.users.insert(self.number.to_string(), user.clone());
                Answer::json(201, &user)
            }
            ("DELETE", id) => self.users.remove(id).map_or(self.unknown.clone(), |_| Answer::empty(204)),
            (_, id) => self.users.get(id).map_or(self.unknown.clone(), |user| Answer::json(200, user)),
        }
    }
}

/// Runs the program on a product with this answer about an unknown id. Returns the status of the exit and the output.
///
/// Afterwards the product has none of the users that the suite created, `created` in total.
async fn run(unknown: (u16, Value), arguments: &[&str], created: usize) -> (Option<i32>, String) {
    let unknown = Answer::json(unknown.0, &unknown.1);
    let server = FakeServer::start(Product { users: BTreeMap::new(), number: 0, unknown }).await.unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_idp-bridge-conformance"));
    program.args(["--definition", *DEFINITION, "--url", &server.url(), "--secret", &format!("token={TOKEN}")]);
    program.args(arguments);
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    let (users, number) = server.with(|product| (product.users.clone(), product.number));
    assert!(users.is_empty(), "{users:?}");
    assert_eq!(number, created * 11, "{arguments:?}");
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[tokio::test]
async fn only_passed_cases_exit_with_0() {
    for (filter, created, code, part) in [
        (UNKNOWN_ID, 1, 0, "1 passed; 0 failed"),
        ("reserved_id", 2, 0, "ok     get::a_reserved_id_is_not_found_without_a_request"),
        ("no_such_case", 0, 1, "0 passed; 0 failed"),
    ] {
        let (exit, text) = run((404, json!({"code": "user_not_found"})), &["--filter", filter], created).await;
        assert!(exit == Some(code) && text.contains(part), "{exit:?} {text}");
    }
}

#[tokio::test]
async fn failed_case_is_shown_without_personal_data() {
    let unknown = (418, json!({"code": "odd", "email": "ada@acme.example", "session": "s3cr3t"}));
    let (code, text) = run(unknown, &["--filter", UNKNOWN_ID], 2).await;
    assert_eq!(code, Some(1), "{text}");
    let exchange = r#"    418 {"code":"odd","email":"…","session":"…"}"#;
    assert!(["0 passed; 1 failed", "  GET /users/", exchange].iter().all(|part| text.contains(part)), "{text}");
    assert!(!["@", "s3cr3t", TOKEN].iter().any(|private| text.contains(private)), "{text}");
}

#[tokio::test]
async fn wrong_usage_exits_with_2() {
    for arguments in [["--no-such-option", "x"], ["--secret", "other=x"], ["--set", "token=x"], ["--secret", "x"]] {
        let (code, text) = run((404, json!({})), &arguments, 0).await;
        assert!(code == Some(2) && text.starts_with("error: "), "{code:?} {text}");
    }
}
