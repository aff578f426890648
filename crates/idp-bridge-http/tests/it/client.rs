//! Tests of attempts, limits and faults.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use idp_bridge_core::{AttemptResult, CallScope, Error, ErrorKind, Origin, OutboundPolicy, Outcome};
use idp_bridge_http::{Client, HeaderName, HeaderValue, MAX_BODY, Request, Response, StatusCode, Url};
use idp_bridge_test_http::unused_address;

use crate::server::{Reply, Server, answer, everything, scope};

fn client() -> Client {
    Client::new(&OutboundPolicy::default()).unwrap()
}

fn writes(url: &Url) -> [Request; 4] {
    [Request::put, Request::patch, Request::post, Request::delete].map(|write| write(url.clone()))
}

#[tokio::test]
async fn request_and_response_arrive_unchanged() {
    let server = Server::start(|_, _| answer(201, &["x-id: 7"], "{\"id\":\"u-1\"}")).await;
    let request = Request::post(server.url())
        .query(&[("q", "a b+c")])
        .header(HeaderName::from_static("x-a"), HeaderValue::from_static("b"))
        .json(&serde_json::json!({"a": 1}))
        .unwrap();
    let scope = scope();
    let response = client().send(&scope, request).await.unwrap();
    assert_eq!((response.status.as_u16(), response.text()), (201, Some("{\"id\":\"u-1\"}")));
    assert_eq!(response.headers["x-id"], "7");
    assert_eq!(response.json::<serde_json::Value>().unwrap()["id"], "u-1");
    let received = &server.received()[0];
    assert!(received.head.starts_with("POST /users/u-1?q=a+b%2Bc HTTP/1.1\r\n"), "{received:?}");
    for line in ["x-a: b", "content-type: application/json", "user-agent: idp-bridge/"] {
        assert!(received.head.contains(line), "{received:?}");
    }
    assert!(!received.head.contains("accept-encoding"), "a compressed answer could be larger than its limit");
    assert_eq!(received.body, "{\"a\":1}");
    assert_eq!((scope.recorder().requests(), scope.recorder().attempts()), (1, 1));
}

