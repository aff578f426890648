//! Tests of the client against a scripted bridge.

use std::sync::Arc;
use std::time::Duration;

use idp_bridge_client::{
    Answer, Call, Client, ClientError, Email, MAX_ANSWER, Operation, RawClient, RawRequest, SigningKey, TenantId,
    UserId, WebhookId, answers,
};
use idp_bridge_core::Clock;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_protocol::{Envelope, KeyRing, VerifyingKey};
use idp_bridge_test_http::{Received, Reply, Server, answer, unused_address};

#[derive(Debug)]
struct Noon;

const NOON: i64 = 1_767_268_800;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOON).unwrap()
    }
}

fn keys() -> Vec<SigningKey> {
    vec![SigningKey::from_seed([7; 32]).unwrap(), SigningKey::from_shared([8; 32])]
}

/// Starts a bridge that answers every request alike.
async fn bridge(reply: Reply) -> Server {
    Server::start(move |_, _| reply.clone()).await
}

fn client(url: &str) -> Client {
    let tenant = TenantId::new("acme").unwrap();
    Client::new(url, tenant, keys()).unwrap().with_clock(Arc::new(Noon))
}

fn get() -> Call {
    Call::GetById(UserId::new("u-1").unwrap())
}

const USER: &str = r#"{"user":{"tenant":"acme","id":"u-1","customer":"c-9","email":"a@b.c","logins_count":"42"}}"#;

fn json(status: u16, body: &str) -> Reply {
    answer(status, &["content-type: application/json"], body)
}

fn other(status: u16, content_type: &str, body: &str) -> Reply {
    answer(status, &[&format!("content-type: {content_type}")], body)
}

/// Parses the headers of a request.
fn headers(request: &Received) -> http::HeaderMap {
    let pairs = request.head.lines().skip(1).map(|line| line.split_once(": ").unwrap());
    pairs.map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())).collect()
}

async fn run(reply: Reply, call: Call) -> Result<Answer, ClientError> {
    client(&bridge(reply).await.base()).call(call).await
}

#[tokio::test]
async fn sent_bytes_are_signed_with_every_key() {
    let bridge = bridge(json(200, USER)).await;
    let id: WebhookId = "msg_mine".parse().unwrap();
    client(&bridge.base()).call_with_id(&id, get()).await.unwrap();
    let request = bridge.received().remove(0);
    let (headers, body) = (headers(&request), request.body.as_bytes());
    assert!(request.head.starts_with("POST /v1/tenants/acme/webhook HTTP/1.1\r\n"), "{request:?}");
    assert_eq!(headers["content-type"], "application/json");
    for key in keys() {
        let ring = KeyRing::new(vec![VerifyingKey::parse(key.to_verifying_text().expose()).unwrap()]).unwrap();
        assert_eq!(ring.verify(&headers, body, NOON), Ok("msg_mine"));
    }
    let envelope = Envelope::parse(body).unwrap();
    assert_eq!((envelope.tenant.as_str(), envelope.operation), ("acme", Operation::Users(get())));
}

#[tokio::test]
async fn every_kind_of_answer_is_parsed() {
    let email = || Email::new("a@b.c").unwrap();
    let id = || UserId::new("u-1").unwrap();
    let Answer::User(answer) = run(json(200, USER), get()).await.unwrap() else { panic!("no user") };
    assert_eq!(answer.user.logins_count, Some(42));
    for (text, existed) in [("true", Some(true)), ("false", Some(false)), ("null", None)] {
        let reply = json(200, &format!("{{\"existed\":{text}}}"));
        let answer = run(reply, Call::Delete(id())).await.unwrap();
        assert_eq!(answer, Answer::Deleted(answers::DeleteAnswer { existed }));
    }
    for call in [
        Call::MarkEmailVerified { id: id(), email: None },
        Call::SendVerificationEmail(id()),
        Call::SendPasswordResetEmail(email()),
    ] {
        assert_eq!(run(json(200, "{}"), call).await.unwrap(), Answer::Done(answers::DoneAnswer {}));
    }
    let pong = r#"{"protocol":1,"connector":"memory","capabilities":{"calls":{},"fields":{"email":"exact"}}}"#;
    let answer = client(&bridge(json(200, pong)).await.base()).ping().await.unwrap();
    assert_eq!(serde_json::to_value(answer).unwrap(), serde_json::from_str::<serde_json::Value>(pong).unwrap());
}

#[tokio::test]
async fn problem_is_parsed_with_retry_after() {
    let body = r#"{"type":"about:blank","title":"The identity provider is not available","status":503,
        "code":"upstream_unavailable","retryable":true,"outcome":"unknown","request_id":"r-1"}"#;
    let headers = ["content-type: Application/Problem+JSON; charset=utf-8", "retry-after: 7"];
    let error = run(answer(503, &headers, body), get()).await.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(error.problem().unwrap().code, "upstream_unavailable");
    let ClientError::Problem { retry_after, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*retry_after, Some(Duration::from_secs(7)));
    assert_eq!(error.to_string(), "The identity provider is not available (status 503, code `upstream_unavailable`)");
}

