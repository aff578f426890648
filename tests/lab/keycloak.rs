//! The lab's realm: its users, its admin API and its process.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::support::bridge::until;
use crate::support::http::{Reply, Request};

/// A user that a test created.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) customer: String,
    pub(crate) username: String,
}

pub(crate) const PASSWORD: &str = "a-first-password";

impl Lab {
    /// Creates a user with an unverified address and unique names.
    pub(crate) fn new_person(&self) -> Person {
        static MADE: AtomicU32 = AtomicU32::new(0);
        self.new_person_named(format!("person-{}-{}", std::process::id(), MADE.fetch_add(1, Relaxed)))
    }

    /// Creates a user with this user name.
    pub(crate) fn new_person_named(&self, username: String) -> Person {
        let (email, customer) = (format!("{username}+tag@acme.example"), format!("c {username}"));
        let representation = json!({
            "username": username, "email": email, "emailVerified": false, "enabled": true,
            "firstName": "Some", "lastName": "Person",
            "attributes": {self.text("/realm/customer_attribute"): [customer]},
            "credentials": [{"type": "password", "value": PASSWORD, "temporary": false}],
        });
        let made = self.admin("POST", "/users", &representation);
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.headers["location"].rsplit('/').next().unwrap().to_owned();
        Person { id, email, customer, username }
    }

    /// Returns Keycloak's representation of the user, if it exists.
    pub(crate) fn person(&self, id: &str) -> Option<Value> {
        let reply = self.admin("GET", &format!("/users/{id}"), &Value::Null);
        (reply.status == 200).then(|| reply.json())
    }

    /// Returns whether the user can log in with this password.
    pub(crate) fn can_log_in(&self, person: &Person, password: &str) -> bool {
        let form = [
            ("grant_type", "password"),
            ("client_id", &self.text("/realm/app_client_id")),
            ("username", &person.username),
            ("password", password),
        ];
        let path = format!("/realms/{}/protocol/openid-connect/token", self.text("/realm/name"));
        self.post_form(&path, &form).status == 200
    }

    /// Returns an access token of a sample user, from a direct grant.
    pub(crate) fn access_token(&self, username: &str, password: &str) -> String {
        let form = [
            ("grant_type", "password"),
            ("client_id", &self.text("/realm/app_client_id")),
            ("username", username),
            ("password", password),
            ("scope", "openid"),
        ];
        let path = format!("/realms/{}/protocol/openid-connect/token", self.text("/realm/name"));
        self.post_form(&path, &form).json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Sends a request to the realm's admin API.
    pub(crate) fn admin(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.admin_of_all(method, &format!("/{}{path}", self.text("/realm/name")), body)
    }

    /// Sends a request to the admin API of all realms.
    pub(crate) fn admin_of_all(&self, method: &str, path: &str, body: &Value) -> Reply {
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", &self.text("/keycloak/admin_username")),
            ("password", &self.text("/keycloak/admin_password")),
        ];
        let token = self.post_form("/realms/master/protocol/openid-connect/token", &form).json();
        let path = format!("/admin/realms{path}");
        let request = Request::new(method, &path)
            .header("authorization", format!("Bearer {}", token["access_token"].as_str().unwrap()));
        let request = if body.is_null() { request } else { request.json(body) };
        request.send(&self.keycloak_address())
    }

    fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Reply {
        form_request(path, form).send(&self.keycloak_address())
    }

    /// Stops Keycloak and waits until its port is closed.
    pub(crate) fn stop_keycloak(&self) {
        let pid = std::fs::read_to_string(self.text("/keycloak/process/pid_file")).unwrap();
        kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), Signal::TERM).unwrap();
        let address = self.keycloak_address();
        until(|| std::net::TcpStream::connect(&address).err()).expect("Keycloak stops");
    }

    /// Starts Keycloak again. The lab stops it at its own end.
    pub(crate) fn start_keycloak(&self) {
        let log = std::fs::File::options().append(true).open(self.text("/keycloak/process/log")).unwrap();
        let start = self.text("/keycloak/process/start");
        let mut command = Command::new(Path::new(&start));
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        std::thread::spawn(move || child.wait());
    }

    /// Waits until Keycloak is ready.
    pub(crate) fn wait_for_keycloak(&self) {
        let management = self.text("/keycloak/management_url");
        let management = management.trim_start_matches("http://");
        let is_ready = || {
            std::net::TcpStream::connect(management).ok()?;
            (Request::get("/health/ready").send(management).status == 200).then_some(())
        };
        (0..6).find_map(|_| until(is_ready)).expect("Keycloak comes back");
    }
}

/// Creates a POST request with a form.
pub(crate) fn form_request(path: &str, form: &[(&str, &str)]) -> Request {
    let body: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    Request::new("POST", path).header("content-type", "application/x-www-form-urlencoded").body(body.join("&"))
}

fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
