//! Tests of signed calls with an independent signer, and of malformed requests.

use serde_json::{Value, json};

use crate::fixture::{Configured, SAMPLE_USERS, signer};
use crate::support::http::{Reply, Request, exchange};
use crate::support::sign::{Signer, now};

#[test]
fn calls_are_answered_and_writes_replayed() {
    let bridge = Configured::with_tenant_keys("").serve();
    let call = |kind: &str, data: Value| signer().call(kind, data).send(bridge.address());
    let ada = call("users.get_by_email", json!({"email": "ADA@acme.example"}));
    assert_eq!((ada.status, &ada.json()["user"]["id"]), (200, &json!("u-1")));
    assert_eq!(ada.headers["cache-control"], "no-store");
    assert_eq!(call("users.get_by_id", json!({"id": "u-1"})).json(), ada.json());
    assert_eq!(call("users.get_by_customer", json!({"customer": "cust-1"})).json(), ada.json());
    let marked = call("users.mark_email_verified", json!({"id": "u-3", "email": "linus@acme.example"}));
    assert_eq!((marked.status, marked.json()), (200, json!({})));
    assert_eq!(call("users.get_by_id", json!({"id": "u-3"})).json()["user"]["email_verified"], true);
    assert_eq!(call("users.send_verification_email", json!({"id": "u-1"})).json(), json!({}));
    for email in ["ada@acme.example", "mallory@acme.example", "nobody@acme.example"] {
        let reply = call("users.send_password_reset_email", json!({"email": email}));
        assert_eq!((reply.status, reply.json()), (200, json!({})), "{email}");
    }
    let delete = signer().call("users.delete", json!({"id": "u-2"}));
    let deleted = delete.send(bridge.address());
    assert_eq!((deleted.status, deleted.json()), (200, json!({"existed": true})));
    let again = delete.send(bridge.address());
    assert_eq!((again.json(), again.headers["idempotent-replayed"].as_str()), (json!({"existed": true}), "true"));
    assert_eq!(call("users.delete", json!({"id": "u-2"})).json(), json!({"existed": false}));
    let pong = call("ping", json!({})).json();
    assert_eq!((&pong["protocol"], &pong["connector"]), (&json!(1), &json!("memory")));
}

#[test]
fn errors_have_documented_status_and_code() {
    let configured = Configured::with_tenant_keys("disabled_calls = [\"users.delete\"]");
    // A blocked user without a verified address gets no mail.
    let blocked = "\"email_verified\": false,\n    \"blocked\": true";
    let users = SAMPLE_USERS.replace("\"email_verified\": true,\n    \"blocked\": true", blocked);
    assert_ne!(users, SAMPLE_USERS);
    configured.write("users.json", &users);
    let bridge = configured.serve();
    let call = |kind: &str, data: Value| signer().call(kind, data).send(bridge.address()).problem();
    for (kind, data, status, code) in [
        ("users.get_by_id", json!({"id": "u-9"}), 404, "user_not_found"),
        ("users.get_by_id", json!({"id": "u-5"}), 409, "user_incomplete"),
        ("users.mark_email_verified", json!({"id": "u-1", "email": "x@y.z"}), 409, "user_conflict"),
        ("users.send_verification_email", json!({"id": "u-4"}), 409, "user_state"),
        ("users.delete", json!({"id": "u-1"}), 403, "forbidden"),
        ("users.create", json!({"id": "u-1"}), 400, "unknown_operation"),
        ("users.get_by_id", json!({"id": ".."}), 400, "invalid_request"),
        ("users.get_by_id", json!({"id": "x".repeat(257)}), 400, "invalid_request"),
        ("users.get_by_id", json!({"id": "u-1", "more": 1}), 400, "invalid_request"),
        ("users.get_by_id", json!([]), 400, "invalid_request"),
        ("users.get_by_email", json!({"email": "nobody"}), 400, "invalid_request"),
    ] {
        assert_eq!(call(kind, data.clone()), (status, code.to_owned()), "{kind} {data}");
    }
    let delete = signer().call_with_id("msg_reused", "users.mark_email_verified", json!({"id": "u-3"}));
    assert_eq!(delete.send(bridge.address()).status, 200);
    let other = signer().call_with_id("msg_reused", "users.mark_email_verified", json!({"id": "u-1"}));
    assert_eq!(other.send(bridge.address()).problem(), (422, "webhook_id_reused".into()));
}

