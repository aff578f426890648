//! Tests of responses.

use std::error::Error as _;

use http::HeaderValue;

use super::*;

fn answer(headers: &[(HeaderName, &'static str)], body: &'static str) -> Response {
    let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
    Response { status: StatusCode::OK, headers, body: Bytes::from_static(body.as_bytes()), reset: None }
}

#[test]
fn retry_after_is_seconds_or_date() {
    let date = (DATE, "Sun, 06 Nov 1994 08:49:37 GMT");
    let after = |value| answer(&[date.clone(), (RETRY_AFTER, value)], "").retry_after();
    let table = [
        ("0", Some(0)),
        (" 7 ", Some(7)),
        ("86401", Some(86_400)),
        ("99999999999999999999999999", Some(86_400)),
        ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
        ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
        ("Sat, 06 Nov 2094 08:49:37 GMT", Some(86_400)),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
    ];
    for (value, expected) in table {
        assert_eq!(after(value), expected.map(Duration::from_secs), "{value:?}");
    }
    assert_eq!(answer(&[], "").retry_after(), None);
}

#[test]
fn retry_date_uses_our_clock_without_date_header() {
    let after = |value| answer(&[(RETRY_AFTER, value)], "").retry_after();
    assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
    assert_eq!(after("Sat, 06 Nov 2094 08:49:37 GMT"), Some(LONGEST_WAIT));
}

#[test]
fn rate_limit_reset_replaces_missing_retry_after() {
    const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
    let date = (DATE, "Sun, 06 Nov 1994 08:49:37 GMT");
    let limited = |headers: &[(HeaderName, &'static str)]| {
        let headers: Vec<_> = headers.iter().chain([&date]).cloned().collect();
        Response { status: StatusCode::TOO_MANY_REQUESTS, reset: Some(RESET), ..answer(&headers, "") }
    };
    let table = [
        ("784111787", Some(10)),
        ("784111700", Some(0)),
        ("4102444800", Some(86_400)),
        ("99999999999999999999999999", Some(86_400)),
        ("0", Some(0)),
        ("", None),
        ("-1", None),
        ("1.5", None),
    ];
    for (value, expected) in table {
        assert_eq!(limited(&[(RESET, value)]).retry_after(), expected.map(Duration::from_secs), "{value:?}");
    }
    assert_eq!(limited(&[(RESET, "784111787"), (RETRY_AFTER, "7")]).retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(limited(&[]).retry_after(), None);
    let served = Response { status: StatusCode::OK, ..limited(&[(RESET, "784111787")]) };
    assert_eq!(served.retry_after(), None);
    let unnamed = Response { reset: None, ..limited(&[(RESET, "784111787")]) };
    assert_eq!(unnamed.retry_after(), None);
}

/// The error body of a product.
#[derive(Debug, Deserialize)]
struct ErrorBody {
    code: String,
}

fn classify(status: u16, body: ErrorBody) -> Error {
    Error::upstream(ErrorKind::RateLimited, format!("{status} {}", body.code))
}

#[test]
fn media_type_has_no_parameters() {
    for (header, media_type) in [("Text/HTML; charset=utf-8", "text/html"), (" a/b ", "a/b"), ("", "")] {
        assert_eq!(answer(&[(CONTENT_TYPE, header)], "").media_type().as_deref(), Some(media_type));
    }
    assert_eq!(answer(&[], "").media_type(), None);
}

#[test]
fn product_refusal_gets_status_and_wait() {
    let refused = answer(&[(RETRY_AFTER, "7")], r#"{"code":"slow"}"#);
    let error = Response { status: StatusCode::CONFLICT, ..refused.clone() }.or_refusal(classify).unwrap_err();
    assert_eq!((error.message(), error.context("status")), ("409 slow", Some("409")));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    for status in [302, 429, 500, 503].map(|code| StatusCode::from_u16(code).unwrap()) {
        let error = Response { status, ..refused.clone() }.or_refusal(|_, _: ErrorBody| unreachable!()).unwrap_err();
        assert_eq!(error.message(), status_error(status.as_u16()).message());
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    }
    for status in [300, 304, 400, 500].map(|code| StatusCode::from_u16(code).unwrap()) {
        assert!(Response { status, ..answer(&[], "") }.or_refusal(classify).is_err(), "{status}");
    }
    assert_eq!(answer(&[], "body").or_refusal(classify).unwrap().text(), Some("body"));
}

#[test]
fn foreign_refusal_is_never_classified() {
    for (status, kind) in [
        (302, ErrorKind::InvalidResponse),
        (400, ErrorKind::InvalidResponse),
        (401, ErrorKind::InvalidResponse),
        (403, ErrorKind::InvalidResponse),
        (404, ErrorKind::InvalidResponse),
        (408, ErrorKind::Unavailable),
        (429, ErrorKind::RateLimited),
        (502, ErrorKind::Unavailable),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        for body in ["", "<html>no</html>", r#"{"message":"no"}"#, r#"{"code":["no"]}"#, "[]", "\"no\""] {
            let refused = Response { status, ..answer(&[(RETRY_AFTER, "7")], body) };
            let error = refused.or_refusal(|_, _: ErrorBody| unreachable!()).unwrap_err();
            assert_eq!(error.kind(), kind, "{status} {body}");
            assert_eq!(error.context("status"), Some(status.as_str()));
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        }
    }
}

#[test]
fn only_the_product_rejects_tokens() {
    use ErrorKind::{InvalidResponse, InvalidToken, RateLimited, Unavailable};
    let bearer = Some(r#"Bearer realm="x", error="invalid_token""#);
    let basic = Some(r#"Basic realm="x", error="invalid_token""#);
    for (status, challenge, body, kind) in [
        (401, bearer, "", InvalidToken),
        (401, Some("Bearer"), "Unauthorized", InvalidToken),
        (401, Some(r#"error="invalid_token""#), "", InvalidToken),
        (401, None, r#"{"error":"invalid_token"}"#, InvalidToken),
        (401, None, r#"{"error":"access_denied"}"#, InvalidToken),
        (400, bearer, "", InvalidToken),
        (403, None, r#"{"error":"insufficient_scope"}"#, InvalidToken),
        (401, None, "", Unavailable),
        (401, None, "<html>no</html>", Unavailable),
        (401, None, r#"{"message":"Unauthorized"}"#, Unavailable),
        (401, basic, "", Unavailable),
        (401, None, r#"{"code":"x"}"#, RateLimited),
        (403, Some("Bearer"), "", InvalidResponse),
        (403, None, r#"{"error":"access_denied"}"#, InvalidResponse),
        (501, bearer, "", Unavailable),
    ] {
        let headers: Vec<_> = challenge.into_iter().map(|text| (http::header::WWW_AUTHENTICATE, text)).collect();
        let answer = Response { status: StatusCode::from_u16(status).unwrap(), ..answer(&headers, body) };
        let error = answer.or_token_refusal(classify).unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {challenge:?} {body}");
    }
}

#[test]
fn unexpected_body_is_rejected_and_hidden() {
    assert!(answer(&[], "").check_empty().is_ok());
    let error = answer(&[], "ada@acme.example").check_empty().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    assert!(!format!("{error:?}").contains("ada"), "{error:?}");
}

#[test]
fn json_faults_hide_values_and_types() {
    for body in ["{\"age\": \"ada@acme.example\"}", "ada@acme.example", "", "{\"age\":"] {
        #[derive(Debug, serde::Deserialize)]
        struct Person {
            #[expect(dead_code, reason = "only read by serde")]
            age: u8,
        }
        let error = answer(&[], body).json::<Person>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        assert!(error.context("at").is_some() && error.context("fault").is_some(), "{error}");
        assert!(!format!("{error} {error:?}").contains("Person"), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("ada"), "{error:?}");
        assert!(error.source().is_none());
    }
}

#[test]
fn debug_hides_headers_and_body() {
    let shown = format!("{:?}", answer(&[(DATE, "secret-header")], "secret-body"));
    assert_eq!(shown, "Response { status: 200, length: 11, .. }");
}
