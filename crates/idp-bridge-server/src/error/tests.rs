//! The table of errors in section 3 of the protocol.

use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::*;

/// Status, codes, and whether a retry may succeed.
const TABLE: &[(u16, &[&str], bool)] = &[
    (400, &["invalid_request", "unknown_operation"], false),
    (401, &["invalid_signature", "timestamp_out_of_range", "invalid_token"], false),
    (403, &["forbidden"], false),
    (404, &["user_not_found", "route_not_found"], false),
    (405, &["method_not_allowed"], false),
    (408, &["request_timeout"], true),
    (409, &["ambiguous_user", "user_conflict", "user_incomplete", "user_state"], false),
    (409, &["request_in_progress"], true),
    (413, &["too_large"], false),
    (414, &["uri_too_long"], false),
    (415, &["unsupported_media_type"], false),
    (422, &["webhook_id_reused"], false),
    (429, &["rate_limited"], true),
    (431, &["headers_too_large"], false),
    (500, &["internal"], true),
    (501, &["not_supported"], false),
    (502, &["upstream_unauthorized", "misconfigured", "upstream_invalid_response"], false),
    (503, &["upstream_rate_limited", "upstream_unavailable", "overloaded", "shutting_down"], true),
    (504, &["deadline_exceeded"], true),
];

fn failure(error: Error) -> Refusal {
    Rejection::from(error).refusal
}

async fn body(response: Response) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

#[test]
fn every_code_has_the_status_of_the_table() {
    let rows = TABLE.iter().flat_map(|(status, codes, retry)| codes.iter().map(move |code| (*code, (*status, *retry))));
    let rows: std::collections::HashMap<_, _> = rows.collect();
    assert_eq!(rows.len(), Code::ALL.len());
    for code in Code::ALL {
        assert_eq!(rows[code.as_str()], (status(*code).as_u16(), code.is_retryable()), "{}", code.as_str());
    }
}

#[test]
fn every_kind_has_its_code() {
    use ErrorKind::*;
    let upstream = |kind| code(&Error::upstream(kind, "x")).as_str();
    for (kind, expected) in [
        (NotFound, "user_not_found"),
        (Ambiguous, "ambiguous_user"),
        (Conflict, "user_conflict"),
        (InvalidInput, "invalid_request"),
        (Unsupported, "not_supported"),
        (Incomplete, "user_incomplete"),
        (State, "user_state"),
        (InvalidToken, "invalid_token"),
        (Unauthenticated, "upstream_unauthorized"),
        (PermissionDenied, "upstream_unauthorized"),
        (RateLimited, "upstream_rate_limited"),
        (Unavailable, "upstream_unavailable"),
        (Timeout, "deadline_exceeded"),
        (InvalidResponse, "upstream_invalid_response"),
        (Misconfigured, "misconfigured"),
        (Unexpected, "internal"),
    ] {
        assert_eq!(upstream(kind), expected, "{kind:?}");
    }
    assert_eq!(code(&Error::ours(RateLimited, "x")), Code::RateLimited);
    assert_eq!(code(&Error::ours(Unavailable, "x")), Code::Overloaded);
}

#[tokio::test]
async fn problem_names_the_field_but_no_cause() {
    let error =
        Error::incomplete("customer").with("realm", "secret-realm").with_source(std::io::Error::other("secret"));
    let response = failure(error).into_response("r-1");
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(
        body(response).await,
        json!({
            "type": "about:blank", "title": "The user lacks a required field", "status": 409, "code": "user_incomplete",
            "retryable": false, "outcome": "not_applied", "request_id": "r-1", "field": "customer"
        })
    );
}

#[tokio::test]
async fn problem_contains_reason_and_outcome() {
    let problem = body(failure(Error::unsupported("no mail system")).into_response("r-1")).await;
    assert_eq!(problem["detail"], "no mail system");
    let late = Failure { error: Error::ours(ErrorKind::Timeout, "late"), outcome: Outcome::Unknown };
    let problem = body(Rejection::from(late).refusal.into_response("r-1")).await;
    assert_eq!((&problem["outcome"], problem.get("detail")), (&json!("unknown"), None));
}

#[test]
fn retry_after_is_bounded_whole_seconds() {
    for (requested, expected) in [
        (None, 1),
        (Some(Duration::ZERO), 1),
        (Some(Duration::from_millis(1001)), 2),
        (Some(Duration::from_secs(30)), 30),
        (Some(Duration::from_secs(86_400)), 300),
        (Some(Duration::MAX), 300),
    ] {
        assert_eq!(retry_after(Code::UpstreamRateLimited, requested), expected, "{requested:?}");
    }
    let hour = retry_after(Code::RateLimited, Some(Duration::from_secs(86_400)));
    assert_eq!(hour, 3600, "our own limits are by the hour");
    let header = |error: Error, name: &str| failure(error).into_response("r").headers().get(name).cloned();
    let limited = Error::upstream(ErrorKind::RateLimited, "x").with_retry_after(Some(Duration::from_secs(7)));
    assert_eq!(header(limited, "retry-after").unwrap(), "7");
    assert_eq!(header(Error::upstream(ErrorKind::Unavailable, "x"), "retry-after").unwrap(), "1");
    assert_eq!(header(Error::ours(ErrorKind::RateLimited, "x"), "retry-after").unwrap(), "1");
    assert!(header(Error::upstream(ErrorKind::Timeout, "x"), "retry-after").is_none());
}

#[test]
fn headers_depend_on_the_code() {
    let headers = |refusal: Refusal| refusal.into_response("r").headers().clone();
    assert_eq!(headers(Refusal::method_not_allowed("GET"))["allow"], "GET");
    assert_eq!(headers(Refusal::new(Code::InvalidToken))["www-authenticate"], "Bearer");
    assert!(headers(Refusal::new(Code::InvalidSignature)).get("www-authenticate").is_none());
    for code in [Code::TooLarge, Code::RequestTimeout, Code::ShuttingDown] {
        assert_eq!(headers(Refusal::new(code))["connection"], "close");
    }
}

#[tokio::test]
async fn envelope_error_names_the_member() {
    let error = idp_bridge_protocol::Envelope::parse(br#"{"type":"users.delete","tenant":"acme","data":{"id":".."}}"#);
    let problem = body(Refusal::from(error.unwrap_err()).into_response("r")).await;
    assert_eq!((&problem["code"], &problem["field"]), (&json!("invalid_request"), &json!("data.id")));
}
