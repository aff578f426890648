//! The checks of signatures, envelopes and limits: requests, each with the answer that the protocol requires.

use idp_bridge_client::{Code, RawRequest};
use serde_json::json;

use super::expected::Expected;
use super::target::Target;

/// A check: requests with their answers.
pub(super) struct Check {
    pub(super) name: &'static str,
    /// The section of docs/protocol.md.
    pub(super) section: &'static str,
    /// The difference of each request from a valid call, the request, and the answer.
    pub(super) requests: Vec<(&'static str, RawRequest, Expected)>,
}

const SIGNATURE: &str = "A signed call";
const REFUSED: Expected = Expected::Problem(401, Code::InvalidSignature);
const OUT_OF_RANGE: Expected = Expected::Problem(401, Code::TimestampOutOfRange);
const INVALID: Expected = Expected::Problem(400, Code::InvalidRequest);

/// Returns the checks that need no user, in order.
pub(super) fn checks(target: &Target) -> Vec<Check> {
    let groups =
        [accepted(target), signatures(target), headers(target), times(target), envelopes(target), limits(target)];
    groups.into_iter().flatten().collect()
}

fn accepted(target: &Target) -> Vec<Check> {
    let more = json!({"type": "ping", "tenant": target.tenant(), "more": [1]}).to_string();
    vec![
        Check {
            name: "a signed ping is answered",
            section: "Operations",
            requests: vec![
                ("a valid `ping`", target.ping(), Expected::Pong),
                ("an unknown member beside `type`", target.signed(more), Expected::Pong),
            ],
        },
        Check {
            name: "tokens of unknown versions are skipped",
            section: SIGNATURE,
            requests: vec![("`v9,AAAA` before the token", target.ping_with_token("v9,AAAA"), Expected::Pong)],
        },
    ]
}

fn signatures(target: &Target) -> Vec<Check> {
    let missing = |name| (name, target.ping().without(name), REFUSED);
    vec![
        Check {
            name: "a missing signature is refused",
            section: SIGNATURE,
            requests: ["webhook-signature", "webhook-id", "webhook-timestamp"].map(missing).into(),
        },
        Check {
            name: "a wrong signature is refused",
            section: SIGNATURE,
            requests: vec![
                ("signed by an unknown key", target.ping_with_unknown_keys(), REFUSED),
                ("an empty token", target.ping().with("webhook-signature", "v1,"), REFUSED),
                ("only an unknown version", target.ping().with("webhook-signature", "v9,AAAA"), REFUSED),
                ("another body than the signed one", target.ping().body("{}"), REFUSED),
                ("another id than the signed one", target.ping().with("webhook-id", target.new_id()), REFUSED),
            ],
        },
        Check {
            name: "an unknown tenant is refused like a wrong signature",
            section: SIGNATURE,
            requests: vec![("a tenant that does not exist", target.ping_to_unknown_tenant(), REFUSED)],
        },
    ]
}

fn headers(target: &Target) -> Vec<Check> {
    let twice = |name| (name, target.ping().twice(name), REFUSED);
    let nine = ["v9,AAAA"; 8].join(" ");
    vec![
        Check {
            name: "a duplicate header is refused",
            section: SIGNATURE,
            requests: ["webhook-signature", "webhook-id", "webhook-timestamp"].map(twice).into(),
        },
        Check {
            name: "a malformed header is refused",
            section: SIGNATURE,
            requests: vec![
                ("an id with a dot", target.ping_at("a.b", 0), REFUSED),
                ("an id of 129 bytes", target.ping_at(&"x".repeat(129), 0), REFUSED),
                ("a negative timestamp", target.ping().with("webhook-timestamp", "-1"), REFUSED),
                ("a timestamp that is not a number", target.ping().with("webhook-timestamp", "now"), REFUSED),
                ("a content encoding", target.ping().header("content-encoding", "identity"), REFUSED),
                ("nine tokens", target.ping_with_token(&nine), REFUSED),
            ],
        },
    ]
}

fn times(target: &Target) -> Vec<Check> {
    let at = |seconds| target.ping_at(&target.new_id(), seconds);
    vec![
        Check {
            name: "a call within five minutes is accepted",
            section: SIGNATURE,
            requests: vec![
                ("four minutes ago", at(-240), Expected::Pong),
                ("in four minutes", at(240), Expected::Pong),
            ],
        },
        Check {
            name: "an old call is refused",
            section: SIGNATURE,
            requests: vec![("six minutes ago", at(-360), OUT_OF_RANGE), ("a year ago", at(-31_536_000), OUT_OF_RANGE)],
        },
        Check {
            name: "a call from the future is refused",
            section: SIGNATURE,
            requests: vec![("in six minutes", at(360), OUT_OF_RANGE)],
        },
    ]
}

fn envelopes(target: &Target) -> Vec<Check> {
    let tenant = target.tenant();
    let by_id = |data: serde_json::Value| target.call("users.get_by_id", &data);
    let other_tenant = json!({"type": "ping", "tenant": target.unique()}).to_string();
    let deep = format!("{{\"type\":\"ping\",\"tenant\":\"{tenant}\",\"x\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let duplicate = format!("{{\"type\":\"ping\",\"type\":\"ping\",\"tenant\":\"{tenant}\"}}");
    let not_utf8 = [format!("{{\"type\":\"ping\",\"tenant\":\"{tenant}\",\"x\":\"").as_bytes(), b"\xff\"}"].concat();
    vec![
        Check {
            name: "an unknown call is refused",
            section: "Operations",
            requests: vec![(
                "`users.create`",
                target.call("users.create", &json!({})),
                Expected::Problem(400, Code::UnknownOperation),
            )],
        },
        Check {
            name: "a malformed body is refused",
            section: SIGNATURE,
            requests: vec![
                ("no JSON", target.signed("nothing"), INVALID),
                ("an array", target.signed("[]"), INVALID),
                ("no tenant", target.signed(r#"{"type":"ping"}"#), INVALID),
                ("another tenant than that of the path", target.signed(other_tenant), INVALID),
                ("a member twice", target.signed(duplicate), INVALID),
                ("40 levels", target.signed(deep), INVALID),
                ("no UTF-8", target.signed(not_utf8), INVALID),
            ],
        },
        Check {
            name: "malformed data are refused",
            section: "Operations",
            requests: vec![
                ("no id", by_id(json!({})), INVALID),
                ("an empty id", by_id(json!({"id": ""})), INVALID),
                ("an id `..`", by_id(json!({"id": ".."})), INVALID),
                ("an id of 257 bytes", by_id(json!({"id": "x".repeat(257)})), INVALID),
                ("an id with a control character", by_id(json!({"id": "a\u{1}b"})), INVALID),
                ("an id that is a number", by_id(json!({"id": 1})), INVALID),
                ("an unknown member", by_id(json!({"id": target.unique(), "more": 1})), INVALID),
                ("an email without `@`", target.call("users.get_by_email", &json!({"email": "nobody"})), INVALID),
            ],
        },
    ]
}

fn limits(target: &Target) -> Vec<Check> {
    let padded = |size: usize| format!("{:size$}", json!({"type": "ping", "tenant": target.tenant()}).to_string());
    vec![
        Check {
            name: "bodies up to 16 KiB are accepted, and larger ones refused",
            section: "Time and size",
            requests: vec![
                ("16 KiB", target.signed(padded(16 * 1024)), Expected::Pong),
                ("16 KiB and a byte", target.signed(padded(16 * 1024 + 1)), Expected::Problem(413, Code::TooLarge)),
            ],
        },
        Check {
            name: "another media type, method or path is refused",
            section: "Errors",
            requests: vec![
                (
                    "`text/plain`",
                    target.ping().with("content-type", "text/plain"),
                    Expected::Problem(415, Code::UnsupportedMediaType),
                ),
                ("GET", target.ping().get(), Expected::Problem(405, Code::MethodNotAllowed)),
                ("another path", target.ping().at("webhooks"), Expected::Problem(404, Code::RouteNotFound)),
            ],
        },
        Check {
            name: "a malformed deadline is refused",
            section: SIGNATURE,
            requests: vec![
                ("zero", target.ping().header("x-request-timeout-ms", "0"), INVALID),
                ("no number", target.ping().header("x-request-timeout-ms", "soon"), INVALID),
                ("one second", target.ping().header("x-request-timeout-ms", "1000"), Expected::Pong),
            ],
        },
    ]
}
