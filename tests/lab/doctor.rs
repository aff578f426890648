//! Tests of `doctor` against a real Keycloak, with one setting after the other removed.

use std::path::Path;

use idp_bridge_conformance::TestResult;
use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_connector_keycloak::KeycloakConfig;
use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;
use idp_bridge_core::Secret;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::lab::{Lab, running};
use crate::support::program::{Output, run_in};

/// A realm for one test, which may break its settings.
struct Realm {
    harness: KeycloakHarness,
    runtime: Runtime,
}

impl Realm {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let server = Lab::get_running().server().unwrap();
        let harness = runtime.block_on(KeycloakHarness::start(server)).unwrap();
        Self { harness, runtime }
    }

    /// Makes a change in the realm.
    fn change<T>(&self, change: impl Future<Output = TestResult<T>>) -> T {
        self.runtime.block_on(change).unwrap()
    }

    fn role(&self, role: &str, granted: bool) {
        self.change(self.harness.set_role(role, granted));
    }

    fn settings(&self, settings: Value) {
        self.change(self.harness.change_realm(settings));
    }

    fn customer(&self, permissions: Option<Value>) {
        self.change(self.harness.declare_customer(permissions));
    }
}

/// Runs `doctor` for the realm.
fn doctor(realm: &Realm) -> Output {
    doctor_with(&realm.harness.config())
}

fn doctor_with(config: &KeycloakConfig) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let credential = match (&config.client_secret, &config.private_key) {
        (Some(secret), None) => format!("client_secret = {:?}", secret.expose()),
        (None, Some(key)) => format!("private_key = {:?}", key.expose()),
        _ => panic!("expected one credential"),
    };
    let text = format!(
        "[tenants.t]\nwebhook_keys = [\"whpk_OzHzv9dJQOjJf0cyLa6rPQCJhfbThuf70Bc1z9fVDQA=\"]\n[tenants.t.connector]\n\
         type = \"keycloak\"\nurl = \"{}\"\nrealm = \"{}\"\nclient_id = \"{}\"\n{credential}\n\
         customer_attribute = \"{}\"\nlogin_events = {}\n",
        config.url,
        config.realm,
        config.client_id,
        config.customer_attribute,
        config.private_key.is_none(),
    );
    std::fs::write(folder.path().join("idp-bridge.toml"), text).unwrap();
    run_in(folder.path(), ["doctor", "--json", "--timeout", "20s"])
}

/// Returns the verdicts and fixes of all findings that are not ok.
fn steps(ran: Output, code: i32) -> Vec<(Value, String)> {
    let findings = ran.with_code(code).json()[0]["findings"].clone();
    let open = findings.as_array().unwrap().iter().filter(|finding| finding["verdict"] != "ok");
    open.map(|finding| (finding["verdict"].clone(), finding["fix"].as_str().unwrap().to_owned())).collect()
}

#[track_caller]
fn assert_only(steps: &[(Value, String)], verdict: &str, step: &str) {
    assert!(steps.iter().any(|(own, fix)| own == verdict && fix.contains(step)), "no {step:?} in {steps:?}");
    assert!(steps.iter().all(|(_, fix)| fix.contains(step)), "more than {step:?} in {steps:?}");
}

#[test]
fn configuration_of_lab_is_ok() {
    let _running = running();
    let config = Lab::get_running().config();
    let ran = run_in(Path::new("/"), ["doctor", "--config", config.to_str().unwrap()]).with_code(0);
    for bad in ["FAILED", "not visible", "not possible"] {
        assert!(!ran.stdout.contains(bad), "{ran:?}");
    }
    assert!(ran.stdout.contains("users.send_password_reset_email    ok"), "{ran:?}");
}

