//! TLS on the main listener: versions, suites, client certificates and the replacement of the certificate.

mod authority;
mod hello;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use idp_bridge_connector_memory::sample_users;
use idp_bridge_server::{CurrentTls, ServerLimits, Tenant};
use idp_bridge_test_http::Authority;
use rustls::ProtocolVersion::{TLSv1_2, TLSv1_3};
use rustls::version::{TLS12, TLS13};
use serde_json::json;

pub(crate) use self::authority::Client;
use self::authority::issue_tls;
use crate::bridge::{Bridge, envelope, limits, memory, signed, tenant};
use crate::http::{Answer, Connection, Request, within};

/// A bridge with TLS, and its authority.
pub(crate) struct Encrypted {
    pub(crate) bridge: Bridge,
    pub(crate) authority: Authority,
    pub(crate) current: Arc<CurrentTls>,
}

impl Encrypted {
    pub(crate) async fn start() -> Self {
        Self::with([tenant("acme", memory(sample_users()))], limits(), false).await
    }

    /// Starts a bridge that requests client certificates if `has_clients` is true.
    pub(crate) async fn with(tenants: [Tenant; 1], limits: ServerLimits, has_clients: bool) -> Self {
        let authority = Authority::new();
        let tls = issue_tls(&authority, has_clients);
        let mut current = None;
        let bridge = Bridge::with_server(tenants, limits, |server| {
            let (server, tls) = server.with_tls(tls);
            current = Some(tls);
            server
        })
        .await;
        Self { bridge, authority, current: current.unwrap() }
    }

    /// Returns a client that trusts the bridge.
    pub(crate) fn client(&self) -> Client {
        Client::trusting(&self.authority)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.bridge.address
    }

    async fn send(&self, client: Client, request: &Request) -> Option<Answer> {
        let mut connection = Connection::over(client.connect(self.address()).await.ok()?);
        connection.write(request.to_bytes()).await;
        connection.answer().await
    }
}

fn health() -> Request {
    Request::new("GET", "/healthz")
}

fn get() -> Request {
    signed(&envelope("users.get_by_id", json!({"id": "u-1"})))
}

#[tokio::test]
async fn signed_calls_work_over_both_versions() {
    let encrypted = Encrypted::start().await;
    for (version, expected) in [(&TLS12, TLSv1_2), (&TLS13, TLSv1_3)] {
        let client = encrypted.client().with_version(version);
        let stream = client.connect(encrypted.address()).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(expected));
        assert_eq!(Connection::over(stream).send(&get()).await.status, 200);
    }
}

#[tokio::test]
async fn protocol_is_chosen_by_server_preference() {
    let encrypted = Encrypted::start().await;
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let stream = encrypted.client().with_protocols(offered).connect(encrypted.address()).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen.map(str::as_bytes), "{offered:?}");
    }
    let unknown = encrypted.client().with_protocols(&["spdy/3"]).connect(encrypted.address()).await;
    assert!(unknown.is_err());
}

#[tokio::test]
async fn old_versions_and_weak_suites_are_refused() {
    let encrypted = Encrypted::start().await;
    for version in [0x0300, 0x0301, 0x0302] {
        let answer = hello::send(encrypted.address(), version, &[hello::STRONG, hello::WEAK].concat()).await;
        assert_eq!(answer, hello::Answer::Alert(hello::PROTOCOL_VERSION), "{version:x}");
    }
    for suite in hello::WEAK {
        let answer = hello::send(encrypted.address(), 0x0303, &[*suite]).await;
        assert_eq!(answer, hello::Answer::Alert(hello::HANDSHAKE_FAILURE), "{suite:x}");
    }
    // The same message with a strong suite is answered.
    assert_eq!(hello::send(encrypted.address(), 0x0303, hello::STRONG).await, hello::Answer::ServerHello);
}

#[tokio::test]
async fn clear_text_gets_no_response() {
    let encrypted = Encrypted::start().await;
    // A fatal alert of TLS is no HTTP response.
    let mut bytes = Vec::new();
    let stream = tokio::net::TcpStream::connect(encrypted.address()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    tokio::io::AsyncWriteExt::write_all(&mut writer, &health().to_bytes()).await.unwrap();
    let _ = within(tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut bytes)).await;
    assert_eq!(bytes.first(), Some(&0x15), "{bytes:?}");
}

#[tokio::test]
async fn slow_handshake_is_closed() {
    let mut short = limits();
    (short.head, short.connections) = (Duration::from_millis(200), 1);
    let encrypted = Encrypted::with([tenant("acme", memory(sample_users()))], short, false).await;
    let begun = Instant::now();
    let mut silent = Connection::open(encrypted.address()).await;
    silent.write([0x16, 0x03, 0x01]).await;
    // The handshake takes the only place, so the next connection waits for its end.
    assert_eq!(encrypted.send(encrypted.client(), &health()).await.unwrap().status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(150), "{:?}", begun.elapsed());
    silent.closed().await;
}

