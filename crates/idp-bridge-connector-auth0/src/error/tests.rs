//! Tests of the kinds of Auth0's error responses.

use std::collections::BTreeMap;

use Step::*;
use idp_bridge_http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;

use super::*;

/// Responses by their source: step, status, body and kind of the error. A body that is a string is not JSON.
const TABLE: &str = include_str!("refusals.json");

type Row = (String, u16, Value, String);

/// Returns the rows of the table, with their steps.
fn table() -> Vec<(Step, u16, String, String)> {
    const STEPS: [Step; 15] = [
        DeleteCredential,
        DeleteUser,
        FetchToken,
        ReadClients,
        ReadConnections,
        ReadCredentials,
        ReadTemplates,
        ReadUserinfo,
        ReadUsers,
        ResetPassword,
        RevokeAccess,
        RevokeSession,
        RevokeToken,
        SendVerification,
        UpdateUser,
    ];
    let groups: BTreeMap<String, Vec<Row>> = serde_json::from_str(TABLE).unwrap();
    let row = |(name, status, body, kind): Row| {
        let step = STEPS.into_iter().find(|step| format!("{step:?}") == name).expect(&name);
        (step, status, body.as_str().map_or_else(|| body.to_string(), str::to_owned), kind)
    };
    groups.into_values().flatten().map(row).collect()
}

fn refused_by(step: Step, status: u16, body: &str) -> Error {
    let status = StatusCode::from_u16(status).unwrap();
    check(step, Response::new(status, HeaderMap::new(), body.to_owned())).unwrap_err()
}

#[test]
fn every_known_refusal_has_its_kind() {
    for (step, status, body, kind) in table() {
        assert_eq!(format!("{:?}", refused_by(step, status, &body).kind()), kind, "{step:?} {status} {body}");
    }
}

#[test]
fn challenge_refuses_the_token() {
    let challenge = HeaderValue::from_static("Bearer realm=\"Users\", error=\"invalid_token\"");
    let headers = HeaderMap::from_iter([(header::WWW_AUTHENTICATE, challenge)]);
    let answer = Response::new(StatusCode::UNAUTHORIZED, headers, "Unauthorized");
    assert_eq!(check(ReadUserinfo, answer).unwrap_err().kind(), InvalidToken);
}

#[test]
fn a_missing_scope_is_named() {
    let body = r#"{"statusCode":403,"error":"Forbidden","errorCode":"insufficient_scope"}"#;
    for (step, scope) in [(ReadUsers, "read:users"), (SendVerification, "update:users"), (DeleteUser, "delete:users")] {
        assert_eq!(refused_by(step, 403, body).context("scope"), Some(scope));
        assert_eq!(refused_by(step, 403, "<html>").context("scope"), None);
    }
}

#[test]
fn the_body_is_never_shown() {
    for (step, status, ..) in table() {
        let body = r#"{"statusCode":400,"error":"s3cr3t","error_description":"s3cr3t","message":"s3cr3t","errorCode":"s3cr3t"}"#;
        for body in [body, "s3cr3t"] {
            let shown = format!("{:?}", refused_by(step, status, body));
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
    }
}
