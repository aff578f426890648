//! Tests of the form on `/docs` that signs in the browser, with a real one.

use idp_bridge_protocol::SigningKey;
use idp_bridge_test_http::{Relay, Target};
use serde_json::json;
use tempfile::TempDir;

use crate::chromium::{Chromium, pictures};
use crate::support::bridge::{Bridge, until};

const SHARED: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const PRIVATE: &str = "whsk_/mNQL1NLSpJtd820gMbjBtdPkirjWybMvbu5nlnYpbQ=";
const OTHER: &str = "whsec_b3RoZXItMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk=";
const USERS: &str = include_str!("../../crates/idp-bridge-connector-memory/src/sample_users.json");
const CONFIG: &str = "[server]\nshutdown_delay = \"0s\"\n[tenants.acme]\nwebhook_keys_file = [\"shared\", \"public\"]\n\
    [tenants.acme.connector]\ntype = \"memory\"\nusers_file = \"users.json\"\n";
/// The request and the response of the form.
const REQUEST: &str = "#try-request";
const RESPONSE: &str = "#try-response";

/// A browser that shows the page of a bridge behind a relay, which records what is sent.
struct Stage {
    browser: Chromium,
    relay: Relay,
    bridge: Bridge,
    _folder: TempDir,
}

impl Stage {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let public = SigningKey::parse(PRIVATE).unwrap().to_verifying_text();
        for (name, text) in
            [("shared", SHARED), ("public", public.expose()), ("users.json", USERS), ("idp-bridge.toml", CONFIG)]
        {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let (bridge, relay) = (Bridge::serve(&folder.path().join("idp-bridge.toml")), Relay::start());
        relay.set_target(Target::At(bridge.address().to_owned()));
        let browser = Chromium::open();
        browser.go_to(&format!("{}/docs", relay.url()));
        Self { browser, relay, bridge, _folder: folder }
    }

    /// Enters a key, sends the call, and waits for a response that contains a text.
    #[track_caller]
    fn send(&self, key: &str, expected: &str) -> String {
        self.browser.run("document.getElementById('try-key').value = ''");
        self.browser.type_into("#try-key", key);
        self.browser.click("#playground button");
        let found = until(|| Some(self.browser.text(RESPONSE)).filter(|text| text.contains(expected)));
        found.unwrap_or_else(|| panic!("no {expected:?}: {:?}", self.browser.text(RESPONSE)))
    }

    /// Selects an operation, and returns the data of its example.
    fn select(&self, operation: &str) -> String {
        let script = format!(
            "const select = document.getElementById('try-operation'); select.value = '{operation}'; \
             select.dispatchEvent(new Event('change')); return document.getElementById('try-data').value"
        );
        self.browser.run(&script).as_str().unwrap().to_owned()
    }

    fn has_no_horizontal_scrolling(&self) -> bool {
        self.browser.run("return document.documentElement.scrollWidth <= window.innerWidth") == true
    }
}

#[test]
fn browser_signs_and_sends_a_call() {
    let stage = Stage::start();
    let browser = &stage.browser;
    browser.type_into("#try-tenant", "acme");
    stage.send(SHARED, "capabilities");
    assert!(stage.select("users.get_by_id").contains("u-1"));
    let found = stage.send(SHARED, "ada@acme.example");
    assert!(found.starts_with("200 OK") && found.contains("x-request-id: "), "{found}");
    let request = browser.text(REQUEST);
    for part in ["POST /v1/tenants/acme/webhook", "webhook-signature: v1,", "\"type\":\"users.get_by_id\""] {
        assert!(request.contains(part), "{part}: {request}");
    }
    stage.send(PRIVATE, "ada@acme.example");
    assert!(browser.text(REQUEST).contains("webhook-signature: v1a,"), "{}", browser.text(REQUEST));

    assert!(stage.select("users.mark_email_verified").contains("\"email\""), "the example of the operation");
    stage.send(SHARED, "200 OK");
    for (key, problem) in [(OTHER, "invalid_signature"), ("abc", "The key has to begin with whsec_")] {
        stage.send(key, problem);
        assert!(browser.has("#try-response.bad"));
    }

    // A key leaves no trace outside of its field.
    for key in [SHARED, PRIVATE, OTHER] {
        let secret = &key[key.len() - 20..key.len() - 2];
        assert!(!stage.relay.has_sent(secret), "{key}");
        assert!(!stage.bridge.log().iter().any(|line| line.contains(secret)), "{key}");
        assert!(!browser.text(REQUEST).contains(secret) && !browser.url().contains(secret), "{key}");
    }
    let stored = "return localStorage.length + sessionStorage.length + document.cookie.length";
    assert_eq!(browser.run(stored), json!(0));
}

#[test]
fn page_runs_no_other_script() {
    let stage = Stage::start();
    stage.browser.run(
        "const script = document.createElement('script'); \
         try { script.textContent = 'document.title = \"broken\"'; document.body.append(script) } catch {}",
    );
    let title = stage.browser.run("return document.title");
    assert!(title.as_str().unwrap().starts_with("idp-bridge"), "{title}");
}

#[test]
fn page_fits_wide_and_narrow_windows() {
    let stage = Stage::start();
    stage.browser.type_into("#try-tenant", "acme");
    stage.select("users.get_by_email");
    stage.send(SHARED, "ada@acme.example");
    for (name, size, is_dark) in
        [("docs-try.png", (1280, 1100), false), ("docs-try-narrow-dark.png", (390, 1100), true)]
    {
        stage.browser.set_window(size, is_dark);
        assert!(stage.has_no_horizontal_scrolling(), "{name}");
        stage.browser.run("document.querySelectorAll('details').forEach((details) => details.open = true)");
        assert!(stage.has_no_horizontal_scrolling(), "{name} with examples");
        stage.browser.run("document.getElementById('try').scrollIntoView()");
        if let Some(folder) = pictures() {
            stage.browser.picture_of_window(&folder.join(name));
        }
    }
}