#[tokio::test]
async fn handshakes_count_for_the_peer() {
    let mut few = limits();
    few.connections_per_peer = 1;
    let encrypted = Encrypted::with([tenant("acme", memory(sample_users()))], few, false).await;
    let first = Connection::open(encrypted.address()).await;
    assert!(encrypted.client().connect(encrypted.address()).await.is_err());
    drop(first);
    let again = async {
        while encrypted.client().connect(encrypted.address()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    within(again).await;
}

#[tokio::test]
async fn calls_need_a_certificate_of_the_authority() {
    let encrypted = Encrypted::with([tenant("acme", memory(sample_users()))], limits(), true).await;
    let client = || encrypted.client();
    let without = encrypted.send(client(), &get()).await.unwrap();
    assert_eq!(without.verdict(), (403, "forbidden".into()));
    let rest = encrypted.send(client(), &Request::new("GET", "/v1/tenants/acme/users/u-1")).await.unwrap();
    assert_eq!(rest.status, 403);
    let with = encrypted.send(client().with_certificate(&encrypted.authority, &["platform.example"]), &get()).await;
    assert_eq!(with.unwrap().status, 200);
    // Applications and probes have no certificate.
    assert_eq!(encrypted.send(client(), &health()).await.unwrap().status, 200);
    let userinfo = encrypted.send(client(), &Request::new("GET", "/v1/tenants/acme/userinfo")).await.unwrap();
    assert_ne!(userinfo.status, 403);
    let foreign = Authority::new();
    assert_eq!(encrypted.send(client().with_certificate(&foreign, &["platform.example"]), &health()).await, None);
}

#[tokio::test]
async fn tenant_limits_client_certificates() {
    let mut acme = tenant("acme", memory(sample_users()));
    acme.client_names = vec!["Platform.example".into(), "spiffe://platform/users".into()];
    let encrypted = Encrypted::with([acme], limits(), true).await;
    let call = async |names: &[&str], request: Request| {
        let client = encrypted.client().with_certificate(&encrypted.authority, names);
        encrypted.send(client, &request).await.unwrap()
    };
    assert_eq!(call(&["other.example", "platform.EXAMPLE"], get()).await.status, 200);
    assert_eq!(call(&["uri:spiffe://platform/users"], get()).await.status, 200);
    for names in [&["other.example"][..], &["uri:spiffe://platform/user"], &["a.platform.example"], &[]] {
        assert_eq!(call(names, get()).await.verdict(), (403, "forbidden".into()), "{names:?}");
    }
    // The response to an invalid signature does not depend on the certificate.
    let invalid = get().with("webhook-id", "other");
    assert_eq!(call(&["other.example"], invalid).await.verdict(), (401, "invalid_signature".into()));
}

#[tokio::test]
async fn tenant_with_names_refuses_clear_text() {
    let mut acme = tenant("acme", memory(sample_users()));
    acme.client_names = vec!["platform.example".into()];
    let bridge = Bridge::start([acme]).await;
    assert_eq!(bridge.send(&get()).await.verdict(), (403, "forbidden".into()));
}

#[tokio::test]
async fn replaced_certificate_keeps_open_connections() {
    let encrypted = Encrypted::start().await;
    let mut open = Connection::over(encrypted.client().connect(encrypted.address()).await.unwrap());
    assert_eq!(open.send(&health()).await.status, 200);
    let next = Authority::new();
    encrypted.current.replace(issue_tls(&next, false));
    assert!(encrypted.client().connect(encrypted.address()).await.is_err());
    assert_eq!(encrypted.send(Client::trusting(&next), &health()).await.unwrap().status, 200);
    assert_eq!(open.send(&health()).await.status, 200);
}

#[tokio::test]
async fn broken_certificate_shows_in_readiness() {
    let encrypted = Encrypted::start().await;
    let verbose = Request::new("GET", "/readyz?verbose");
    let broken = async || {
        let answer = encrypted.send(encrypted.client(), &verbose).await.unwrap();
        answer.json()["broken_certificate"].as_bool()
    };
    assert_eq!(broken().await, Some(false));
    encrypted.current.set_broken(true);
    assert_eq!(broken().await, Some(true));
    let plain = Bridge::with_samples().await.send(&verbose).await;
    assert_eq!(plain.json().get("broken_certificate"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_under_load_fails_no_handshake() {
    let encrypted = Encrypted::start().await;
    let (address, client) = (encrypted.address(), encrypted.client());
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (client, stop) = (client.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let (mut handshakes, mut failed) = (0, 0);
                while !stop.load(SeqCst) {
                    handshakes += 1;
                    failed += usize::from(client.clone().connect(address).await.is_err());
                }
                (handshakes, failed)
            })
        })
        .collect();
    for _ in 0..50 {
        encrypted.current.replace(issue_tls(&encrypted.authority, false));
        assert_eq!(encrypted.send(client.clone(), &health()).await.unwrap().status, 200);
    }
    stop.store(true, SeqCst);
    for caller in callers {
        let (handshakes, failed) = within(caller).await.unwrap();
        assert!(handshakes > 10 && failed == 0, "{failed} of {handshakes} handshakes failed");
    }
}

#[tokio::test]
async fn end_of_a_connection_is_announced() {
    let mut short = limits();
    short.idle = Duration::from_millis(100);
    let encrypted = Encrypted::with([tenant("acme", memory(sample_users()))], short, false).await;
    let mut stream = encrypted.client().connect(encrypted.address()).await.unwrap();
    let mut connection = Connection::over(&mut stream);
    assert_eq!(connection.send(&health()).await.status, 200);
    drop(connection);
    // rustls reports an end without `close_notify` as an error.
    let ended = within(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut Vec::new())).await;
    assert_eq!(ended.unwrap(), 0);
}
