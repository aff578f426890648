//! Tests of the example application with a real browser and a real Keycloak.
//!
//! `cargo xtask screenshots` runs them to take the pictures of the documentation.

mod application;

use idp_bridge_test_http::{Relay, Target};
use serde_json::Value;
use tempfile::TempDir;

use self::application::Application;
use crate::chromium::{Chromium, pictures};
use crate::keycloak::{PASSWORD, form_request};
use crate::lab::{Lab, running};
use crate::support::bridge::Bridge;
use crate::support::http::{Reply, Request};

/// The cookie of the application.
const COOKIE: &str = "federation_app";

/// A browser, the example application, and a relay to a bridge before the lab's Keycloak.
struct Stage {
    lab: Lab,
    browser: Chromium,
    application: Application,
    relay: Relay,
    folder: TempDir,
}

impl Stage {
    /// Starts everything except the bridge: its configuration needs the address of the application.
    fn new() -> Self {
        let (lab, relay) = (Lab::get_running(), Relay::start());
        let client = (lab.text("/realm/web_client_id"), lab.text("/realm/web_client_secret"));
        let tenant = format!("{}/v1/tenants/{}", relay.url(), lab.text("/bridge/tenant"));
        let application = Application::start(&tenant, (&client.0, &client.1));
        Self { lab, browser: Chromium::open(), application, relay, folder: tempfile::tempdir().unwrap() }
    }

    /// Starts a bridge with the lab's configuration, and connects the relay to it.
    fn serve(&self) -> Bridge {
        let mut config: toml::Table = std::fs::read_to_string(self.lab.config()).unwrap().parse().unwrap();
        config["server"]["public_url"] = self.relay.url().into();
        config["server"]["state_dir"] = self.folder.path().to_str().unwrap().into();
        let federation = &mut config["tenants"][&self.lab.text("/bridge/tenant")]["federation"];
        federation["post_logout_redirect_uris"] = vec![self.application.url().to_owned() + "/logged-out"].into();
        let path = self.folder.path().join("idp-bridge.toml");
        std::fs::write(&path, config.to_string()).unwrap();
        let bridge = Bridge::serve(&path);
        self.relay.set_target(Target::At(bridge.address().to_owned()));
        bridge
    }

    /// Opens the application and starts the login.
    fn go_to_login(&self) {
        self.browser.go_to(self.application.url());
        self.browser.click("#log-in");
    }

    /// Submits Keycloak's login form.
    fn enter(&self, username: &str, password: &str) {
        self.browser.type_into("#username", username);
        self.browser.type_into("#password", password);
        self.browser.click("#kc-login");
    }

    /// Returns the access token that the application used last.
    fn access_token(&self) -> String {
        self.relay.last_after("authorization: Bearer ")
    }

    /// Requests the bridge's userinfo.
    fn userinfo(&self, bridge: &Bridge, token: &str) -> Reply {
        let path = format!("/v1/tenants/{}/userinfo", self.lab.text("/bridge/tenant"));
        bearer(&path, token).send(bridge.address())
    }

    /// Returns the status of Keycloak's userinfo.
    fn keycloak_userinfo(&self, token: &str) -> u16 {
        bearer(&self.keycloak_path("userinfo"), token).send(&self.lab.keycloak_address()).status
    }

    /// Refreshes a token at Keycloak.
    fn refresh(&self, token: &str) -> Reply {
        let (id, secret) = (self.lab.text("/realm/web_client_id"), self.lab.text("/realm/web_client_secret"));
        let form =
            [("grant_type", "refresh_token"), ("client_id", &id), ("client_secret", &secret), ("refresh_token", token)];
        form_request(&self.keycloak_path("token"), &form).send(&self.lab.keycloak_address())
    }

    fn keycloak_path(&self, endpoint: &str) -> String {
        format!("/realms/{}/protocol/openid-connect/{endpoint}", self.lab.text("/realm/name"))
    }

    /// Takes a picture for the documentation, if a folder for pictures is set.
    fn picture(&self, name: &str) {
        if let Some(folder) = pictures() {
            self.browser.picture("main", &folder.join(name));
        }
    }
}

