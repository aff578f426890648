//! A fake Okta org, for the definition of the catalog.
//!
//! It has the part of the Users API that the definition calls, with the error bodies of the recorded exchanges that the definition
//! names. It is stricter than Okta: each search result is outdated, and other searches, queries and paths are refused.

use idp_bridge_conformance::TestResult;
use idp_bridge_conformance::fake::{Answer, Fake, FakeServer, Incoming, Outcome};
use idp_bridge_connector_http::{HttpConfig, catalog};
use idp_bridge_connector_http_testing::DefinitionHarness;
use idp_bridge_core::jiff::{SignedDuration, Timestamp};
use idp_bridge_core::{Clock as _, Secret, SystemClock};
use idp_bridge_http::quote::read_double_quoted;
use idp_bridge_http::{HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};

const TOKEN: &str = "00-token-of-the-bridge";

/// Starts the suite's harness on a new org.
pub(crate) async fn start() -> TestResult<DefinitionHarness> {
    let org = FakeServer::start(Org::default()).await?;
    let mut config = HttpConfig::new("okta");
    config.settings.insert("url".to_owned(), org.url());
    config.secrets.insert("token".to_owned(), Secret::new(TOKEN));
    let harness = DefinitionHarness::start("okta".to_owned(), catalog::find("okta")?.to_owned(), config, 0).await?;
    Ok(harness.named("http:okta (fake)").keep(org))
}

/// The state of the org.
#[derive(Default)]
struct Org {
    users: Vec<User>,
    made: u32,
    last_change: Option<Timestamp>,
}

struct User {
    id: String,
    profile: Value,
    password: Value,
    status: &'static str,
    created: Timestamp,
    updated: Timestamp,
    last_login: Option<Timestamp>,
}

impl Fake for Org {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let answer = self.handle(request).unwrap_or_else(|refusal| refusal);
        answer.with(HeaderName::from_static("x-okta-request-id"), HeaderValue::from_static("req-1"))
    }
}

impl Org {
    fn handle(&mut self, request: &Incoming) -> Outcome {
        let segments = request.segments().ok_or_else(no_such_path)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["api", "v1", rest @ ..] = segments.as_slice() else { return Err(no_such_path()) };
        if (&request.method, rest) == (&Method::POST, &["authn"]) {
            return self.log_in(request);
        }
        if request.header(&header::AUTHORIZATION) != Some(&format!("SSWS {TOKEN}")) {
            return Err(refusal(401, "E0000011", "Invalid token provided"));
        }
        match (&request.method, rest) {
            (&Method::GET, ["users"]) => self.search(request),
            (&Method::POST, ["users"]) => self.create(request),
            (&Method::GET, ["users", name]) => Ok(Answer::json(200, &self.find(name)?.representation())),
            (&Method::POST, ["users", id]) => self.change(id, request),
            (&Method::DELETE, ["users", id]) => self.delete(id),
            (&Method::POST, ["users", id, "lifecycle", step]) => self.lifecycle(id, step),
            (&Method::POST, ["users", id, "credentials", "forgot_password"]) => self.forget(id, request),
            (&Method::GET, ["meta", "schemas", "user", "default"]) => {
                let property =
                    json!({"title": "Customer", "permissions": [{"principal": "SELF", "action": "READ_ONLY"}]});
                Ok(Answer::json(200, &json!({"definitions": {"custom": {"properties": {"customerId": property}}}})))
            }
            _ => Err(no_such_path()),
        }
    }

    /// Returns a time after that of every earlier change.
    fn now(&mut self) -> Timestamp {
        let (now, next) = (SystemClock.now(), self.last_change.map(|last| last + SignedDuration::from_millis(1)));
        *self.last_change.insert(next.map_or(now, |next| next.max(now)))
    }

    /// Finds a user by id, login, or the part of a login before `@`.
    fn find(&self, name: &str) -> Result<&User, Answer> {
        let by_id = self.users.iter().find(|user| user.id == name);
        let is_named = |user: &&User| {
            let login = user.text("login");
            login.eq_ignore_ascii_case(name) || login.split('@').next() == Some(name)
        };
        by_id.or_else(|| self.users.iter().find(is_named)).ok_or_else(|| no_such_user(name))
    }

    fn find_mut(&mut self, id: &str) -> Result<&mut User, Answer> {
        self.users.iter_mut().find(|user| user.id == id).ok_or_else(|| no_such_user(id))
    }

    fn search(&self, request: &Incoming) -> Outcome {
        let query = request.query().ok_or_else(|| invalid("query"))?;
        let names: Vec<&str> = query.keys().map(String::as_str).collect();
        let Some(search) = query.get("search") else {
            let all: Vec<Value> = self.users.iter().take(1).map(User::outdated).collect();
            return if names == ["limit"] { Ok(Answer::json(200, &all.into())) } else { Err(invalid("query")) };
        };
        let parsed = search.split_once(" eq ").and_then(|(name, value)| Some((name, read_double_quoted(value)?)));
        let (name, value) = parsed.filter(|_| names == ["limit", "search"]).ok_or_else(|| invalid("search"))?;
        let name = match name {
            "profile.email" => "email",
            "profile.customerId" => "customerId",
            _ => return Err(invalid("search")),
        };
        let hits = self.users.iter().filter(|user| user.text(name).to_lowercase() == value.to_lowercase());
        Ok(Answer::json(200, &hits.map(User::outdated).collect::<Vec<_>>().into()))
    }

