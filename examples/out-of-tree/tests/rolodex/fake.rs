//! A Rolodex on 127.0.0.1, with people in memory.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::{Answer, Fake, Incoming};
use serde_json::{Value, json};

/// A key that may read and write.
pub const KEY: &str = "key-of-the-bridge";
/// A key that may only read.
pub const READ_ONLY: &str = "key-that-only-reads";
/// A key without rights.
pub const POWERLESS: &str = "key-without-rights";

/// The people of the fake.
#[derive(Default)]
pub struct Cards {
    people: BTreeMap<String, Value>,
    made: u64,
}

impl Cards {
    /// Creates a person and returns its id. An id with one letter changed belongs to no other person.
    pub fn create(&mut self, mut person: Value) -> String {
        self.made += 1;
        let id = format!("p{:016x}", self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        person["id"] = json!(id);
        self.people.insert(id.clone(), person);
        id
    }

    /// Changes the address of a person, if it exists.
    pub fn change_mail(&mut self, id: &str, mail: &str) {
        if let Some(person) = self.people.get_mut(id) {
            person["mail"] = json!(mail);
        }
    }

    fn search(&self, request: &Incoming) -> Option<Answer> {
        let query = request.query()?;
        let ((name, value), 1) = (query.first_key_value()?, query.len()) else { return None };
        let matches_query = |person: &&Value| match (name.as_str(), &person[name]) {
            ("mail", Value::String(mail)) => mail.eq_ignore_ascii_case(value),
            ("client", Value::String(client)) => client == value,
            _ => false,
        };
        matches!(name.as_str(), "mail" | "client")
            .then(|| success(&json!({"people": self.people.values().filter(matches_query).collect::<Vec<_>>()})))
    }

    fn person(&mut self, method: &str, id: &str, request: &Incoming) -> Answer {
        let Some(person) = self.people.get_mut(id) else { return refusal(404, "no_such_person") };
        match method {
            "GET" => success(person),
            "PATCH" => match request.json().and_then(|change| change.get("mail_verified")?.as_bool()) {
                Some(verified) => {
                    person["mail_verified"] = json!(verified);
                    success(person)
                }
                None => refusal(400, "no_change"),
            },
            "DELETE" => {
                self.people.remove(id);
                Answer::empty(204)
            }
            _ => refusal(405, "no_such_method"),
        }
    }
}

impl Fake for Cards {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let rights: &[&str] = match request.bearer() {
            Some(KEY) => &["read", "write"],
            Some(READ_ONLY) => &["read"],
            Some(POWERLESS) => &[],
            _ => return refusal(401, "no_such_key"),
        };
        let segments = request.segments().unwrap_or_default();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let needed = if request.method == "GET" { "read" } else { "write" };
        match segments.as_slice() {
            ["key"] => success(&json!({"may": rights})),
            _ if !rights.contains(&needed) => refusal(403, "forbidden"),
            ["people"] => self.search(request).unwrap_or_else(|| refusal(400, "no_such_search")),
            ["people", id] => self.person(request.method.as_str(), id, request),
            _ => refusal(404, "no_such_path"),
        }
    }
}

fn success(body: &Value) -> Answer {
    Answer::new(200, "application/json", body.to_string())
}

fn refusal(status: u16, error: &str) -> Answer {
    Answer::new(status, "application/json", json!({"error": error}).to_string())
}