#[tokio::test]
async fn clients_keep_their_own_connections() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let (one, other) = (client(), client());
    for client in [&one, &one.clone(), &one, &other] {
        client.send(&scope(), Request::get(server.url())).await.unwrap();
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn read_is_retried_on_transient_status() {
    for status in [408, 429, 500, 502, 503, 504] {
        let server = Server::start(move |_, _| answer(status, &[], "")).await;
        let scope = scope();
        let response = client().send(&scope, Request::post(server.url()).read_only()).await.unwrap();
        assert_eq!((response.status.as_u16(), server.received().len()), (status, 3));
        assert_eq!((scope.recorder().requests(), scope.recorder().attempts()), (1, 3));
        assert_eq!(scope.recorder().outcome(), Outcome::NotApplied);
    }
    let server = Server::start(|number, _| answer(if number == 0 { 503 } else { 200 }, &[], "")).await;
    let response = client().send(&scope(), Request::get(server.url())).await.unwrap();
    assert_eq!((response.status.as_u16(), server.received().len()), (200, 2));
}

#[tokio::test]
async fn attempts_are_counted_by_result() {
    let server = Server::start(|number, _| match number {
        0 => answer(503, &["x-ratelimit-remaining: 9"], ""),
        1 => answer(200, &["x-ratelimit-remaining: 7"], ""),
        _ => answer(404, &[], ""),
    })
    .await;
    let policy = OutboundPolicy::default();
    let (client, counters) = (Client::new(&policy).unwrap(), policy.counters);
    assert_eq!(counters.quota(), None);
    let scope = scope();
    for _ in 0..2 {
        client.send(&scope, Request::get(server.url())).await.unwrap();
    }
    let address = unused_address();
    // A connection that fails is tried three times.
    let unreachable = Url::parse(&format!("http://{address}/")).unwrap();
    client.send(&scope, Request::delete(unreachable)).await.unwrap_err();
    assert_eq!((counters.requests(), counters.quota(), scope.recorder().status()), (3, Some(7), Some(404)));
    let counts = AttemptResult::ALL.map(|result| (result.as_str(), counters.attempts(result)));
    let expected = [("2xx", 1), ("3xx", 0), ("429", 0), ("4xx", 1), ("5xx", 1), ("no_response", 3), ("abandoned", 0)];
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn attempt_cut_off_by_the_deadline_is_abandoned() {
    let server = Server::start(|_, _| Reply::Hang(Vec::new())).await;
    let policy = OutboundPolicy::default();
    let client = Client::new(&policy).unwrap();
    let scope = CallScope::new("r-1", Duration::from_millis(50));
    client.send(&scope, Request::delete(server.url())).await.unwrap_err();
    assert_eq!(policy.counters.attempts(AttemptResult::Abandoned), 1);
}

#[tokio::test]
async fn executed_write_is_not_retried() {
    for status in [200, 204, 408, 500, 502, 503, 504] {
        let server = Server::start(move |_, _| answer(status, &["retry-after: 0"], "")).await;
        for request in writes(&server.url()) {
            let scope = scope();
            let response = client().send(&scope, request).await.unwrap();
            assert_eq!((response.status.as_u16(), scope.recorder().attempts()), (status, 1));
            assert_eq!(scope.recorder().outcome(), Outcome::Unknown, "{status}");
        }
        assert_eq!(server.received().len(), 4);
    }
}

#[tokio::test]
async fn refused_write_is_not_applied() {
    for status in [400, 401, 403, 404, 409, 413, 422] {
        let server = Server::start(move |_, _| answer(status, &[], "")).await;
        let scope = scope();
        client().send(&scope, Request::put(server.url())).await.unwrap();
        assert_eq!((scope.recorder().outcome(), server.received().len()), (Outcome::NotApplied, 1), "{status}");
    }
}

#[tokio::test]
async fn rate_limited_write_is_retried() {
    let server = Server::start(|number, _| answer(if number < 2 { 429 } else { 204 }, &[], "")).await;
    let scope = scope();
    let response = client().send(&scope, Request::put(server.url()).form(&[("a", "b")])).await.unwrap();
    assert_eq!((response.status.as_u16(), scope.recorder().attempts()), (204, 3));
    assert!(server.received().iter().all(|received| received.body == "a=b"));
    assert_eq!(scope.recorder().outcome(), Outcome::Unknown);
}

#[tokio::test]
async fn rate_limit_reset_is_respected() {
    // Relative to the `date` of the response, so that the test needs no clock.
    let headers = ["date: Sun, 06 Nov 1994 08:49:37 GMT", "x-ratelimit-reset: 784111778"];
    let server = Server::start(move |number, _| answer(if number == 0 { 429 } else { 200 }, &headers, "")).await;
    let begun = Instant::now();
    let request = Request::get(server.url()).rate_limit_reset(HeaderName::from_static("x-ratelimit-reset"));
    let response = client().send(&scope(), request).await.unwrap();
    assert_eq!((response.status.as_u16(), server.received().len()), (200, 2));
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn effective_status_decides_about_retries() {
    let judge = |answer: &Response| match answer.text() {
        Some("slow down") => StatusCode::TOO_MANY_REQUESTS,
        Some("it ran") => StatusCode::BAD_GATEWAY,
        _ => answer.status,
    };
    for (body, sent, outcome) in
        [("slow down", 3, Outcome::NotApplied), ("it ran", 1, Outcome::Unknown), ("no", 1, Outcome::NotApplied)]
    {
        let server = Server::start(move |_, _| answer(400, &[], body)).await;
        let scope = scope();
        let request = Request::post(server.url()).bytes(body.into()).classify_with(judge);
        let response = client().send(&scope, request).await.unwrap();
        assert_eq!((response.status.as_u16(), server.received().len()), (400, sent), "{body}");
        assert_eq!(scope.recorder().outcome(), outcome, "{body}");
        assert_eq!(server.received()[0].body, body);
    }
}

#[tokio::test]
async fn body_is_built_for_each_attempt() {
    let server = Server::start(|number, _| answer(if number == 0 { 503 } else { 200 }, &[], "")).await;
    let made = AtomicU32::new(0);
    let make = move || Ok(vec![("jti", made.fetch_add(1, SeqCst).to_string())]);
    client().send(&scope(), Request::post(server.url()).read_only().form_with(make)).await.unwrap();
    let bodies: Vec<String> = server.received().into_iter().map(|received| received.body).collect();
    assert_eq!(bodies, ["jti=0", "jti=1"]);
}

#[tokio::test]
async fn requests_that_are_ready_together_are_written_together() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let (client, scope) = (client(), scope());
    // Bodies are built in the step before the write.
    let request = || {
        let recorder = scope.recorder().clone();
        let build = move || Ok(vec![("written_before", recorder.attempts().to_string())]);
        client.send(&scope, Request::post(server.url()).form_with(build))
    };
    let (first, second, third) = tokio::join!(request(), request(), request());
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    let bodies: Vec<String> = server.received().into_iter().map(|received| received.body).collect();
    assert_eq!(bodies, ["written_before=0"; 3]);
}

#[tokio::test]
async fn unbuilt_body_sends_nothing() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let scope = scope();
    let unmade = || Err(Error::ours(ErrorKind::Unexpected, "no randomness"));
    let error = client().send(&scope, Request::post(server.url()).form_with(unmade)).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Unexpected, "no randomness"));
    assert_eq!((server.received().len(), scope.recorder().attempts()), (0, 0));
    assert_eq!(scope.recorder().outcome(), Outcome::NotApplied);
}