fn bearer(path: &str, token: &str) -> Request {
    Request::get(path).header("authorization", format!("Bearer {token}"))
}

#[test]
fn application_shows_customer_and_logs_out() {
    let _running = running();
    let stage = Stage::new();
    let (bridge, browser, ada) = (stage.serve(), &stage.browser, stage.lab.user("ada"));

    stage.go_to_login();
    browser.type_into("#username", "ada");
    stage.picture("federation-login.png");
    browser.type_into("#password", ada["password"].as_str().unwrap());
    browser.click("#kc-login");
    assert_eq!(browser.text("#customer"), ada["customer"]);
    stage.picture("federation-customer.png");
    let first = stage.access_token();
    let user = stage.userinfo(&bridge, &first);
    assert_eq!(user.status, 200, "{user:?}");
    for (field, expected) in [("customer", &ada["customer"]), ("email", &ada["email"]), ("sub", &ada["id"])] {
        assert_eq!(
            (&user.json()[field], Value::from(browser.text(&format!("#{field}")))),
            (expected, expected.clone())
        );
    }

    // During Keycloak's session, an application without its cookie gets new tokens without a password.
    browser.forget_cookie(COOKIE);
    stage.go_to_login();
    assert_eq!(browser.text("#customer"), ada["customer"]);
    let second = stage.access_token();
    assert_ne!(first, second);

    browser.click("#log-out");
    assert_eq!(browser.text("#notice"), "You are logged out.");
    assert!(browser.url().starts_with(&format!("{}/logged-out?state=", stage.application.url())), "{}", browser.url());
    stage.picture("federation-logged-out.png");
    for token in [&first, &second] {
        let refused = stage.userinfo(&bridge, token);
        assert_eq!(refused.status, 401, "{refused:?}");
        assert!(refused.headers["www-authenticate"].contains("invalid_token"), "{refused:?}");
        assert_eq!(stage.keycloak_userinfo(token), 401);
    }
    let refreshed = stage.refresh(&stage.relay.last_after("refresh_token="));
    assert_eq!((refreshed.status, &refreshed.json()["error"]), (400, &"invalid_grant".into()), "{refreshed:?}");

    stage.go_to_login();
    browser.type_into("#password", "a-password");
    assert!(browser.url().contains(&stage.lab.keycloak_address()), "{}", browser.url());
}

#[test]
fn wrong_password_does_not_log_in() {
    let _running = running();
    let stage = Stage::new();
    let _bridge = stage.serve();
    let person = stage.lab.new_person();
    stage.go_to_login();
    stage.enter(&person.username, "another-password");
    assert_eq!(stage.browser.text("#input-error-username"), "Invalid username or password.");
    stage.browser.go_to(stage.application.url());
    assert_eq!(stage.browser.text("#log-in"), "Log in");
    assert!(!stage.browser.has("#customer"));
}

#[test]
fn logout_without_bridge_ends_no_login() {
    let _running = running();
    let stage = Stage::new();
    let (bridge, browser) = (stage.serve(), &stage.browser);
    let person = stage.lab.new_person();
    stage.go_to_login();
    stage.enter(&person.username, PASSWORD);
    assert_eq!(browser.text("#customer"), person.customer);
    let token = stage.access_token();

    drop(bridge);
    browser.click("#log-out");
    assert_eq!(browser.text("#problem"), "The bridge does not answer");
    assert!(browser.text("#hint").contains("nothing is logged out"), "{}", browser.text("#hint"));
    stage.picture("federation-no-bridge.png");
    assert_eq!(stage.keycloak_userinfo(&token), 200, "the login is not ended");

    let bridge = stage.serve();
    browser.go_to(stage.application.url());
    assert_eq!(browser.text("#customer"), person.customer, "the login continues");
    browser.click("#log-out");
    assert_eq!(browser.text("#notice"), "You are logged out.");
    assert_eq!((stage.keycloak_userinfo(&token), stage.userinfo(&bridge, &token).status), (401, 401));
}
