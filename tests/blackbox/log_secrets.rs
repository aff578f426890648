//! Tests that log, audit, metrics, traces, problems and the last calls contain no secrets and no personal data, even at `trace`.

use idp_bridge_conformance::{Harness as _, NewUser};
use idp_bridge_connector_cognito_testing::harness::CognitoHarness;
use idp_bridge_core::{Email, Secret};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::fixture::{Configured, KEY, signer};
use crate::receiver::Receiver;
use crate::support::http::Request;
use crate::support::keycloak;
use crate::support::leaks;

/// A REST token and its SHA-256.
const TOKEN: &str = "rest-token-7b1c5d0e9f";
const TOKEN_SHA256: &str = "e0f9adaf5df4a6755d341c8a61c7a80ec1c86aa59fb5bab9757b9e9a64bc272d";
const EMAIL: &str = "grace.seeded@acme.example";
const CUSTOMER: &str = "customer-seeded-81";

/// Returns the texts that contain one of the values, with the value.
fn find_leaks<'a>(texts: &'a [String], seeded: &'a [String]) -> Vec<(&'a str, &'a str)> {
    let leaks = seeded.iter().flat_map(|value| texts.iter().map(move |text| (value, text)));
    leaks.filter(|(value, text)| text.contains(value.as_str())).map(|(value, text)| (&**value, &**text)).collect()
}

#[test]
fn planted_value_is_found() {
    let texts = ["{\"message\":\"fine\"}", "{\"path\":\"/users?email=grace.seeded@acme.example\"}"].map(str::to_owned);
    assert_eq!(find_leaks(&texts, &[EMAIL.to_owned(), CUSTOMER.to_owned()]).len(), 1);
}

#[test]
fn addresses_and_tokens_are_found_in_each_log() {
    let planted =
        ["to grace@acme.example now", "?email=grace%40acme.example", "Bearer eyJhbGciOi", KEY].map(str::to_owned);
    assert_eq!(leaks::find(&planted).len(), planted.len());
    let harmless = ["redis://user@127.0.0.1:1", "version@1.2", "{\"host\":\"idp.acme.example\"}"].map(str::to_owned);
    assert_eq!(leaks::find(&harmless).len(), 0);
}

/// Makes calls that succeed, fail and are refused, and deletes the user at the end. Returns the bodies of problems.
fn make_calls(address: &str, id: &str) -> [String; 4] {
    let send = |kind: &str, data: Value| signer().call(kind, data).send(address).status;
    assert_eq!(send("users.get_by_email", json!({"email": EMAIL})), 200);
    assert_eq!(send("users.get_by_customer", json!({"customer": CUSTOMER})), 200);
    assert_eq!(send("users.get_by_id", json!({"id": id})), 200);
    assert_eq!(send("users.mark_email_verified", json!({"id": id, "email": EMAIL})), 200);
    send("users.send_password_reset_email", json!({"email": EMAIL}));
    let problems = [
        ("users.get_by_email", json!({"email": EMAIL, "unknown": CUSTOMER})),
        ("users.get_by_email", json!({"email": "unknown-seeded@acme.example"})),
        ("users.get_by_id", json!({"id": "unknown-seeded"})),
        ("users.send_password_reset_email", json!({"email": "unknown-seeded@acme.example"})),
    ]
    .map(|(kind, data)| signer().call(kind, data).send(address).body);
    let unsigned = signer().call("users.get_by_email", json!({"email": EMAIL})).body(EMAIL);
    assert_eq!(unsigned.send(address).status, 401);
    let rest = |token: &str, path: &str| {
        let request = Request::get(&format!("/v1/tenants/acme/{path}"));
        request.header("authorization", format!("Bearer {token}")).send(address).status
    };
    assert_eq!(rest(TOKEN, &format!("users/{id}?email={EMAIL}")), 200);
    assert_eq!(rest("wrong-token-seeded", &format!("users/{id}")), 401);
    assert_eq!(send("users.delete", json!({"id": id})), 200);
    problems
}