#[tokio::test]
async fn long_retry_after_is_returned() {
    for status in [429, 503] {
        let server = Server::start(move |_, _| answer(status, &["retry-after: 60"], "")).await;
        let scope = scope();
        let response = client().send(&scope, Request::get(server.url())).await.unwrap();
        assert_eq!((response.status.as_u16(), response.retry_after()), (status, Some(Duration::from_secs(60))));
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Server::start(|_, _| answer(200, &[], "")).await;
        let location = format!("location: {}", elsewhere.url());
        let server = Server::start(move |_, _| answer(status, &[&location], "")).await;
        let response = client().send(&scope(), Request::get(server.url())).await.unwrap();
        assert_eq!((response.status.as_u16(), elsewhere.received().len()), (status, 0));
    }
}

#[tokio::test]
async fn refused_connection_is_retried_for_writes_too() {
    let url = Url::parse(&format!("http://{}/users?email=ada%40acme.example", unused_address())).unwrap();
    for request in writes(&url).into_iter().chain([Request::get(url.clone())]) {
        let scope = scope();
        let error = client().send(&scope, request).await.unwrap_err();
        assert_eq!((error.kind(), error.origin()), (ErrorKind::Unavailable, Origin::Upstream));
        assert_eq!((scope.recorder().attempts(), scope.recorder().outcome()), (3, Outcome::NotApplied));
        assert_eq!((error.context("host"), error.context("attempts")), (Some("127.0.0.1"), Some("3")));
        assert!(
            everything(&error).contains("refused") && !everything(&error).contains("ada"),
            "{}",
            everything(&error)
        );
    }
}

#[tokio::test]
async fn broken_connection_is_retried_for_reads_only() {
    let starts: [&[u8]; 4] = [
        b"",
        b"HTTP/1.1 200 OK\r\ncont",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"email\":\"ada@",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nada@a\r\n",
    ];
    for start in starts {
        let server = Server::start(move |_, _| Reply::Cut(start.to_vec())).await;
        for (request, attempts, outcome) in
            [(Request::get(server.url()), 3, Outcome::NotApplied), (Request::put(server.url()), 1, Outcome::Unknown)]
        {
            let scope = scope();
            let error = client().send(&scope, request.query(&[("email", "ada")])).await.unwrap_err();
            assert_eq!((error.kind(), error.origin()), (ErrorKind::Unavailable, Origin::Upstream), "{error:?}");
            assert_eq!((scope.recorder().attempts(), scope.recorder().outcome()), (attempts, outcome));
            assert!(!everything(&error).contains("ada"), "{}", everything(&error));
        }
    }
}

#[tokio::test]
async fn non_http_answer_is_invalid() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "ada@acme.example\r\n\r\n",
        "HTTP/1.1 999999 x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nada\u{1}: x\r\n\r\n",
    ] {
        let server = Server::start(move |_, _| Reply::Cut(garbage.as_bytes().to_vec())).await;
        let scope = scope();
        let error = client().send(&scope, Request::get(server.url())).await.unwrap_err();
        assert_eq!(
            (error.kind(), scope.recorder().attempts()),
            (ErrorKind::InvalidResponse, 1),
            "{garbage:?} {error:?}"
        );
        assert!(!everything(&error).contains("ada"), "{}", everything(&error));
    }
}