/// Returns a description, a request that is invalid in one way, and the expected status and code.
fn invalid_requests() -> Vec<(&'static str, Request, u16, &'static str)> {
    let valid = || signer().call("ping", json!({}));
    let value = |request: &Request, name: &str| {
        request.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()).unwrap()
    };
    let with = |name: &str, text: &str| valid().with(name, text);
    let twice = |name: &str| {
        let request = valid();
        let value = value(&request, name);
        request.header(name, &value)
    };
    let at =
        |seconds: i64| signer().sign("msg_1", now() + seconds, json!({"type": "ping", "tenant": "acme"}).to_string());
    let stranger = Signer::new("whsec_c3RyYW5nZXJzdHJhbmdlcnN0cmFuZ2Vyc3RyYW5nZXI=", "acme");
    let elsewhere = Signer::new(&signer().key, "nobody");
    let path = |path: &str| Request { target: path.into(), ..valid() };
    let method = |method: &str| Request { method: method.into(), ..valid() };
    let body = |text: &[u8]| signer().sign("msg_1", now(), text);
    vec![
        ("no id", valid().without("webhook-id"), 401, "invalid_signature"),
        ("no timestamp", valid().without("webhook-timestamp"), 401, "invalid_signature"),
        ("no signature", valid().without("webhook-signature"), 401, "invalid_signature"),
        ("two ids", twice("webhook-id"), 401, "invalid_signature"),
        ("two signatures", twice("webhook-signature"), 401, "invalid_signature"),
        ("another id", with("webhook-id", "msg_other"), 401, "invalid_signature"),
        ("an id with a dot", with("webhook-id", "a.b"), 401, "invalid_signature"),
        ("a negative time", with("webhook-timestamp", "-1"), 401, "invalid_signature"),
        ("a huge time", with("webhook-timestamp", "99999999999999999999"), 401, "invalid_signature"),
        ("a time with a zero", with("webhook-timestamp", "01"), 401, "invalid_signature"),
        ("an empty signature", with("webhook-signature", "v1,"), 401, "invalid_signature"),
        ("an unknown version", with("webhook-signature", "v9,AAAA"), 401, "invalid_signature"),
        ("nine signatures", with("webhook-signature", &["v9,AAAA"; 9].join(" ")), 401, "invalid_signature"),
        ("a content encoding", valid().header("content-encoding", "gzip"), 401, "invalid_signature"),
        ("a stranger's key", stranger.call("ping", json!({})), 401, "invalid_signature"),
        ("an unknown tenant", elsewhere.call("ping", json!({})), 401, "invalid_signature"),
        ("a changed body", valid().body("{}"), 401, "invalid_signature"),
        ("six minutes ago", at(-360), 401, "timestamp_out_of_range"),
        ("in six minutes", at(360), 401, "timestamp_out_of_range"),
        (
            "another tenant inside",
            Signer { tenant: "acme".into(), ..elsewhere.clone() }.sign(
                "msg_1",
                now(),
                r#"{"type":"ping","tenant":"nobody"}"#,
            ),
            400,
            "invalid_request",
        ),
        ("no JSON", body(b"nothing"), 400, "invalid_request"),
        ("no UTF-8", body(b"{\"type\":\"ping\",\"tenant\":\"acme\",\"x\":\"\xff\"}"), 400, "invalid_request"),
        ("a key twice", body(br#"{"type":"ping","type":"ping","tenant":"acme"}"#), 400, "invalid_request"),
        ("an array", body(b"[]"), 400, "invalid_request"),
        (
            "deep",
            body(format!("{{\"x\":{}{}}}", "[".repeat(4000), "]".repeat(4000)).as_bytes()),
            400,
            "invalid_request",
        ),
        ("no tenant", body(br#"{"type":"ping"}"#), 400, "invalid_request"),
        ("a text", valid().with("content-type", "text/plain"), 415, "unsupported_media_type"),
        ("a large body", body(&vec![b' '; 20_000]), 413, "too_large"),
        ("a long path", path(&format!("/v1/tenants/acme/webhook?{}", "x".repeat(3000))), 414, "uri_too_long"),
        ("another path", path("/v1/tenants/acme/webhooks"), 404, "route_not_found"),
        ("a folded path", path("/v1/tenants/../tenants/acme/webhook"), 404, "route_not_found"),
        ("GET", method("GET"), 405, "method_not_allowed"),
        ("BREW", method("BREW"), 405, "method_not_allowed"),
    ]
}

#[test]
fn invalid_requests_have_documented_status_and_code() {
    let bridge = Configured::with_tenant_keys("").serve();
    for (what, request, status, code) in invalid_requests() {
        let reply = request.send(bridge.address());
        assert_eq!(reply.problem(), (status, code.to_owned()), "{what}");
    }
    assert_eq!(signer().call("ping", json!({})).send(bridge.address()).status, 200);
    bridge.wait_for_log("\"call\":\"ping\"");
    let log = bridge.log().join("\n");
    assert!(!log.contains("panic"), "{log}");
}

#[test]
fn malformed_http_gets_a_bare_status() {
    let bridge = Configured::with_tenant_keys("").serve();
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    let large = format!("x: {}\r\n", "y".repeat(40_000));
    for (what, bytes, statuses) in [
        ("nonsense", "\x16\x03\x01\x02\x00\r\n\r\n".to_owned(), [400, 400]),
        ("no version", "GET /healthz\r\n\r\n".into(), [400, 400]),
        ("an unknown version", "GET /healthz HTTP/9.9\r\n\r\n".into(), [400, 505]),
        ("no colon", "GET /healthz HTTP/1.1\r\nno colon\r\n\r\n".into(), [400, 400]),
        ("a zero byte", "GET /healthz HTTP/1.1\r\nx: a\0b\r\n\r\n".into(), [400, 400]),
        ("a negative length", "POST /healthz HTTP/1.1\r\ncontent-length: -1\r\n\r\n".into(), [400, 400]),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), [400, 505]),
        ("many headers", format!("GET /healthz HTTP/1.1\r\nhost: a\r\n{many}\r\n"), [431, 431]),
        ("a large header", format!("GET /healthz HTTP/1.1\r\nhost: a\r\n{large}\r\n"), [431, 431]),
        ("two lengths", "POST /v1/tenants/acme/webhook HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".into(), [400, 400]),
        ("both lengths", "POST /v1/tenants/acme/webhook HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n".into(), [400, 415]),
    ] {
        let answer = exchange(bridge.address(), bytes.as_bytes());
        let status = if answer.is_empty() { statuses[0] } else { Reply::parse(&answer).status };
        assert!(statuses.contains(&status), "{what}: {}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(Request::get("/healthz").send(bridge.address()).status, 200);
}

#[test]
fn proxy_protocol_gives_the_address_of_the_client() {
    let configured = Configured::with_server_keys("shutdown_delay = \"0s\"\nproxy_protocol_from = [\"127.0.0.0/8\"]");
    let bridge = configured.serve_at_info();
    let without = exchange(bridge.address(), &Request::get("/healthz").to_bytes());
    assert!(without.is_empty(), "{}", String::from_utf8_lossy(&without));
    // Version 2, TCP over IPv4: from 192.0.2.7, port 8080, to 10.0.0.1, port 80.
    let client = [192, 0, 2, 7, 10, 0, 0, 1, 0x1f, 0x90, 0, 80];
    let call = signer().call("ping", json!({})).with("connection", "close").to_bytes();
    let request = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", &client[..], &call].concat();
    assert_eq!(Reply::parse(&exchange(bridge.address(), &request)).status, 200);
    let line = bridge.wait_for_log("\"call\":\"ping\"");
    assert!(line.contains("\"peer\":\"192.0.2.7\""), "{line}");
}
