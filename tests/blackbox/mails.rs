//! Mails by SMTP, from the signed call to the page of their link.

use std::process::Command;

use idp_bridge_test_smtp::{Security, SmtpServer};
use rustix::process::Signal;
use serde_json::json;

use crate::fixture::{Configured, KEY, MAIL_KEY, SAMPLE_USERS, TENANT, signer};
use crate::support::bridge::Bridge;
use crate::support::http::Request;
use crate::support::program::{finish, run_in};

/// Creates a configuration with a users table in a file, and with a mail server.
fn configure(mails: &SmtpServer, more: &str) -> Configured {
    let configured = Configured::new("");
    configured.write("users.json", SAMPLE_USERS);
    configured.write("mail-key", MAIL_KEY);
    configured.write("hello.txt", "Hello {{ email }}: {{ link }}\n");
    run_in(configured.folder(), ["users", "import", "users.json", "--sqlite", "users.db"]).with_code(0);
    let (database, port) = (configured.folder().join("users.db"), mails.port());
    configured.write(
        "idp-bridge.toml",
        &format!(
            "[server]\npublic_url = \"https://bridge.acme.example/base\"\nstate_dir = \".\"\nshutdown_delay = \"0s\"\n\
             [tenants.{TENANT}]\nwebhook_keys_file = [\"webhook\"]\n\
             [tenants.{TENANT}.connector]\ntype = \"sql\"\nurl = \"sqlite://{}\"\npreset = \"idp-bridge\"\n\
             [tenants.{TENANT}.connector.mail]\nsigning_key_file = \"mail-key\"\n\
             [tenants.{TENANT}.connector.mail.smtp]\nhost = \"localhost\"\nport = {port}\ntls = \"none\"\n\
             from = \"no-reply@acme.example\"\nreset_url = \"https://app.acme.example/reset\"\n{more}",
            database.display()
        ),
    );
    configured
}

fn call(bridge: &Bridge, kind: &str, data: serde_json::Value) -> (u16, String) {
    signer().call(kind, data).send(bridge.address()).verdict()
}

fn is_verified(bridge: &Bridge, id: &str) -> bool {
    let found = signer().call("users.get_by_id", json!({"id": id})).send(bridge.address());
    found.json()["user"]["email_verified"].as_bool().unwrap()
}

/// Returns the token of the link that begins so.
fn token(text: &str, start: &str) -> String {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no link: {text}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

fn press(bridge: &Bridge, token: &str) -> u16 {
    let form = Request::new("POST", "/v1/tenants/acme/verify-email").body(format!("token={token}"));
    form.header("content-type", "application/x-www-form-urlencoded").send(bridge.address()).status
}

#[test]
fn key_of_calls_signs_no_mails() {
    let configured = configure(&SmtpServer::start(Security::Plain), "");
    configured.write("mail-key", KEY);
    let ran = run_in(configured.folder(), ["check"]).with_code(2);
    assert!(ran.stderr.contains("`mail.signing_key` is the key of one of `webhook_keys`"), "{ran:?}");
    assert!(ran.stderr.contains("key `tenants.acme.connector.mail`") && !ran.stderr.contains(KEY), "{ran:?}");
}

#[test]
fn link_of_a_mail_verifies_the_address_once() {
    let mails = SmtpServer::start(Security::Plain);
    let configured = configure(&mails, "[tenants.acme.connector.mail.smtp.verification]\ntext_file = \"hello.txt\"\n");
    let mut bridge = configured.serve();
    assert_eq!(call(&bridge, "users.send_verification_email", json!({"id": "u-3"})).0, 200);
    let text = mails.text(0);
    assert!(text.starts_with("Hello linus@acme.example: "), "{text}");
    let token = token(&text, "https://bridge.acme.example/base/v1/tenants/acme/verify-email?token=");
    let page = Request::get(&format!("/v1/tenants/acme/verify-email?token={token}")).send(bridge.address());
    assert!(page.status == 200 && page.body.contains("linus@acme.example") && !is_verified(&bridge, "u-3"));
    assert_eq!(press(&bridge, &token), 200);
    assert!(is_verified(&bridge, "u-3"));
    // Not even a restart lets the link work again.
    let unmark =
        "import sqlite3; c = sqlite3.connect('users.db'); c.execute('update users set email_verified = 0'); c.commit()";
    finish(Command::new("python3").args(["-c", unmark]).current_dir(configured.folder())).with_code(0);
    bridge.signal(Signal::TERM);
    bridge.wait_for_exit();
    let bridge = configured.serve();
    assert_eq!(press(&bridge, &token), 200);
    assert!(!is_verified(&bridge, "u-3"));
    let log = bridge.log().join("\n");
    assert!(!log.contains(&token) && !log.contains("linus@"), "{log}");
}

#[test]
fn changed_address_makes_the_link_stale() {
    let mails = SmtpServer::start(Security::Plain);
    let configured = configure(&mails, "");
    let bridge = configured.serve();
    assert_eq!(call(&bridge, "users.send_verification_email", json!({"id": "u-3"})).0, 200);
    let token = token(&mails.text(0), "verify-email?token=");
    let change = "import sqlite3; c = sqlite3.connect('users.db'); c.execute(\"update users set email = 'eve@evil.example' where id = 'u-3'\"); c.commit()";
    finish(Command::new("python3").args(["-c", change]).current_dir(configured.folder())).with_code(0);
    assert_eq!(press(&bridge, &token), 409);
    assert!(!is_verified(&bridge, "u-3"));
}

#[test]
fn documented_python_verifies_tokens() {
    let page = include_str!("../../docs/mails.md");
    let code = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let mails = SmtpServer::start(Security::Plain);
    let configured = configure(&mails, "");
    let bridge = configured.serve();
    assert_eq!(call(&bridge, "users.send_password_reset_email", json!({"email": "ada@acme.example"})).0, 200);
    bridge.wait_for_log("\"call\":\"users.send_password_reset_email\"");
    let token = token(&mails.text(0), "https://app.acme.example/reset?token=");
    let verify = |token: &str, key: &str, kind: &str| {
        let program = format!("{code}\nprint(verify('{token}', '{key}', '{kind}', 'acme'))");
        finish(Command::new("python3").args(["-c", &program])).with_code(0).stdout
    };
    assert_eq!(verify(&token, MAIL_KEY, "password_reset"), "('u-1', 'ada@acme.example')\n");
    for (token, key, kind) in [
        (token.as_str(), MAIL_KEY, "verification"),
        (&token, KEY, "password_reset"),
        (&token.replacen("mail_", "mail-", 1), MAIL_KEY, "password_reset"),
    ] {
        assert_eq!(verify(token, key, kind), "None\n");
    }
}

#[test]
fn wrong_templates_are_found_by_check() {
    let mails = SmtpServer::start(Security::Plain);
    let configured = configure(&mails, "[tenants.acme.connector.mail.smtp.verification]\ntext_file = \"hello.txt\"\n");
    run_in(configured.folder(), ["check"]).with_code(0);
    configured.write("hello.txt", "Hello\n{{ name }}: {{ link }}\n");
    let ran = run_in(configured.folder(), ["check"]).with_code(2);
    assert!(ran.stderr.contains("`verification.text_file`, line 2") && ran.stderr.contains("hint: "), "{ran:?}");
}