#[test]
fn seeded_values_are_in_no_output() {
    let runtime = Runtime::new().unwrap();
    let (harness, url, id) = runtime.block_on(keycloak::start(EMAIL, CUSTOMER));
    let config = harness.config();
    let secret = config.client_secret.as_ref().map(Secret::expose).unwrap();
    let receiver = Receiver::over_http(200);
    let configured = Configured::new(&format!(
        "[traces]\nendpoint = \"{}\"\n[server]\nshutdown_delay = \"0s\"\nmetrics_listen = \"127.0.0.1:0\"\nlog.filter = \"trace\"\n\
         log.user_salt = \"salt-seeded-0123456789\"\nmetrics_token = \"operator-seeded-012345\"\n\
         [audit]\nfile = \"audit.jsonl\"\n[tenants.acme]\nwebhook_keys_file = [\"webhook\"]\n\
         rest.tokens = [{{ name = \"ops\", sha256 = \"{TOKEN_SHA256}\", scopes = [\"users.read\", \"users.write\"] }}]\n\
         [tenants.acme.connector]\ntype = \"keycloak\"\n{}",
        receiver.url(),
        keycloak::settings(&harness, &url)
    ));
    let bridge = configured.serve();
    let probes = bridge.probes_address();
    let problems = make_calls(bridge.address(), &id);
    let operator = |request: Request| {
        let reply = request.header("authorization", "Bearer operator-seeded-012345").send(&probes);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body
    };
    operator(Request::new("PUT", "/log-level").json(&json!({"filter": "trace"})));
    let deleted: Value = serde_json::from_str(&bridge.wait_for_log("\"call\":\"users.delete\"")).unwrap();
    receiver.wait_for_trace(deleted["trace.id"].as_str().unwrap());
    let mut texts = bridge.log();
    assert!(texts.iter().any(|line| line.contains("\"TRACE\"")), "the log is complete");
    texts.push(std::fs::read_to_string(configured.folder().join("audit.jsonl")).unwrap());
    texts.extend(["/metrics", "/calls", "/status"].map(|page| operator(Request::get(page))));
    texts.extend(receiver.texts());
    texts.extend(problems);
    let basic =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{}:{secret}", config.client_id));
    let seeded = [
        EMAIL,
        "grace.seeded",
        CUSTOMER,
        &id,
        TOKEN,
        "wrong-token-seeded",
        "operator-seeded",
        "salt-seeded",
        "unknown-seeded",
        "v1,",
        secret,
        &basic,
        KEY.trim_start_matches("whsec_"),
        "eyJ",
    ]
    .map(str::to_owned);
    let leaks = find_leaks(&texts, &seeded);
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[test]
fn aws_keys_are_not_logged() {
    let runtime = Runtime::new().unwrap();
    let harness = runtime.block_on(CognitoHarness::start_with_fake()).unwrap();
    let user = NewUser::person(Email::new("ada@acme.example").unwrap());
    let id = runtime.block_on(harness.create(user)).unwrap();
    let config = harness.config();
    let key = config.access_key_id.unwrap();
    let configured = Configured::new(&format!(
        "[server.log]\nfilter = \"trace\"\n[tenants.acme]\nwebhook_keys_file = [\"webhook\"]\ncustomer.missing = \"use_id\"\n\
         [tenants.acme.connector]\ntype = \"cognito\"\nuser_pool_id = \"{}\"\nendpoint = \"{}\"\naccess_key_id = \"{key}\"\n\
         secret_access_key = \"{}\"\n",
        config.user_pool_id,
        harness.fake().url(),
        config.secret_access_key.as_ref().map(Secret::expose).unwrap(),
    ));
    let bridge = configured.serve();
    let reply = signer().call("users.get_by_id", json!({"id": id.as_str()})).send(bridge.address());
    assert_eq!(reply.status, 200, "{reply:?}");
    bridge.wait_for_log("\"TRACE\"");
    bridge.wait_for_log("users.get_by_id");
    let leaks: Vec<String> = bridge.log().into_iter().filter(|line| line.contains(&key)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
