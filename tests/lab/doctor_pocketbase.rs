//! Tests of `doctor` against a real PocketBase: only rules that protect the customer pass.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lab::Lab;
use crate::support::http::{Reply, Request};
use crate::support::program::run_in;

const TERM: &str = "@request.body.customer_id:isset = false";
const PASSWORD: &str = "correct-horse-battery-staple-9";

/// A collection for one test, which may break its rules.
struct Collection {
    lab: Lab,
    name: String,
    token: String,
    /// The configuration of a bridge that uses the collection.
    folder: TempDir,
}

impl Collection {
    fn create(name: &str) -> Self {
        let lab = Lab::find("pocketbase").unwrap_or_else(|error| panic!("{error}"));
        let (superuser, password) =
            (lab.text("/definition/settings/superuser"), lab.text("/definition/secrets/password"));
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[tenants.t]\nwebhook_keys = [\"whpk_OzHzv9dJQOjJf0cyLa6rPQCJhfbThuf70Bc1z9fVDQA=\"]\n[tenants.t.connector]\n\
             type = \"http\"\ndefinition = \"pocketbase\"\nsettings.url = \"{}\"\nsettings.superuser = \"{superuser}\"\n\
             settings.collection = \"{name}\"\nsecrets.password = \"{password}\"\n",
            lab.text("/definition/settings/url"),
        );
        std::fs::write(folder.path().join("idp-bridge.toml"), text).unwrap();
        let mut collection = Self { lab, name: name.to_owned(), token: String::new(), folder };
        let login = collection.send(
            "POST",
            "_superusers/auth-with-password",
            json!({"identity": superuser, "password": password}),
        );
        collection.token = login.json()["token"].as_str().unwrap().to_owned();
        let fields = json!([{"name": "customer_id", "type": "text"}]);
        let made = collection.send("POST", "", json!({"name": name, "type": "auth", "fields": fields}));
        assert_eq!(made.status, 200, "{made:?}");
        collection
    }

    /// Sends a request to the API of collections.
    fn send(&self, method: &str, path: &str, body: Value) -> Reply {
        self.send_as(&self.token, method, path, body)
    }

    fn send_as(&self, token: &str, method: &str, path: &str, body: Value) -> Reply {
        let url = self.lab.text("/definition/settings/url");
        let path = format!("/api/collections/{path}");
        let request = Request::new(method, path.trim_end_matches('/')).header("authorization", token).json(&body);
        request.send(url.trim_start_matches("http://"))
    }

    /// Returns whether a new user can write the own customer, or choose it at the registration.
    fn can_users_write(&self, email: &str) -> bool {
        let records = format!("{}/records", self.name);
        let user = |email: &str| json!({"email": email, "password": PASSWORD, "passwordConfirm": PASSWORD, "customer_id": "c-1"});
        let id = self.send("POST", &records, user(email)).json()["id"].as_str().unwrap().to_owned();
        let log_in = format!("{}/auth-with-password", self.name);
        let login = self.send_as("", "POST", &log_in, json!({"identity": email, "password": PASSWORD})).json();
        let token = login["token"].as_str().unwrap();
        let update = self.send_as(token, "PATCH", &format!("{records}/{id}"), json!({"customer_id": "c-2"}));
        let create = self.send_as("", "POST", &records, user(&format!("new-{email}")));
        update.status == 200 || create.status == 200
    }

    /// Returns the verdict of `doctor` about who can write the customer.
    fn verdict(&self) -> Value {
        let ran = run_in(self.folder.path(), ["doctor", "--json", "--timeout", "20s"]);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        let findings = report[0]["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["authority"] == true).unwrap()["verdict"].clone()
    }
}

#[test]
fn only_rules_that_protect_the_customer_pass() {
    let collection = Collection::create(&format!("doctor_{}", std::process::id()));
    let own = "id = @request.auth.id";
    for (index, (update, create, is_protected)) in [
        (Value::Null, Value::Null, true),
        (format!("{own} && {TERM}").into(), TERM.into(), true),
        (format!("({own} || verified = true) && {TERM}").into(), Value::Null, true),
        (own.into(), Value::Null, false),
        (Value::Null, "".into(), false),
        (format!("{own} || {TERM}").into(), TERM.into(), false),
        (format!("verified = true && {TERM} || {own}").into(), TERM.into(), false),
        (format!("{own} // && {TERM}").into(), TERM.into(), false),
    ]
    .into_iter()
    .enumerate()
    {
        let rules = json!({"updateRule": update, "createRule": create});
        let set = collection.send("PATCH", &collection.name, rules.clone());
        assert_eq!(set.status, 200, "{set:?}");
        assert_eq!(collection.can_users_write(&format!("user-{index}@acme.example")), !is_protected, "{rules}");
        assert_eq!(collection.verdict(), if is_protected { "ok" } else { "failed" }, "{rules}");
    }
    let gone = collection.send("DELETE", &collection.name, json!({}));
    assert_eq!(gone.status, 204, "{gone:?}");
}
