//! Tests of the seven calls against Keycloak, with the configuration that the lab wrote.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::keycloak::PASSWORD;
use crate::lab::{Lab, running};
use crate::support::bridge::Bridge;
use crate::support::http::Reply;
use crate::support::program::run_in;

/// A bridge before the lab's Keycloak.
struct Stage {
    lab: Lab,
    bridge: Bridge,
}

impl Stage {
    fn new() -> Self {
        let lab = Lab::get_running();
        Self { bridge: lab.serve(), lab }
    }

    fn call(&self, kind: &str, data: Value) -> Reply {
        self.lab.signer().call(kind, data).send(self.bridge.address())
    }

    /// Makes a call and expects an empty answer.
    #[track_caller]
    fn expect_empty(&self, kind: &str, data: Value) {
        let reply = self.call(kind, data);
        assert_eq!((reply.status, reply.json()), (200, json!({})), "{kind}: {reply:?}");
    }
}

#[test]
fn link_of_verification_mail_verifies_the_address() {
    let _running = running();
    let stage = Stage::new();
    let person = stage.lab.new_person();
    stage.expect_empty("users.send_verification_email", json!({"id": person.id}));
    let mail = stage.lab.mail_to(&person.email);
    assert!(mail.subject.to_lowercase().contains("verify"), "{mail:?}");
    assert_eq!(stage.call("users.get_by_id", json!({"id": person.id})).json()["user"]["email_verified"], false);
    let page = Browser::new(stage.lab.keycloak_address()).open_and_proceed(&mail.link);
    assert_eq!(page.status, 200, "{page:?}");
    let user = stage.call("users.get_by_email", json!({"email": person.email})).json();
    assert_eq!(user["user"]["email_verified"], true);
    stage.expect_empty("users.send_verification_email", json!({"id": person.id}));
    assert_eq!(stage.lab.mails_to(&person.email).len(), 1, "a verified user gets no second mail");
}

#[test]
fn link_of_reset_mail_sets_new_password() {
    let _running = running();
    let stage = Stage::new();
    let person = stage.lab.new_person();
    assert!(stage.lab.can_log_in(&person, PASSWORD));
    stage.expect_empty("users.send_password_reset_email", json!({"email": person.email}));
    assert!(stage.lab.can_log_in(&person, PASSWORD), "the old password works until a new one is chosen");
    let mail = stage.lab.mail_to(&person.email);
    let mut browser = Browser::new(stage.lab.keycloak_address());
    let page = browser.open_and_proceed(&mail.link);
    let done = browser.choose_password(&page, "a-second-password");
    assert_eq!(done.status, 200, "{done:?}");
    assert!(stage.lab.can_log_in(&person, "a-second-password"));
    assert!(!stage.lab.can_log_in(&person, PASSWORD));
    stage.expect_empty("users.send_password_reset_email", json!({"email": "unknown@acme.example"}));
    assert!(stage.lab.mails_to("unknown@acme.example").is_empty());
}

#[test]
fn user_named_like_service_account_is_deleted() {
    let _running = running();
    let stage = Stage::new();
    let person = stage.lab.new_person_named(format!("service-account-ada-{}", std::process::id()));
    for (kind, data) in [
        ("users.get_by_id", json!({"id": person.id})),
        ("users.get_by_email", json!({"email": person.email})),
        ("users.get_by_customer", json!({"customer": person.customer})),
    ] {
        let reply = stage.call(kind, data);
        assert_eq!((reply.status, &reply.json()["user"]["id"]), (200, &json!(person.id)), "{kind}: {reply:?}");
    }
    let reply = stage.call("users.delete", json!({"id": person.id}));
    assert_eq!((reply.status, reply.json()), (200, json!({"existed": true})));
    assert!(stage.lab.person(&person.id).is_none());
}

#[test]
fn users_and_call_commands_agree() {
    let _running = running();
    let stage = Stage::new();
    let folder = tempfile::tempdir().unwrap();
    let config = stage.lab.config();
    let config = config.to_str().unwrap();
    let run = |line: &str| run_in(folder.path(), line.split_whitespace()).with_code(0).json();
    let direct = run(&format!("users get-by-customer c-1001 --config {config} --json"));
    let key_file = stage.lab.text("/bridge/webhook_key_file");
    let options = format!("--tenant acme --url {} --key-file {key_file} --json", stage.bridge.url());
    assert_eq!(run(&format!("call get-by-email ada@acme.example {options}")), direct);
    assert_eq!(run(&format!("call ping {options}"))["connector"], "keycloak");
}
