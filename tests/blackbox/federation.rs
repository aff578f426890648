//! Tests of federation, the revocation list and its commands.
//!
//! The identity provider is the fake of Auth0, which accepts access tokens even after a logout. Only the bridge rejects them.

use std::time::{Duration, Instant};

use idp_bridge_conformance::{Harness as _, NewUser, SignIn, Tokens};
use idp_bridge_connector_auth0_testing::harness::Auth0Harness;
use idp_bridge_core::{CustomerId, Email, Secret};
use idp_bridge_test_redis::RedisServer;
use rustix::process::Signal;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::fixture::{Configured, signer};
use crate::support::bridge::Bridge;
use crate::support::http::{Reply, Request};
use crate::support::program::run_in;

const EMAIL: &str = "ada@acme.example";
const PASSWORD: &str = "correct-horse-battery-staple-9";
/// Number of attempts with an ended token.
const TRIES: usize = 1_000;

/// An identity provider with one user, and the configuration of a bridge before it.
struct Federated {
    configured: Configured,
    harness: Auth0Harness,
    user: String,
    runtime: Runtime,
}

impl Federated {
    /// Starts with a store in the folder `state`.
    fn new() -> Self {
        let federated = Self::with_store("state_dir = \"state\"");
        std::fs::create_dir(federated.configured.folder().join("state")).unwrap();
        federated
    }

    /// Starts with these keys of the server.
    fn with_store(store: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let harness = runtime.block_on(Auth0Harness::start()).unwrap();
        let mut user = NewUser::person(Email::new(EMAIL).unwrap());
        user.customers = vec![CustomerId::new("cust-1").unwrap()];
        user.password = Some(PASSWORD.into());
        let user = runtime.block_on(harness.create(user)).unwrap().as_str().to_owned();
        let configured = Configured::new(&configuration(&harness, store));
        Self { configured, harness, user, runtime }
    }

    fn sign_in(&self) -> Tokens {
        let sign_in = SignIn::new(Email::new(EMAIL).unwrap(), PASSWORD);
        self.runtime.block_on(self.harness.federation().unwrap().sign_in(&sign_in)).unwrap()
    }

    /// Replaces a text in the configuration.
    fn change(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.configured.config()).unwrap();
        assert!(text.contains(from), "{text}");
        self.configured.write("idp-bridge.toml", &text.replace(from, to));
    }
}

fn configuration(harness: &Auth0Harness, store: &str) -> String {
    let (config, facts) = (harness.config(), harness.federation().unwrap().facts());
    let secret = config.client_secret.as_ref().map(Secret::expose).unwrap();
    format!(
        "[server]\n{store}\npublic_url = \"https://bridge.acme.example/idp/\"\n\
         [tenants.acme]\nwebhook_keys_file = [\"webhook\"]\n\
         [tenants.acme.federation]\nmetadata = true\nanonymous_per_second = 100000\ncache = \"60s\"\n\
         clients = [{{ id = \"{}\", secret = \"{secret}\" }}, {{ id = \"{}\" }}]\n\
         [tenants.acme.connector]\ntype = \"auth0\"\ndomain = \"{}\"\nendpoint = \"{}\"\nclient_id = \"{}\"\n\
         client_secret = \"{secret}\"\n",
        facts.clients[0],
        facts.clients[1],
        config.domain,
        harness.fake().url(),
        config.client_id,
    )
}

fn call(bridge: &Bridge, method: &str, path: &str, tokens: &Tokens) -> Reply {
    let authorization = format!("Bearer {}", tokens.access.expose());
    Request::new(method, format!("/v1/tenants/acme/{path}"))
        .header("authorization", &authorization)
        .send(bridge.address())
}

/// Asserts that an ended token is rejected at each attempt.
#[track_caller]
fn assert_always_rejected(bridge: &Bridge, tokens: &Tokens) {
    for number in 0..TRIES {
        let reply = call(bridge, "GET", "userinfo", tokens);
        assert_eq!(reply.problem(), (401, "invalid_token".into()), "try {number}");
    }
}

#[test]
fn logout_survives_a_killed_process() {
    let federated = Federated::new();
    let (ended, active) = (federated.sign_in(), federated.sign_in());
    let mut bridge = federated.configured.serve();
    for tokens in [&ended, &active] {
        let reply = call(&bridge, "GET", "userinfo", tokens);
        assert_eq!((reply.status, &reply.json()["customer"]), (200, &json!("cust-1")), "{reply:?}");
    }
    assert_eq!(call(&bridge, "POST", "logout", &ended).status, 204);
    assert_always_rejected(&bridge, &ended);
    bridge.signal(Signal::KILL);
    bridge.wait_for_exit();
    let bridge = federated.configured.serve();
    assert_always_rejected(&bridge, &ended);
    let alive =
        federated.runtime.block_on(federated.harness.federation().unwrap().check_tokens(&mut ended.clone())).unwrap();
    assert_eq!(alive.userinfo, Some(true), "the identity provider accepts it");
}

