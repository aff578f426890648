//! Hostile definitions and answers: no panic, and no request outside the declared origins.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use idp_bridge_connector_http::{Definition, Http, HttpConfig, catalog};
use idp_bridge_core::{CallScope, CustomerId, Email, IdentityProvider, Secret, UserId, UserKey};
use idp_bridge_test_http::{Server, answer};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const SAMPLE: &str = include_str!("sample.toml");

/// Parts of URLs, TOML and templates that a definition could use to leave its origin.
const HOSTILE: [&str; 26] = [
    "..",
    ".",
    "",
    "/",
    "//TRAP",
    "http://TRAP",
    "http:",
    "\\\\",
    "@TRAP",
    ":80@TRAP",
    "%2e%2e",
    "%2f",
    "?",
    "#",
    "a/b",
    "{id}",
    "{email|quoted}",
    "{cursor}",
    "{step.flow}",
    "{key}",
    "{url}",
    "{",
    "}",
    "\u{0}",
    "\u{202e}",
    "ä",
];

struct Stage {
    runtime: Runtime,
    upstream: Server,
    trap: Server,
    /// The status, the headers and the body of all answers.
    reply: Arc<Mutex<(u16, Vec<String>, String)>>,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let reply = Arc::new(Mutex::new((200, Vec::new(), String::new())));
    let shown = Arc::clone(&reply);
    let upstream = runtime.block_on(Server::start(move |_, _| {
        let (status, headers, body) = shown.lock().unwrap().clone();
        answer(status, &headers.iter().map(String::as_str).collect::<Vec<_>>(), &body)
    }));
    let trap = runtime.block_on(Server::start(|_, _| answer(200, &[], r#"{"id":"u-1"}"#)));
    Stage { runtime, upstream, trap, reply }
});

impl Stage {
    /// Runs all calls of a definition, and checks where their requests went. Returns their number.
    fn run(&self, definition: Definition, status: u16, body: String) -> Result<usize, TestCaseError> {
        let trap = self.trap.base();
        let headers = vec![format!("location: {trap}/x"), format!("link: <{trap}/x>; rel=\"next\"")];
        *self.reply.lock().unwrap() = (status, headers, body);
        let mut config = HttpConfig::default();
        for origin in definition.origins() {
            config.settings.insert(origin, format!("{}/base", self.upstream.base()));
        }
        config.secrets.insert("key".into(), Secret::new("s3cr3t"));
        let before = self.upstream.received().len();
        // A definition may still be refused with the settings of a tenant.
        let Ok(provider) = Http::with_definition(&Arc::new(definition), &config, &crate::context()) else {
            return Ok(0);
        };
        self.runtime.block_on(run_all(&provider));
        let sent = self.upstream.received().split_off(before);
        for request in &sent {
            let target = request.head.split(' ').nth(1).unwrap_or_default().to_owned();
            prop_assert!(target.starts_with("/base/") || target.starts_with("/base?") || target == "/base", "{target}");
            prop_assert!(!target.contains("/../") && !target.ends_with("/.."), "{target}");
        }
        prop_assert!(self.trap.received().is_empty(), "{:?}", self.trap.received());
        Ok(sent.len())
    }
}

async fn run_all(provider: &impl IdentityProvider) {
    let scope = || CallScope::new("r-1", Duration::from_secs(2));
    let (id, email) = (UserId::new("u-1").unwrap(), Email::new("ada@acme.example").unwrap());
    let customer = CustomerId::new("c-1").unwrap();
    for key in [UserKey::Id(&id), UserKey::Email(&email), UserKey::Customer(&customer)] {
        let _ = provider.get(&scope(), key).await;
    }
    let _ = provider.delete(&scope(), &id).await;
    let _ = provider.mark_email_verified(&scope(), &id, None).await;
    let _ = provider.send_verification_email(&scope(), &id).await;
    let _ = provider.send_password_reset_email(&scope(), &email).await;
    provider.diagnose(&scope()).await;
}

/// Any JSON, with the members that the sample reads, and URLs of the trap as texts.
fn json() -> impl Strategy<Value = Value> {
    let trap = STAGE.trap.base();
    let texts = prop::sample::select(vec![
        "u-1".to_owned(),
        "ada@acme.example".to_owned(),
        "sent".to_owned(),
        format!("{trap}/users"),
        "../../users".to_owned(),
        "x".repeat(5_000),
        "\u{0}\u{feff}".to_owned(),
        "{\"a\":[".to_owned(),
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        texts.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let names = prop::sample::select(vec!["id", "email", "customer", "items", "next", "state", "code", "place"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((names, inner), 0..6)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

/// An answer: any JSON, JSON within the places that the sample reads, deep JSON, or no JSON.
fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        json().prop_map(|value| value.to_string()),
        (json(), json()).prop_map(|(user, next)| {
            json!({"id": "u-1", "email": "ada@acme.example", "customer": "c-1", "place": user, "next": next,
                "items": [user, {"id": "u-1", "email": "ada@acme.example", "customer": "c-1"}], "state": "sent"})
            .to_string()
        }),
        (1..3_000_usize).prop_map(|depth| "[".repeat(depth) + &"]".repeat(depth)),
        any::<String>(),
    ]
}

/// A catalog text or the sample with one line removed, repeated or changed.
fn changed_definition() -> impl Strategy<Value = String> {
    let texts: Vec<&str> = catalog::names().map(|name| catalog::find(name).unwrap()).chain([SAMPLE]).collect();
    let part = prop_oneof![prop::sample::select(HOSTILE.to_vec()).prop_map(str::to_owned), ".{0,8}"];
    (prop::sample::select(texts), any::<prop::sample::Index>(), any::<prop::sample::Index>(), part, 0..4_u8).prop_map(
        |(text, line, at, part, kind)| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let index = line.index(lines.len());
            match kind {
                0 => drop(lines.remove(index)),
                1 => lines.insert(index, lines[index].clone()),
                _ => {
                    let places: Vec<usize> = lines[index].char_indices().map(|(at, _)| at).chain([0]).collect();
                    let place = places[at.index(places.len())];
                    lines[index].insert_str(place, &part);
                }
            }
            lines.join("\n")
        },
    )
}

/// The sample with a hostile text instead of one of its own.
fn planted_definition() -> impl Strategy<Value = String> {
    let places = [
        "\"users\"",
        "\"{id}\"",
        "\"flows\"",
        "\"mails\"",
        "{field} eq {customer|odata}",
        "email eq {email|quoted}",
        "\"{step.flow}\"",
        "\"/next\"",
        "\"/items\"",
        "flow = \"/id\"",
        "origin = \"url\"",
        "x-api-key",
        "\"none\"",
    ];
    let trap = STAGE.trap.base().replace("http://", "");
    (prop::sample::select(places.to_vec()), prop::sample::select(HOSTILE.to_vec())).prop_map(move |(place, hostile)| {
        let hostile = hostile.replace("TRAP", &trap);
        let text = if place.starts_with('"') { format!("\"{}\"", hostile.escape_default()) } else { hostile };
        SAMPLE.replace(place, &text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_definitions_never_panic(text in changed_definition()) {
        if let Err(problems) = Definition::parse(&text) {
            let lines = text.lines().count() + 1;
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line)), "{problems:?}");
        }
    }

    #[test]
    fn planted_definitions_stay_at_their_origins(text in planted_definition(), status in prop::sample::select(vec![200, 302, 307, 404])) {
        if let Ok(definition) = Definition::parse(&text) {
            let user = json!({"id": "u-1", "email": "ada@acme.example", "customer": "c-1", "place": "..", "state": "sent"});
            STAGE.run(definition, status, user.to_string())?;
        }
    }

    #[test]
    fn hostile_answers_stay_at_their_origins(body in body(), status in prop::sample::select(vec![200, 201, 302, 400, 404])) {
        let requests = STAGE.run(Definition::parse(SAMPLE).unwrap(), status, body)?;
        prop_assert!(requests >= 5, "{requests}");
    }
}
