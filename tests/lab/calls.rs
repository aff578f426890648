//! All seven calls through the bridge, with the configuration that the lab wrote.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::keycloak::PASSWORD;
use crate::lab::{Lab, running};
use crate::support::bridge::Bridge;
use crate::support::http::Reply;
use crate::support::program::run_in;

/// A bridge, and who signs for it.
struct Asked {
    lab: Lab,
    bridge: Bridge,
}

impl Asked {
    fn new() -> Self {
        let lab = Lab::get_running();
        Self { bridge: lab.serve(), lab }
    }

    fn ask(&self, kind: &str, data: Value) -> Reply {
        self.lab.signer().call(kind, data).send(self.bridge.address())
    }

    /// Asks, and expects an empty answer.
    #[track_caller]
    fn order(&self, kind: &str, data: Value) {
        let reply = self.ask(kind, data);
        assert_eq!((reply.status, reply.json()), (200, json!({})), "{kind}: {reply:?}");
    }
}

#[test]
fn a_sample_user_is_the_same_by_id_email_and_customer() {
    let _running = running();
    let asked = Asked::new();
    for name in ["ada", "grace", "charles", "edsger"] {
        let sample = asked.lab.user(name);
        let by_id = asked.ask("users.get_by_id", json!({"id": sample["id"]})).json();
        let user = &by_id["user"];
        for field in ["id", "email", "customer", "email_verified"] {
            assert_eq!(user[field], sample[field], "{name}: {field}");
        }
        assert_eq!(user["blocked"], !sample["enabled"].as_bool().unwrap(), "{name}");
        assert_eq!(user["tenant"], "acme");
        let upper = sample["email"].as_str().unwrap().to_uppercase();
        assert_eq!(asked.ask("users.get_by_email", json!({"email": upper})).json(), by_id);
        assert_eq!(asked.ask("users.get_by_customer", json!({"customer": sample["customer"]})).json(), by_id);
    }
    let barbara = asked.lab.user("barbara");
    let reply = asked.ask("users.get_by_id", json!({"id": barbara["id"]}));
    assert_eq!((reply.problem(), &reply.json()["field"]), ((409, "user_incomplete".into()), &json!("customer")));
    for (kind, data) in [
        ("users.get_by_id", json!({"id": "0c5bd2f4-1a0e-4a63-9d7d-000000000000"})),
        ("users.get_by_id", json!({"id": "count"})),
        ("users.get_by_email", json!({"email": "news@acme.example"})),
        ("users.get_by_customer", json!({"customer": "C-1001"})),
        ("users.get_by_customer", json!({"customer": "c-100"})),
    ] {
        assert_eq!(asked.ask(kind, data.clone()).problem(), (404, "user_not_found".into()), "{kind} {data}");
    }
}

#[test]
fn a_verification_mail_arrives_and_its_link_verifies() {
    let _running = running();
    let asked = Asked::new();
    let person = asked.lab.new_person();
    asked.order("users.send_verification_email", json!({"id": person.id}));
    let mail = asked.lab.mail_to(&person.email);
    assert!(mail.subject.to_lowercase().contains("verify"), "{mail:?}");
    assert_eq!(asked.ask("users.get_by_id", json!({"id": person.id})).json()["user"]["email_verified"], false);
    let page = Browser::at(asked.lab.keycloak_address()).open_and_proceed(&mail.link);
    assert_eq!(page.status, 200, "{page:?}");
    let user = asked.ask("users.get_by_email", json!({"email": person.email})).json();
    assert_eq!(user["user"]["email_verified"], true);
    asked.order("users.send_verification_email", json!({"id": person.id}));
    assert_eq!(asked.lab.mails_to(&person.email).len(), 1, "a verified user gets no second mail");
}

#[test]
fn a_reset_mail_arrives_and_its_link_sets_a_new_password() {
    let _running = running();
    let asked = Asked::new();
    let person = asked.lab.new_person();
    assert!(asked.lab.lets_in(&person, PASSWORD));
    asked.order("users.send_password_reset_email", json!({"email": person.email}));
    assert!(asked.lab.lets_in(&person, PASSWORD), "the old password works until a new one is chosen");
    let mail = asked.lab.mail_to(&person.email);
    let mut browser = Browser::at(asked.lab.keycloak_address());
    let page = browser.open_and_proceed(&mail.link);
    let done = browser.choose_password(&page, "a-second-password");
    assert_eq!(done.status, 200, "{done:?}");
    assert!(asked.lab.lets_in(&person, "a-second-password"));
    assert!(!asked.lab.lets_in(&person, PASSWORD));
    asked.order("users.send_password_reset_email", json!({"email": "nobody-at-all@acme.example"}));
    assert!(asked.lab.mails_to("nobody-at-all@acme.example").is_empty());
}