#[test]
fn deletion_ends_cached_tokens() {
    let federated = Federated::new();
    let tokens = federated.sign_in();
    let bridge = federated.configured.serve();
    assert_eq!(call(&bridge, "GET", "userinfo", &tokens).status, 200);
    let delete = signer().call("users.delete", json!({"id": federated.user}));
    assert_eq!(delete.send(bridge.address()).status, 200);
    assert_eq!(call(&bridge, "GET", "userinfo", &tokens).problem(), (401, "invalid_token".into()));
}

#[test]
fn revocation_list_is_exclusive_and_intact() {
    let federated = Federated::new();
    let serve = || run_in(federated.configured.folder(), ["serve", "--listen", "127.0.0.1:0"]);
    let bridge = federated.configured.serve();
    let ran = serve().with_code(2);
    assert!(
        ran.stderr.contains("is in use by another process") && ran.stderr.contains("hint: stop that process first"),
        "{ran:?}"
    );
    assert_eq!(ran.stdout, "");
    drop(bridge);
    std::fs::write(federated.configured.folder().join("state/revocations.redb"), "x".repeat(10_000)).unwrap();
    let ran = serve().with_code(2);
    assert!(ran.stderr.contains("is damaged") && ran.stderr.contains("hint: restore it"), "{ran:?}");
    federated.change("\"state\"", "\"nowhere\"");
    let ran = serve().with_code(2);
    assert!(
        ran.stderr.contains("nowhere/revocations.redb` cannot be opened")
            && ran.stderr.contains("hint: the folder must exist"),
        "{ran:?}"
    );
    federated.change("state_dir = \"nowhere\"\n", "");
    let ran = serve().with_code(2);
    assert!(ran.stderr.contains("federation needs `server.state_dir`"), "{ran:?}");
}

#[test]
fn lost_revocation_list_prevents_start() {
    let federated = Federated::new();
    let run = |arguments: &[&str]| run_in(federated.configured.folder(), arguments);
    let checked = run(&["check"]).with_code(0);
    assert!(checked.stdout.contains("the revocation list is created at the first start"), "{checked:?}");
    let bridge = federated.configured.serve();
    assert_eq!(run(&["check", "--json"]).with_code(0).json()["state_dir"], "in_use");
    drop(bridge);
    assert_eq!(run(&["check", "--json"]).with_code(0).json()["state_dir"], "kept");
    std::fs::remove_file(federated.configured.folder().join("state/revocations.redb")).unwrap();
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["check"]] {
        let ran = run(arguments).with_code(2);
        assert!(ran.stderr.contains("existed before and is now missing or empty"), "{ran:?}");
        assert!(ran.stderr.contains("--accept-lost-revocations"), "{ran:?}");
    }
    let ran = run(&["doctor", "--json"]).with_code(1);
    let findings = ran.json()[0]["federation"].clone();
    let last = findings.as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["check"], &last["verdict"]), (&json!("`state_dir` can be used"), &json!("failed")));
    let bridge = Bridge::serve_with_options(&federated.configured.config(), &["--accept-lost-revocations"]);
    bridge.wait_for_log("the revocation list was gone, and a new one was created");
    drop(bridge);
    drop(federated.configured.serve());
    std::fs::remove_dir_all(federated.configured.folder().join("state")).unwrap();
    let ran = run(&["check"]).with_code(2);
    assert!(ran.stderr.contains("hint: the folder must exist"), "{ran:?}");
}

#[test]
fn users_delete_writes_the_list_in_a_file() {
    let federated = Federated::new();
    let tokens = federated.sign_in();
    let delete = || run_in(federated.configured.folder(), ["users", "delete", &federated.user]);
    let bridge = federated.configured.serve();
    assert_eq!(call(&bridge, "GET", "userinfo", &tokens).status, 200);
    let ran = delete().with_code(2);
    assert!(ran.stderr.contains("is in use by another process"), "{ran:?}");
    assert!(ran.stderr.contains("hint: delete the user through the running bridge"), "{ran:?}");
    assert_eq!(call(&bridge, "GET", "userinfo", &tokens).status, 200, "nothing was deleted");
    drop(bridge);
    delete().with_code(0);
    let bridge = federated.configured.serve();
    assert_eq!(call(&bridge, "GET", "userinfo", &tokens).problem(), (401, "invalid_token".into()));
}

#[test]
fn users_delete_writes_the_shared_list() {
    let redis = RedisServer::start();
    let federated = Federated::with_store(&in_redis(&redis));
    let tokens = federated.sign_in();
    let bridge = federated.configured.serve();
    assert_eq!(call(&bridge, "GET", "userinfo", &tokens).status, 200);
    run_in(federated.configured.folder(), ["users", "delete", &federated.user]).with_code(0);
    assert_eq!(call(&bridge, "GET", "userinfo", &tokens).problem(), (401, "invalid_token".into()));
}