#[tokio::test]
async fn response_size_is_limited() {
    let whole = "x".repeat(MAX_BODY);
    let server = Server::start(move |_, _| answer(200, &[], &whole)).await;
    let response = client().send(&scope(), Request::get(server.url())).await.unwrap();
    assert_eq!(response.body.len(), MAX_BODY);

    let announced = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", MAX_BODY + 1);
    let server = Server::start(move |_, _| Reply::Hang(announced.clone().into_bytes())).await;
    let scope = scope();
    let error = client().send(&scope, Request::get(server.url())).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().attempts()), (ErrorKind::InvalidResponse, 1));
    server.abandoned().await;
}

#[tokio::test]
async fn endless_body_is_cut_at_the_limit() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4000000\r\n"] {
        let server = Server::start(move |_, _| Reply::Endless(head.as_bytes().to_vec())).await;
        let scope = scope();
        let error = client().send(&scope, Request::get(server.url())).await.unwrap_err();
        assert_eq!((error.kind(), error.origin()), (ErrorKind::InvalidResponse, Origin::Upstream));
        assert_eq!(scope.recorder().attempts(), 1);
        server.abandoned().await;
    }
}

#[tokio::test]
async fn endless_headers_are_invalid() {
    let server = Server::start(|_, _| Reply::Endless(b"HTTP/1.1 200 OK\r\nx-a: ".to_vec())).await;
    let error = client().send(&scope(), Request::get(server.url())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error:?}");
    server.abandoned().await;
}

#[tokio::test]
async fn hanging_server_is_left_at_the_deadline() {
    let starts: [&[u8]; 3] = [b"", b"HTTP/1.1 200 OK\r\nx", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"];
    for start in starts {
        let server = Server::start(move |_, _| Reply::Hang(start.to_vec())).await;
        for (request, outcome) in
            [(Request::get(server.url()), Outcome::NotApplied), (Request::delete(server.url()), Outcome::Unknown)]
        {
            let scope = CallScope::new("r-1", Duration::from_millis(150));
            let error = client().send(&scope, request).await.unwrap_err();
            assert_eq!((error.kind(), error.origin()), (ErrorKind::Timeout, Origin::Upstream));
            assert_eq!((scope.remaining(), scope.recorder().outcome()), (Duration::ZERO, outcome));
            server.abandoned().await;
        }
    }
}

#[tokio::test]
async fn stuck_read_is_sent_twice() {
    let server = || Server::start(|number, _| if number == 0 { Reply::Hang(Vec::new()) } else { answer(200, &[], "") });
    let (stuck, scope) = (server().await, CallScope::new("r-1", Duration::from_secs(2)));
    let response = client().send(&scope, Request::get(stuck.url())).await.unwrap();
    assert_eq!((response.status.as_u16(), scope.recorder().requests(), scope.recorder().attempts()), (200, 1, 2));
    assert!(!scope.remaining().is_zero());
    let (stuck, scope) = (server().await, CallScope::new("r-2", Duration::from_millis(200)));
    let error = client().send(&scope, Request::delete(stuck.url())).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().attempts(), stuck.received().len()), (ErrorKind::Timeout, 1, 1));
}

#[tokio::test]
async fn expired_deadline_sends_no_request() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let scope = CallScope::new("r-1", Duration::ZERO);
    let error = client().send(&scope, Request::delete(server.url())).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().attempts()), (ErrorKind::Timeout, 0));
    assert_eq!((scope.recorder().outcome(), server.connections()), (Outcome::NotApplied, 0));
}

#[tokio::test]
async fn request_urls_are_checked_by_policy() {
    for url in ["http://idp.example/", "http://169.254.169.254/latest", "https://[fe80::1]/", "ftp://idp.example/"] {
        let scope = scope();
        let error = client().send(&scope, Request::get(Url::parse(url).unwrap())).await.unwrap_err();
        assert_eq!((error.kind(), error.origin()), (ErrorKind::Misconfigured, Origin::Ours), "{url}");
        assert_eq!(scope.recorder().attempts(), 0);
    }
}