#[test]
fn client_certificate_replaces_the_secret() {
    let _running = running();
    let lab = Lab::get_running();
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "[tenants.t]\nwebhook_keys = [\"whpk_OzHzv9dJQOjJf0cyLa6rPQCJhfbThuf70Bc1z9fVDQA=\"]\n[tenants.t.connector]\n\
         type = \"keycloak\"\nurl = \"{}\"\nrealm = \"acme\"\nclient_id = \"idp-bridge-certificate\"\n\
         ca_file = \"authority.pem\"\nclient_certificate_file = \"bridge.pem\"\nclient_key_file = \"bridge.key\"\n",
        lab.text("/keycloak/https_url")
    );
    std::fs::write(folder.path().join("idp-bridge.toml"), settings).unwrap();
    let certificates = lab.text("/keycloak/certificates");
    let copy = |from: &str, to: &str| {
        std::fs::copy(Path::new(&certificates).join(from), folder.path().join(to)).unwrap();
    };
    ["authority.pem", "bridge.pem", "bridge.key"].into_iter().for_each(|name| copy(name, name));
    let read = || run_in(folder.path(), ["users", "get-by-email", "ada@acme.example", "--json"]);
    let doctor = || run_in(folder.path(), ["doctor", "--json", "--timeout", "20s"]);
    assert_eq!(read().with_code(0).json()["user"]["customer"], "c-1001");
    assert_only(&steps(doctor(), 0), "not_visible", "tick `view-realm`");

    // Another subject of the same authority.
    copy("keycloak.pem", "bridge.pem");
    copy("keycloak.key", "bridge.key");
    assert_eq!(read().with_code(1).json()["kind"], "Unauthenticated");
    let refused = steps(doctor(), 1);
    assert!(refused.iter().any(|(_, fix)| fix.contains("Subject DN: that of the client certificate")), "{refused:?}");
}

#[test]
fn missing_settings_are_found_with_fix() {
    let _running = running();
    let realm = Realm::new();
    assert_eq!(steps(doctor(&realm), 0), []);

    realm.role("manage-users", false);
    let missing = steps(doctor(&realm), 1);
    assert_only(&missing, "failed", "Service accounts roles → Assign role → Client roles: tick `manage-users`");
    realm.role("manage-users", true);

    realm.role("view-events", false);
    assert_only(&steps(doctor(&realm), 1), "failed", "tick `view-events`");
    realm.role("view-events", true);

    realm.role("view-realm", false);
    assert_only(&steps(doctor(&realm), 0), "not_visible", "tick `view-realm`");
    realm.role("view-realm", true);

    realm.settings(json!({"smtpServer": {}}));
    assert_only(&steps(doctor(&realm), 1), "failed", "Realm settings → Email");
    let port = Lab::get_running().get("/smtp/port").unwrap().to_string();
    let smtp = json!({"host": "127.0.0.1", "port": port, "from": "no-reply@acme.example"});
    realm.settings(json!({"smtpServer": smtp}));

    realm.customer(None);
    assert_only(&steps(doctor(&realm), 1), "failed", "User profile → Attributes → Create attribute");
    let everybody = json!({"view": ["admin", "user"], "edit": ["admin", "user"]});
    realm.customer(Some(everybody));
    assert_only(&steps(doctor(&realm), 1), "failed", "`Who can edit?` only Admin");
    realm.customer(Some(json!({"view": ["admin"], "edit": ["admin"]})));

    realm.settings(json!({"eventsEnabled": false}));
    assert_only(&steps(doctor(&realm), 1), "failed", "Save events");
    realm.settings(json!({"eventsEnabled": true}));

    assert_eq!(steps(doctor(&realm), 0), [], "all is well again");
    realm.change(realm.harness.remove());
    let gone = steps(doctor(&realm), 1);
    assert!(gone.iter().any(|(_, fix)| fix.contains("realm")), "{gone:?}");
}

#[test]
fn private_key_replaces_the_secret() {
    let _running = running();
    let realm = Realm::new();
    for key in [SigningKey::rs256("k-1").unwrap(), SigningKey::es256("k-2").unwrap()] {
        let mut config = realm.change(realm.harness.config_with_key(&key));
        // The client has only the role that the calls need.
        assert_only(&steps(doctor_with(&config), 0), "not_visible", "tick `view-realm`");
        config.private_key = Some(Secret::new(SigningKey::es256("k-3").unwrap().private_pem().unwrap()));
        let refused = steps(doctor_with(&config), 1);
        assert!(refused.iter().any(|(_, fix)| fix.contains("`idp-bridge keys public` prints")), "{refused:?}");
    }
}
