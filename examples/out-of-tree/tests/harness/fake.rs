//! A fake Rolodex on 127.0.0.1, with people in memory.
//!
//! Its statuses and bodies are those of a real one. It is stricter: a request that a careful client never sends is a 400.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::{Answer, Fake, Incoming};
use idp_bridge_core::Email;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_http::Method;
use serde::Serialize;
use serde_json::{Value, json};

/// An API key that may read and write.
pub(crate) const KEY: &str = "key-of-the-bridge";
/// An API key that may only read.
pub(crate) const READ_ONLY: &str = "key-that-only-reads";
/// An API key without rights.
pub(crate) const POWERLESS: &str = "key-without-rights";

/// A person, as the API returns it.
#[derive(Serialize)]
pub(crate) struct Person {
    /// Assigned by [`People::create`].
    pub(crate) id: String,
    /// The address.
    pub(crate) mail: Option<Email>,
    /// Whether the address is verified.
    pub(crate) mail_verified: bool,
    /// Whether the person may not log in.
    pub(crate) suspended: bool,
    /// The time of the creation.
    pub(crate) joined: Timestamp,
    /// The values of the fields, by name.
    pub(crate) fields: BTreeMap<String, String>,
}

/// The people and the sent mails.
#[derive(Default)]
pub(crate) struct People {
    by_id: BTreeMap<String, Person>,
    created: u64,
    mails: Vec<Email>,
}

impl People {
    /// Creates a person and returns its id. An id with one letter changed belongs to no other person.
    pub(crate) fn create(&mut self, person: Person) -> String {
        self.created += 1;
        let id = format!("p{:016x}", self.created.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        self.by_id.insert(id.clone(), Person { id: id.clone(), ..person });
        id
    }

    /// Changes the address of a person, if it exists.
    pub(crate) fn change_mail(&mut self, id: &str, mail: &Email) {
        if let Some(person) = self.by_id.get_mut(id) {
            person.mail = Some(mail.clone());
        }
    }

    /// Returns the number of mails that were sent to this address.
    pub(crate) fn mails(&self, to: &Email) -> usize {
        self.mails.iter().filter(|mail| *mail == to).count()
    }

    fn search(&self, query: &BTreeMap<String, String>) -> Option<Answer> {
        let ((name, value), 1) = (query.first_key_value()?, query.len()) else { return None };
        let matches = |person: &&Person| match name.strip_prefix("fields.") {
            Some(field) => person.fields.get(field) == Some(value),
            None => person.mail.as_ref().is_some_and(|mail| mail.as_str().eq_ignore_ascii_case(value)),
        };
        let found: Vec<_> = self.by_id.values().filter(matches).collect();
        (name == "mail" || name.starts_with("fields.")).then(|| success(200, json!({"people": found})))
    }

    fn answer_about(&mut self, id: &str, request: &Incoming) -> Answer {
        let Some(person) = self.by_id.get_mut(id) else { return refusal(404, "no_such_person") };
        match request.method {
            Method::GET => success(200, json!(person)),
            Method::PATCH => match request.json().and_then(|change| change.get("mail_verified")?.as_bool()) {
                Some(verified) => {
                    person.mail_verified = verified;
                    success(200, json!(person))
                }
                None => refusal(400, "no_change"),
            },
            Method::DELETE => {
                self.by_id.remove(id);
                Answer::empty(204)
            }
            _ => refusal(405, "no_such_method"),
        }
    }

    fn send_mail(&mut self, id: &str, request: &Incoming) -> Answer {
        let Some(person) = self.by_id.get(id) else { return refusal(404, "no_such_person") };
        let kinds = [json!({"kind": "verification"}), json!({"kind": "password_reset"})];
        match &person.mail {
            Some(mail) if request.json().is_some_and(|order| kinds.contains(&order)) => {
                if mail.as_str().starts_with("undeliverable") {
                    return refusal(500, "mail_failed");
                }
                let queued = !mail.as_str().starts_with("unaccepted");
                self.mails.extend(queued.then(|| mail.clone()));
                success(202, json!({"queued": queued}))
            }
            _ => refusal(400, "no_such_mail"),
        }
    }
}

impl Fake for People {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let rights: &[&str] = match request.bearer() {
            Some(KEY) => &["read", "write"],
            Some(READ_ONLY) => &["read"],
            Some(POWERLESS) => &[],
            _ => return refusal(401, "no_such_key"),
        };
        let (Some(segments), Some(query)) = (request.segments(), request.query()) else {
            return refusal(400, "ambiguous_url");
        };
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let needed = if request.method == Method::GET { "read" } else { "write" };
        match (&request.method, segments.as_slice()) {
            (&Method::GET, ["key"]) => success(200, json!({"rights": rights})),
            _ if !rights.contains(&needed) => refusal(403, "forbidden"),
            (&Method::GET, ["people"]) => self.search(&query).unwrap_or_else(|| refusal(400, "no_such_search")),
            (_, ["people", id]) if query.is_empty() => self.answer_about(id, request),
            (&Method::POST, ["people", id, "mails"]) if query.is_empty() => self.send_mail(id, request),
            _ => refusal(404, "no_such_path"),
        }
    }
}

fn success(status: u16, body: Value) -> Answer {
    Answer::new(status, "application/json", body.to_string())
}

fn refusal(status: u16, error: &str) -> Answer {
    success(status, json!({"error": error}))
}
