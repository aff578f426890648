//! Tests of `verify`: against the program, and against endpoints with one mistake each.

mod endpoint;

use serde_json::Value;

use crate::fixture::{Configured, KEY};
use crate::support::bridge::Bridge;
use crate::support::program::{Output, run_in};
use crate::verify::endpoint::{Endpoint, Message};

const USER: [&str; 6] = ["--user-id", "u-1", "--user-email", "ada@acme.example", "--user-customer", "cust-1"];

fn verify(configured: &Configured, url: &str, more: &[&str]) -> Output {
    let fixed = ["verify", url, "--tenant", "acme", "--key-file", "webhook"];
    run_in(configured.folder(), fixed.iter().chain(more))
}

/// Returns the names of the checks with this verdict.
fn checks(ran: &Output, verdict: &str) -> Vec<String> {
    let json = ran.json();
    let with = json["checks"].as_array().unwrap().iter().filter(|check| check["verdict"] == verdict);
    with.map(|check| check["check"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn program_passes_all_checks() {
    let configured = Configured::with_tenant_keys("");
    let made = run_in(configured.folder(), ["keys", "new", "--out", "."]).with_code(0);
    assert_eq!(made.stderr, "");
    let text = std::fs::read_to_string(configured.config()).unwrap();
    configured.write("idp-bridge.toml", &text.replace("[\"webhook\"]", "[\"webhook\", \"bridge.key\"]"));
    let bridge = configured.serve();
    let more = [&USER[..], &["--key-file", "platform.key", "--writes", "--json"]].concat();
    let ran = verify(&configured, &bridge.url(), &more);
    assert_eq!((checks(&ran, "failed"), checks(&ran, "skipped")), (vec![], vec![]), "{ran:?}");
    assert_eq!((ran.code, &ran.json()["ok"]), (0, &Value::Bool(true)));
    assert!(checks(&ran, "ok").len() >= 20, "{ran:?}");
    let user = run_in(
        configured.folder(),
        ["call", "get-by-id", "u-1", "--tenant", "acme", "--key-file", "webhook", "--url", &bridge.url()],
    );
    assert_eq!(user.code, 0, "no user is changed: {user:?}");
}

#[test]
fn checks_without_a_user_are_skipped() {
    let configured = Configured::with_tenant_keys("");
    let bridge = configured.serve();
    let ran = verify(&configured, &bridge.url(), &[]).with_code(0);
    assert!(ran.stdout.contains("skipped  a known user is found\n         give `--user-id`"), "{ran:?}");
    assert!(ran.stdout.contains("skipped  a repeated write"), "{ran:?}");
    assert!(ran.stdout.trim_end().ends_with("0 failed, 6 skipped"), "{ran:?}");
}

#[test]
fn missing_answer_and_key_are_explained() {
    let configured = Configured::with_tenant_keys("");
    let ran = verify(&configured, "http://127.0.0.1:9", &[]).with_code(1);
    assert!(ran.stderr.contains("check that a bridge listens at `http://127.0.0.1:9`"), "{ran:?}");
    let ran = run_in(configured.folder(), ["verify", "http://127.0.0.1:9", "--tenant", "acme"]).with_code(2);
    assert!(ran.stderr.contains("--key-file"), "{ran:?}");
    let ran = verify(&configured, "nothing", &[]).with_code(2);
    assert!(ran.stderr.contains("https://bridge.acme.example"), "{ran:?}");
}

/// A mistake of an endpoint: changes of requests before a bridge checks them, and of its answers.
type Mistake = (&'static [&'static str], fn(&mut Message), fn(&mut Message));

fn unchanged(_: &mut Message) {}

/// The mistakes, each with the checks that must fail.
const MISTAKES: [Mistake; 11] = [
    (
        &[
            "a wrong signature is refused",
            "a malformed header is refused",
            "an old call is refused",
            "a call from the future is refused",
        ],
        |request| request.sign_again(KEY),
        unchanged,
    ),
    (
        &["an old call is refused"],
        |request| {
            if request.age() > 300 {
                request.sign_again(KEY);
            }
        },
        unchanged,
    ),
    (
        &["a call from the future is refused"],
        |request| {
            if request.age() < -300 {
                request.sign_again(KEY);
            }
        },
        unchanged,
    ),
    (&["a duplicate header is refused"], Message::remove_duplicates, unchanged),
    (
        &["an unknown tenant is refused like a wrong signature"],
        |request| {
            if !request.head.contains("/v1/tenants/acme/") {
                request.head = request.head.replace("webhook HTTP", "nothing HTTP");
            }
        },
        unchanged,
    ),
    (&["an unknown user is not found"], unchanged, |answer| {
        if answer.text().contains("user_not_found") {
            answer.head = answer.head.replace("application/problem+json", "text/html");
        }
    }),
    (&["a user has the fields and formats of the User model"], unchanged, |answer| {
        answer.replace("\"logins_count\":\"42\"", "\"logins_count\":  42")
    }),
    (&["a user has the fields and formats of the User model"], unchanged, |answer| {
        answer.replace("\"blocked\":false", "\"blocked\":null ")
    }),
    (&["a known user is found"], unchanged, |answer| answer.replace("\"id\":\"u-1\"", "\"id\":\"u-2\"")),
    (&["a repeated write is answered from the first one"], unchanged, |answer| {
        answer.head = answer.head.replace("idempotent-replayed", "x-replayed")
    }),
    (&["an unknown call is refused"], unchanged, |answer| {
        answer.replace("\"unknown_operation\"", "\"unknown_call\"     ")
    }),
];

#[test]
fn each_mistake_fails_its_check() {
    let configured = Configured::with_tenant_keys("");
    let bridge = configured.serve();
    let more = [&USER[..], &["--writes", "--json"]].concat();
    let run = |bridge: &Bridge, request, answer| {
        let endpoint = Endpoint::start(bridge.address(), request, answer);
        verify(&configured, &endpoint.url(), &more)
    };
    let control = run(&bridge, unchanged, unchanged);
    assert_eq!((control.code, checks(&control, "failed")), (0, vec![]), "{control:?}");
    for (expected, request, answer) in MISTAKES {
        let ran = run(&bridge, request, answer);
        assert_eq!(
            (ran.code, checks(&ran, "failed")),
            (1, expected.iter().map(ToString::to_string).collect()),
            "{ran:?}"
        );
        assert!(!ran.stdout.contains("ada@acme.example"), "details have no personal data: {ran:?}");
    }
}

#[test]
fn failed_check_names_the_rule() {
    let configured = Configured::with_tenant_keys("");
    let bridge = configured.serve();
    let endpoint = Endpoint::start(bridge.address(), |request| request.sign_again(KEY), unchanged);
    let ran = verify(&configured, &endpoint.url(), &[]).with_code(1);
    for line in [
        "FAILED   a wrong signature is refused",
        "signed by an unknown key: expected 401 `invalid_signature`, got 200 `application/json`",
        "see docs/protocol.md, section `A signed call`",
    ] {
        assert!(ran.stdout.contains(line), "no {line:?} in {ran:?}");
    }
}

#[test]
fn sections_of_checks_exist() {
    let protocol = include_str!("../../docs/protocol.md");
    let configured = Configured::with_tenant_keys("");
    let bridge = configured.serve();
    let ran = verify(&configured, &bridge.url(), &["--json"]).with_code(0);
    for check in ran.json()["checks"].as_array().unwrap() {
        let section = check["section"].as_str().unwrap();
        assert!(protocol.contains(&format!("\n## {section}\n")), "{check}");
    }
}
