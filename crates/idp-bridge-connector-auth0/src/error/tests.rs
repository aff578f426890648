//! Tests of the kinds of Auth0's error responses.

use Step::*;
use idp_bridge_core::ErrorKind;
use idp_bridge_http::{HeaderMap, HeaderValue, StatusCode, header};

use super::*;

/// Answers as they were recorded, as the documentation or an issue shows them, and what may stand before Auth0.
const TABLE: &[(Step, u16, &str, ErrorKind)] = &[
    // Issues of Auth0's SDKs: node-auth0 #682 and #292, auth0-python #173, ruby-auth0 #190.
    (FetchToken, 401, r#"{"error":"access_denied","error_description":"Unauthorized"}"#, Unauthenticated),
    (
        FetchToken,
        403,
        r#"{"error":"access_denied","error_description":"Service not enabled within domain: https://login.acme.example/api/v2/"}"#,
        Misconfigured,
    ),
    (
        FetchToken,
        403,
        r#"{"error":"access_denied","error_description":"Client is not authorized to access \"https://acme.eu.auth0.com/api/v2/\"."}"#,
        PermissionDenied,
    ),
    (
        FetchToken,
        403,
        r#"{"error":"unauthorized_client","error_description":"Grant type 'client_credentials' not allowed for the client."}"#,
        Misconfigured,
    ),
    (FetchToken, 401, r#"{"error":"invalid_client"}"#, Unauthenticated),
    (FetchToken, 400, r#"{"error":"invalid_client"}"#, Unauthenticated),
    (FetchToken, 400, r#"{"error":"invalid_request"}"#, Misconfigured),
    (FetchToken, 404, r#"{"error":"not_found"}"#, Misconfigured),
    (FetchToken, 418, "", InvalidResponse),
    // Recorded by Auth0's SDKs.
    (
        ReadUsers,
        404,
        r#"{"statusCode":404,"error":"Not Found","message":"The user does not exist.","errorCode":"inexistent_user"}"#,
        NotFound,
    ),
    (
        ReadUsers,
        401,
        r#"{"statusCode":401,"error":"Unauthorized","message":"Missing authentication"}"#,
        Unauthenticated,
    ),
    (
        ReadUsers,
        403,
        r#"{"statusCode":403,"error":"Forbidden","message":"Insufficient scope, expected any of: read:users","errorCode":"insufficient_scope"}"#,
        PermissionDenied,
    ),
    (
        SendVerification,
        400,
        r#"{"statusCode":400,"error":"Bad Request","message":"Payload validation error","errorCode":"invalid_body"}"#,
        InvalidResponse,
    ),
    (
        ReadTemplates,
        404,
        r#"{"statusCode":404,"error":"Not Found","message":"The template does not exist.","errorCode":"inexistent_email_template"}"#,
        NotFound,
    ),
    (
        RevokeAccess,
        403,
        r#"{"statusCode":403,"error":"Forbidden","message":"Please upgrade your subscription to use bot detection","errorCode":"insufficient_entitlement"}"#,
        Misconfigured,
    ),
    // Hand-made, of documented statuses.
    (ReadUserinfo, 403, "<html>blocked</html>", InvalidResponse),
    (ReadUserinfo, 404, "", InvalidResponse),
    (ReadUserinfo, 401, "Unauthorized", Unavailable),
    (ReadUserinfo, 401, r#"{"message":"Unauthorized"}"#, Unavailable),
    (ReadUserinfo, 429, r#"{"error":"too_many_requests"}"#, RateLimited),
    (RevokeToken, 401, r#"{"error":"invalid_client"}"#, Unauthenticated),
    (RevokeToken, 401, r#"{"error":"access_denied","error_description":"Unauthorized"}"#, Unauthenticated),
    (RevokeToken, 400, r#"{"error":"invalid_request"}"#, InvalidInput),
    (RevokeToken, 400, "<html>no</html>", InvalidResponse),
    (RevokeSession, 404, r#"{"statusCode":404,"errorCode":"inexistent_session"}"#, NotFound),
    (RevokeSession, 404, r#"{"statusCode":404,"error":"Not Found","message":"Not Found"}"#, Misconfigured),
    (RevokeSession, 403, r#"{"statusCode":403,"errorCode":"insufficient_scope"}"#, PermissionDenied),
    (DeleteCredential, 404, r#"{"statusCode":404,"errorCode":"inexistent_device_credential"}"#, NotFound),
    (ReadCredentials, 404, "<html>no such page</html>", InvalidResponse),
    (ReadClients, 404, r#"{"statusCode":404,"errorCode":"inexistent_client"}"#, NotFound),
    // Documented, or shown in issues.
    (
        UpdateUser,
        400,
        r#"{"statusCode":400,"error":"Bad Request","message":"Email verification is not supported for enterprise users","errorCode":"operation_not_supported"}"#,
        State,
    ),
    (UpdateUser, 409, r#"{"statusCode":409,"errorCode":"custom_domain_conflict"}"#, Misconfigured),
    (SendVerification, 409, r#"{"statusCode":409,"errorCode":"custom_domain_conflict"}"#, Misconfigured),
    (UpdateUser, 409, r#"{"statusCode":409,"errorCode":"auth0_idp_error"}"#, Conflict),
    (ReadUsers, 400, r#"{"statusCode":400,"errorCode":"invalid_query_string"}"#, InvalidInput),
    (ReadUsers, 400, r#"{"statusCode":400,"errorCode":"invalid_paging"}"#, NotFound),
    (DeleteUser, 400, r#"{"statusCode":400,"errorCode":"invalid_paging"}"#, InvalidResponse),
    (DeleteUser, 400, r#"{"statusCode":400,"errorCode":"invalid_uri"}"#, InvalidInput),
    (ReadUsers, 414, r#"{"statusCode":414,"error":"Request-URI Too Large"}"#, InvalidInput),
    (ReadUsers, 429, r#"{"statusCode":429,"error":"Too Many Requests","errorCode":"too_many_requests"}"#, RateLimited),
    (FetchToken, 429, r#"{"error":"too_many_requests","error_description":"Client quota exceeded"}"#, RateLimited),
    (ResetPassword, 429, "", RateLimited),
    (ReadUsers, 503, r#"{"statusCode":503,"error":"Service Unavailable"}"#, Unavailable),
    (ResetPassword, 400, r#"{"error":"invalid connection"}"#, Misconfigured),
    (ResetPassword, 404, r#"{"statusCode":404,"error":"Not Found"}"#, Misconfigured),
    (ResetPassword, 500, "", Unavailable),
    // What something before Auth0 would say.
    (FetchToken, 401, "", InvalidResponse),
    (FetchToken, 403, "error code: 1020", InvalidResponse),
    (FetchToken, 404, "Not Found", InvalidResponse),
    (ReadUsers, 401, "", InvalidResponse),
    (ReadUsers, 403, "<html>blocked</html>", InvalidResponse),
    (ReadUsers, 403, r#"{"message":"Forbidden"}"#, InvalidResponse),
    (ReadUsers, 404, "<html>no such page</html>", InvalidResponse),
    (ReadUsers, 404, r#"{"errorCode":"inexistent_user"}"#, InvalidResponse),
    (ReadUsers, 404, r#"{"statusCode":404,"errorCode":["inexistent_user"]}"#, InvalidResponse),
    (DeleteUser, 404, "<html>no such page</html>", InvalidResponse),
    (ResetPassword, 400, "<html>no</html>", InvalidResponse),
    (ResetPassword, 404, "", InvalidResponse),
    (ReadConnections, 404, r#"{"statusCode":404,"errorCode":"inexistent_email_template"}"#, Misconfigured),
    (FetchToken, 502, "", Unavailable),
    (ReadUsers, 302, "", InvalidResponse),
    (FetchToken, 301, "", InvalidResponse),
    (ReadUsers, 400, "\u{0}garbage", InvalidResponse),
    (DeleteUser, 405, "", InvalidResponse),
];

fn refused_by(step: Step, status: u16, body: &str) -> Error {
    let status = StatusCode::from_u16(status).unwrap();
    check(step, Response::new(status, HeaderMap::new(), body.to_owned())).unwrap_err()
}

#[test]
fn every_known_refusal_has_its_kind() {
    for (step, status, body, kind) in TABLE {
        assert_eq!(refused_by(*step, *status, body).kind(), *kind, "{step:?} {status} {body}");
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
    for (step, status, ..) in TABLE {
        let body = r#"{"statusCode":400,"error":"s3cr3t","error_description":"s3cr3t","message":"s3cr3t","errorCode":"s3cr3t"}"#;
        for body in [body, "s3cr3t"] {
            let shown = format!("{:?}", refused_by(*step, *status, body));
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
    }
}