#[test]
fn an_address_is_marked_as_verified_and_nothing_else_changes() {
    let _running = running();
    let asked = Asked::new();
    let person = asked.lab.new_person();
    let before = asked.lab.person(&person.id).unwrap();
    let other = asked.ask("users.mark_email_verified", json!({"id": person.id, "email": "other@acme.example"}));
    assert_eq!(other.problem(), (409, "user_conflict".into()));
    assert_eq!(asked.lab.person(&person.id).unwrap()["emailVerified"], false);
    asked.order("users.mark_email_verified", json!({"id": person.id, "email": person.email}));
    let mut expected = before;
    expected["emailVerified"] = json!(true);
    assert_eq!(asked.lab.person(&person.id).unwrap(), expected);
    assert!(asked.lab.mails_to(&person.email).is_empty());
}

#[test]
fn a_deleted_user_is_gone_at_keycloak_and_by_every_key() {
    let _running = running();
    let asked = Asked::new();
    let person = asked.lab.new_person();
    let delete = asked.lab.signer().call("users.delete", json!({"id": person.id}));
    assert_eq!(delete.send(asked.bridge.address()).json(), json!({"existed": true}));
    assert_eq!(delete.send(asked.bridge.address()).headers["idempotent-replayed"], "true");
    assert_eq!(asked.ask("users.delete", json!({"id": person.id})).json(), json!({"existed": false}));
    assert_eq!(asked.lab.person(&person.id), None);
    for (kind, data) in [
        ("users.get_by_id", json!({"id": person.id})),
        ("users.get_by_email", json!({"email": person.email})),
        ("users.get_by_customer", json!({"customer": person.customer})),
    ] {
        assert_eq!(asked.ask(kind, data).problem(), (404, "user_not_found".into()), "{kind}");
    }
}

#[test]
fn a_login_is_counted_and_dated() {
    let _running = running();
    let asked = Asked::new();
    let person = asked.lab.new_person();
    let user = || asked.ask("users.get_by_id", json!({"id": person.id})).json()["user"].clone();
    assert_eq!((&user()["logins_count"], user().get("login_time")), (&json!("0"), None));
    assert!(asked.lab.lets_in(&person, PASSWORD));
    assert!(asked.lab.lets_in(&person, PASSWORD));
    let user = user();
    assert_eq!(user["logins_count"], "2");
    assert!(user["login_time"].as_str() > user["create_time"].as_str(), "{user}");
}

#[test]
fn person_named_like_service_account_is_found_and_deleted() {
    let _running = running();
    let asked = Asked::new();
    let person = asked.lab.new_person_named(format!("service-account-ada-{}", std::process::id()));
    for (kind, data) in [
        ("users.get_by_id", json!({"id": person.id})),
        ("users.get_by_email", json!({"email": person.email})),
        ("users.get_by_customer", json!({"customer": person.customer})),
    ] {
        let reply = asked.ask(kind, data);
        assert_eq!((reply.status, &reply.json()["user"]["id"]), (200, &json!(person.id)), "{kind}: {reply:?}");
    }
    let reply = asked.ask("users.delete", json!({"id": person.id}));
    assert_eq!((reply.status, reply.json()), (200, json!({"existed": true})));
    assert!(asked.lab.person(&person.id).is_none());
}

#[test]
fn the_command_line_asks_keycloak_with_and_without_a_server() {
    let _running = running();
    let asked = Asked::new();
    let folder = tempfile::tempdir().unwrap();
    let config = asked.lab.config();
    let config = config.to_str().unwrap();
    let run = |line: &str| run_in(folder.path(), line.split_whitespace()).with_code(0).json();
    let direct = run(&format!("users get-by-customer c-1001 --config {config} --json"));
    let key_file = asked.lab.text("/bridge/webhook_key_file");
    let options = format!("--tenant acme --url {} --key-file {key_file} --json", asked.bridge.url());
    assert_eq!(run(&format!("call get-by-email ada@acme.example {options}")), direct);
    assert_eq!(run(&format!("call ping {options}"))["connector"], "keycloak");
}