    fn create(&mut self, request: &Incoming) -> Outcome {
        let body = request.json().ok_or_else(|| invalid("body"))?;
        let profile = body.get("profile").cloned().ok_or_else(|| invalid("profile"))?;
        let known = ["login", "email", "firstName", "lastName", "customerId"];
        if profile.as_object().is_none_or(|own| own.keys().any(|name| !known.contains(&name.as_str()))) {
            return Err(refusal(400, "E0000001", "Api validation failed: user"));
        }
        self.made += 1;
        let created = self.now();
        let user = User {
            id: format!("00u{0:08}{0:09}", self.made),
            profile,
            password: body.pointer("/credentials/password/value").cloned().unwrap_or_default(),
            status: "ACTIVE",
            created,
            updated: created,
            last_login: None,
        };
        let shown = user.representation();
        self.users.push(user);
        Ok(Answer::json(200, &shown))
    }

    fn change(&mut self, id: &str, request: &Incoming) -> Outcome {
        let body = request.json().ok_or_else(|| invalid("body"))?;
        let now = self.now();
        let user = self.find_mut(id)?;
        for (name, value) in body.get("profile").and_then(Value::as_object).ok_or_else(|| invalid("profile"))? {
            user.profile.as_object_mut().ok_or_else(|| invalid("profile"))?.insert(name.clone(), value.clone());
        }
        user.updated = now;
        Ok(Answer::json(200, &user.representation()))
    }

    /// Deactivates a user, or deletes a user that is deactivated.
    fn delete(&mut self, id: &str) -> Outcome {
        let user = self.find_mut(id)?;
        if user.status == "DEPROVISIONED" {
            self.users.retain(|user| user.id != id);
        } else {
            user.status = "DEPROVISIONED";
        }
        Ok(Answer::empty(204))
    }

    fn lifecycle(&mut self, id: &str, step: &str) -> Outcome {
        let user = self.find_mut(id)?;
        match step {
            "suspend" => user.status = "SUSPENDED",
            "reset_factors" => {}
            _ => return Err(no_such_path()),
        }
        Ok(Answer::json(200, &json!({})))
    }

    fn forget(&mut self, id: &str, request: &Incoming) -> Outcome {
        let is_mailed = request.query().is_some_and(|query| query.get("sendEmail").is_some_and(|own| own == "true"));
        if !is_mailed {
            // The answer would have the link.
            return Err(invalid("sendEmail"));
        }
        match self.find_mut(id)?.status {
            "ACTIVE" => Ok(Answer::json(200, &json!({}))),
            _ => Err(refusal(403, "E0000034", "Forgot password not allowed on specified user.")),
        }
    }

    fn log_in(&mut self, request: &Incoming) -> Outcome {
        let body = request.json().ok_or_else(|| invalid("body"))?;
        let now = self.now();
        let is_own =
            |user: &&mut User| Some(user.text("login")) == body["username"].as_str() && user.status == "ACTIVE";
        let user = self.users.iter_mut().find(is_own).filter(|user| user.password == body["password"]);
        match user {
            Some(user) => {
                user.last_login = Some(now);
                Ok(Answer::json(200, &json!({"status": "SUCCESS"})))
            }
            None => Err(refusal(401, "E0000004", "Authentication failed")),
        }
    }
}

impl User {
    fn text(&self, name: &str) -> &str {
        self.profile.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn representation(&self) -> Value {
        json!({
            "id": self.id, "status": self.status, "created": self.created, "activated": null, "lastLogin": self.last_login,
            "lastUpdated": self.updated, "profile": self.profile, "type": {"id": "oty1"},
        })
    }

    /// Returns the user as a search returns it.
    fn outdated(&self) -> Value {
        let mut shown = self.representation();
        shown["status"] = "STAGED".into();
        shown["lastUpdated"] = self.created.to_string().into();
        shown["profile"] = json!({"login": self.profile["login"], "email": "outdated@acme.example"});
        shown
    }
}

fn refusal(status: u16, code: &str, summary: &str) -> Answer {
    Answer::json(
        status,
        &json!({"errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oae1", "errorCauses": []}),
    )
}

fn no_such_user(name: &str) -> Answer {
    refusal(404, "E0000007", &format!("Not found: Resource not found: {name} (User)"))
}

fn no_such_path() -> Answer {
    refusal(404, "E0000008", "The requested path was not found")
}

fn invalid(what: &str) -> Answer {
    refusal(400, "E0000031", &format!("Invalid search criteria: {what}"))
}
