//! Hostile definitions and answers: no panic, and no request outside the declared origins.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_connector_http::{Definition, Http, HttpConfig, catalog};
use idp_bridge_core::{
    AccessToken, CallScope, ConnectorContext, CustomerId, Email, FederationSettings, IdentityProvider, OauthClient,
    Secret, UserId, UserKey,
};
use idp_bridge_test_http::{Received, Server, answer};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const SAMPLE: &str = include_str!("sample.toml");

/// The secrets of the settings `key` and `other`.
const SECRETS: [(&str, &str); 2] = [("key", "s3cr3t"), ("other", "0th3r-k3y")];

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
    /// A server for each origin of the sample.
    origins: [(&'static str, Server); 2],
    trap: Server,
    /// Held during a run, so that runs do not share requests and answers.
    turn: Mutex<()>,
    /// The status, the headers and the body of all answers.
    reply: Arc<Mutex<(u16, Vec<String>, String)>>,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let reply = Arc::new(Mutex::new((200, Vec::new(), String::new())));
    let start = || {
        let shown = Arc::clone(&reply);
        runtime.block_on(Server::start(move |_, request| {
            let (status, headers, body) = discovery(request).unwrap_or_else(|| shown.lock().unwrap().clone());
            answer(status, &headers.iter().map(String::as_str).collect::<Vec<_>>(), &body)
        }))
    };
    let origins = [("url", start()), ("public", start())];
    let trap = runtime.block_on(Server::start(|_, _| answer(200, &[], r#"{"id":"u-1"}"#)));
    Stage { runtime, origins, trap, turn: Mutex::default(), reply }
});

/// Returns the discovery document of an OpenID Provider, if it is requested.
fn discovery(request: &Received) -> Option<(u16, Vec<String>, String)> {
    let host = request.head.lines().find_map(|line| line.to_lowercase().strip_prefix("host: ").map(str::to_owned))?;
    request.head.split(' ').nth(1)?.strip_prefix("/base/.well-known/openid-configuration")?;
    Some((200, Vec::new(), crate::discovery(&format!("http://{host}/base"))))
}

impl Stage {
    /// Runs all calls of a definition, and checks where their requests and secrets went. Returns the number of requests.
    fn run(&self, definition: Definition, secrets: usize, status: u16, body: String) -> Result<usize, TestCaseError> {
        let _turn = self.turn.lock().unwrap();
        let trap = self.trap.base();
        let headers = vec![format!("location: {trap}/x"), format!("link: <{trap}/x>; rel=\"next\"")];
        *self.reply.lock().unwrap() = (status, headers, body);
        let mut config = HttpConfig::default();
        for (name, server) in &self.origins {
            config.settings.insert((*name).to_owned(), format!("{}/base", server.base()));
        }
        for (name, secret) in &SECRETS[..secrets] {
            config.secrets.insert((*name).to_owned(), Secret::new(*secret));
        }
        let before = self.origins.each_ref().map(|(_, server)| server.received().len());
        let clients = vec![OauthClient { id: "shop".to_owned(), secret: None }];
        let federation = Some(FederationSettings { clients, ..FederationSettings::default() });
        let context = ConnectorContext { federation, ..crate::context() };
        // A definition may still be refused with the settings of a tenant.
        let Ok(provider) = Http::with_definition(&Arc::new(definition), &config, &context) else {
            return Ok(0);
        };
        self.runtime.block_on(run_all(&provider));
        let sent: Vec<Vec<Received>> =
            self.origins.iter().zip(before).map(|((_, server), before)| server.received().split_off(before)).collect();
        for request in sent.iter().flatten() {
            let target = request.head.split(' ').nth(1).unwrap_or_default().to_owned();
            prop_assert!(target.starts_with("/base/") || target.starts_with("/base?") || target == "/base", "{target}");
            prop_assert!(!target.contains("/../") && !target.ends_with("/.."), "{target}");
        }
        for (name, secret) in SECRETS {
            let receivers = sent.iter().filter(|sent| sent.iter().any(|request| has_secret(request, secret))).count();
            prop_assert!(receivers <= 1, "two origins received the secret `{name}`");
        }
        prop_assert!(self.trap.received().is_empty(), "{:?}", self.trap.received());
        Ok(sent.iter().flatten().count())
    }
}

/// Returns whether a request has the secret in its head or body, or in its Basic credential.
fn has_secret(request: &Received, secret: &str) -> bool {
    let basic = request.head.lines().find_map(|line| line.split_once("Basic ")).map(|(_, value)| value.trim());
    let basic = basic.and_then(|value| String::from_utf8(STANDARD.decode(value).ok()?).ok()).unwrap_or_default();
    [&request.head, &request.body, &basic].iter().any(|text| text.contains(secret))
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
    if let Some(federation) = provider.federation() {
        let _ = federation.validate(&scope(), &AccessToken::new("opaque").unwrap()).await;
    }
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

/// The sample with a second credential and with federation, and whether each secret belongs to one origin.
fn definition_of_two_credentials() -> impl Strategy<Value = (String, bool)> {
    let types = [
        "type = \"bearer\"\ntoken = \"SECRET\"",
        "type = \"header\"\nname = \"x-key\"\nkey = \"SECRET\"",
        "type = \"basic\"\nuser = \"title\"\npassword = \"SECRET\"",
        "type = \"login\"\npath = [\"login\"]\njson = { p = \"SECRET\" }\ntoken = \"/id\"\nlifetime = 9",
        "type = \"client_credentials\"\ntoken_path = []\nclient_id = \"title\"\nclient_secret = \"SECRET\"",
        "type = \"client_credentials\"\ntoken_origin = \"TOKENS\"\ntoken_path = []\nclient_id = \"title\"\nclient_secret = \"SECRET\"",
    ];
    let origin = || prop::sample::select(vec!["url", "public"]);
    let secret = || prop::sample::select(vec!["key", "other"]);
    let federation = prop::option::of((origin(), secret()));
    (prop::sample::select(types.to_vec()), origin(), origin(), secret(), federation).prop_map(
        |(auth, origin, tokens, secret, federation)| {
            let sent_to = if auth.contains("TOKENS") { tokens } else { origin };
            let uses: Vec<_> = [("url", "key"), (sent_to, secret)].into_iter().chain(federation).collect();
            let is_bound = uses.iter().all(|(to, own)| uses.iter().all(|(also, other)| own != other || to == also));
            let auth = auth.replace("SECRET", secret).replace("TOKENS", tokens);
            let mut tables = format!("[auth.second]\norigin = \"{origin}\"\n{auth}\n");
            if let Some((origin, secret)) = federation {
                tables += &format!(
                    "[federation]\norigin = \"{origin}\"\nclient_id = \"title\"\nclient_secret = \"{secret}\"\n"
                );
            }
            let named = if origin == "public" { "second" } else { "none" };
            let delete = if origin == "url" { "second" } else { "key" };
            let mut text = SAMPLE
                .replace("auth = \"none\"", &format!("auth = \"{named}\""))
                .replace("\"DELETE\", origin = \"url\"", &format!("\"DELETE\", origin = \"url\", auth = \"{delete}\""))
                .replace("origin = \"url\", path", "origin = \"url\", auth = \"key\", path")
                .replace("[user]", &format!("{tables}[user]"));
            if uses.iter().any(|(_, secret)| *secret == "other") {
                text = text.replace("title =", "other = { type = \"secret\", doc = \"Another key.\" }\ntitle =");
            }
            (text, is_bound)
        },
    )
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
            STAGE.run(definition, 1, status, user.to_string())?;
        }
    }

    #[test]
    fn secrets_are_sent_to_one_origin((text, is_bound) in definition_of_two_credentials()) {
        let parsed = Definition::parse(&text);
        prop_assert!(parsed.is_ok() == is_bound, "{:?} for\n{text}", parsed.err());
        let Ok(definition) = parsed else { return Ok(()) };
        let secrets = if text.contains("other =") { 2 } else { 1 };
        let user = json!({"id": "u-1", "email": "ada@acme.example", "customer": "c-1", "state": "sent"});
        let requests = STAGE.run(definition, secrets, 200, user.to_string())?;
        prop_assert!(requests >= 5, "{requests} for\n{text}");
    }

    #[test]
    fn hostile_answers_stay_at_their_origins(body in body(), status in prop::sample::select(vec![200, 201, 302, 400, 404])) {
        let requests = STAGE.run(Definition::parse(SAMPLE).unwrap(), 1, status, body)?;
        prop_assert!(requests >= 5, "{requests}");
    }
}