#[tokio::test]
async fn foreign_responses_are_unexpected() {
    for (reply, status, retryable) in [
        (other(404, "text/html", "<h1>Not Found</h1>"), 404, false),
        (other(502, "text/html", "<h1>Bad Gateway</h1>"), 502, true),
        (other(200, "text/html", USER), 200, false),
        (json(200, "{}"), 200, false),
        (json(200, "{\"user\":"), 200, false),
        (other(404, "application/problem+json", "{\"status\":404}"), 404, false),
        (answer(302, &["content-type: text/html", "location: /elsewhere"], ""), 302, false),
    ] {
        let error = run(reply, get()).await.unwrap_err();
        assert!(
            matches!(&error, ClientError::UnexpectedResponse { status: own } if own.as_u16() == status),
            "{error:?}"
        );
        assert_eq!(error.is_retryable(), retryable, "{error:?}");
    }
}

#[tokio::test]
async fn endless_answer_is_too_large() {
    let error = run(Reply::Endless(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n".to_vec()), get())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::TooLarge), "{error:?}");
    let body = format!("{USER}{}", " ".repeat(MAX_ANSWER - USER.len()));
    assert!(run(json(200, &body), get()).await.is_ok());
}

#[tokio::test]
async fn timeout_is_sent_to_the_bridge() {
    let bridge = bridge(Reply::Hang(Vec::new())).await;
    let error = client(&bridge.base()).with_timeout(Duration::from_millis(200)).call(get()).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout), "{error:?}");
    bridge.abandoned().await;
    assert_eq!(headers(&bridge.received()[0])["x-request-timeout-ms"], "180");
}

#[tokio::test]
async fn refused_and_broken_connections_are_distinguished() {
    let error = client(&format!("http://{}", unused_address())).call(get()).await.unwrap_err();
    assert!(matches!(error, ClientError::Transport { sent: false, .. }), "{error:?}");
    assert_eq!(error.to_string(), "the bridge cannot be reached");
    let error = run(Reply::Cut(Vec::new()), get()).await.unwrap_err();
    assert!(matches!(error, ClientError::Transport { sent: true, .. }), "{error:?}");
    assert!(error.is_retryable());
}

#[test]
fn invalid_url_and_missing_key_are_rejected() {
    let tenant = || TenantId::new("acme").unwrap();
    for bad in
        ["", "bridge", "ftp://bridge.example", "https://me:pw@bridge.example", "https://b.example?x", "https://b#f"]
    {
        let error = Client::new(bad, tenant(), keys()).unwrap_err();
        assert!(matches!(error, ClientError::Settings { .. }), "{bad}: {error:?}");
        assert!(!format!("{error:?} {error}").contains("pw@"), "{error:?}");
    }
    assert!(Client::new("http://127.0.0.1:8080/bridge/", tenant(), keys()).is_ok());
    assert!(Client::new("http://127.0.0.1:8080", tenant(), Vec::new()).is_err());
}

#[tokio::test]
async fn debug_hides_secrets_and_personal_data() {
    let client = client("http://127.0.0.1:8080");
    let signed = client.sign(&WebhookId::random().unwrap(), &Operation::Users(get()));
    let shown = format!("{client:?} {signed:?}");
    for hidden in ["u-1", "v1a,", "whsk_"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[test]
fn random_ids_are_valid_and_distinct() {
    let (one, two) = (WebhookId::random().unwrap(), WebhookId::random().unwrap());
    assert_ne!(one, two);
    assert_eq!(one.as_str().parse::<WebhookId>().unwrap(), one);
    for bad in ["", "a b", "a\r\nb", "ä", "a.b", &"x".repeat(129)] {
        assert!(bad.parse::<WebhookId>().is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn raw_requests_are_sent_unchanged() {
    let server = Server::start(|_, _| answer(418, &["x-name: value"], "a pot")).await;
    let request = RawRequest::new(&server.base(), &TenantId::new("acme").unwrap(), "body").unwrap();
    let request = request.header("webhook-id", "a").twice("webhook-id").with("content-type", "text/plain");
    let client = RawClient::new(&request, None).unwrap();
    let answer = client.send(request.clone().at("elsewhere")).await.unwrap();
    assert_eq!((answer.status, answer.header("x-name"), &*answer.body), (418, Some("value"), &b"a pot"[..]));
    client.send(request.without("webhook-id").get()).await.unwrap();
    let received = server.received();
    assert!(received[0].head.starts_with("POST /v1/tenants/acme/elsewhere HTTP/1.1"), "{received:?}");
    assert_eq!(received[0].head.matches("webhook-id: a").count(), 2, "{received:?}");
    assert!(received[0].head.contains("content-type: text/plain") && received[0].body == "body", "{received:?}");
    assert!(received[1].head.starts_with("GET /v1/tenants/acme/webhook HTTP/1.1"), "{received:?}");
    assert!(!received[1].head.contains("webhook-id"), "{received:?}");
}