fn in_redis(redis: &RedisServer) -> String {
    format!("store = {{ type = \"redis\", urls = [\"{}\"] }}", redis.url())
}

#[test]
fn logout_holds_on_all_replicas() {
    let mut redis = RedisServer::start();
    let federated = Federated::with_store(&in_redis(&redis));
    let ended = federated.sign_in();
    let (one, other) = (federated.configured.serve(), federated.configured.serve());
    for bridge in [&one, &other] {
        assert_eq!(call(bridge, "GET", "userinfo", &ended).status, 200);
    }
    assert_eq!(call(&one, "POST", "logout", &ended).status, 204);
    // The other bridge has the token in its cache.
    assert_eq!(call(&other, "GET", "userinfo", &ended).problem(), (401, "invalid_token".into()));
    for bridge in [one, other] {
        bridge.signal(Signal::KILL);
    }
    redis.kill();
    redis.restart();
    for bridge in [federated.configured.serve(), federated.configured.serve()] {
        assert_always_rejected(&bridge, &ended);
    }
}

#[test]
fn logout_and_userinfo_fail_without_the_store() {
    let redis = RedisServer::start();
    let federated = Federated::with_store(&in_redis(&redis));
    let tokens = federated.sign_in();
    let bridge = federated.configured.serve();
    assert_eq!(call(&bridge, "GET", "userinfo", &tokens).status, 200);
    redis.pause();
    for (method, path) in [("GET", "userinfo"), ("POST", "logout")] {
        let reply = call(&bridge, method, path, &tokens);
        assert_eq!(reply.problem(), (503, "overloaded".into()), "{path}");
        assert!(reply.header("retry-after").is_some());
    }
    redis.resume();
    let begun = Instant::now();
    while call(&bridge, "GET", "userinfo", &tokens).status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", bridge.log());
    }
}

#[test]
fn federation_document_has_the_public_url() {
    let federated = Federated::new();
    let bridge = federated.configured.serve();
    let reply = Request::get("/v1/tenants/acme/federation").header("host", "evil.example").send(bridge.address());
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.body.contains("https://bridge.acme.example/idp/v1/tenants/acme/userinfo"), "{reply:?}");
    assert!(!reply.body.contains("evil.example"), "{reply:?}");
}

#[test]
fn check_and_doctor_cover_federation() {
    let federated = Federated::new();
    let run = |arguments: &[&str]| run_in(federated.configured.folder(), arguments);
    let checked = run(&["check"]).with_code(0);
    assert!(checked.stdout.contains("federation     application, browser-application"), "{checked:?}");
    let json = run(&["check", "--json"]).with_code(0).json();
    assert_eq!(json["tenants"][0]["federation"]["cache_ms"], 60_000);
    assert!(json["tenants"][0]["capabilities"]["federation"]["logout"].is_string(), "{json}");
    let healthy = run(&["doctor"]).with_code(0);
    let findings = healthy.stdout.split_once("  federation\n").unwrap().1;
    assert!(findings.starts_with("    ok") && findings.contains("  calls\n"), "{healthy:?}");
    federated.change("metadata = true\n", "metadata = true\ncustomer_claim = \"https://acme.example/customer\"\n");
    let hidden = run(&["doctor"]).with_code(1);
    assert!(!hidden.stdout.contains("FAILED") && hidden.stdout.contains("pass `--allow-not-visible`"), "{hidden:?}");
    let allowed = run(&["doctor", "--allow-not-visible"]).with_code(0);
    assert!(!allowed.stdout.contains("pass `--allow-not-visible`"), "{allowed:?}");
    let json = run(&["doctor", "--json"]).with_code(1).json();
    let hides = |finding: &serde_json::Value| finding["authority"] == true && finding["verdict"] == "not_visible";
    assert_eq!(json[0]["federation"].as_array().unwrap().iter().filter(|one| hides(one)).count(), 1, "{json}");
    federated.change("customer_claim = \"https://acme.example/customer\"\n", "");
    federated.change("client_secret = ", "client_secret_env = \"NOT_SET\"\n# ");
    run(&["doctor"]).with_code(2);
    federated.change("client_secret_env = \"NOT_SET\"\n# ", "client_secret = ");
    federated.change("\"application\", secret = \"", "\"application\", secret = \"wrong-");
    let ran = run(&["doctor"]).with_code(1);
    assert!(
        ran.stdout.contains("    FAILED") && ran.stdout.contains("fix: ") && !ran.stdout.contains("wrong-"),
        "{ran:?}"
    );
    let json = run(&["doctor", "--json"]).with_code(1).json();
    let failures =
        |part: &str| json[0][part].as_array().unwrap().iter().filter(|one| one["verdict"] == "failed").count();
    assert_eq!((failures("findings"), failures("federation")), (0, 1), "{json}");
    assert_eq!(json[0]["ok"], false);
}
