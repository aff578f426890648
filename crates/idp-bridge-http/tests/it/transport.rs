//! Tests of the messages and hints of requests without a response.

use std::net::Ipv4Addr;
use std::time::Duration;

use idp_bridge_core::{CallScope, Error, ErrorKind, Origin, OutboundPolicy};
use idp_bridge_http::{Client, Request, Url};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{Reply, Server, answer, everything, scope};
use crate::tls::{server_of_own_ca, trusting};

/// Returns the error of a write, which is sent once.
async fn fail(policy: &OutboundPolicy, url: &str) -> Error {
    let client = Client::new(policy).unwrap();
    client.send(&scope(), Request::delete(Url::parse(url).unwrap())).await.unwrap_err()
}

/// Starts a server with this connection handler, and returns its port.
async fn port<F: Future<Output = ()> + Send>(treat: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            treat(listener.accept().await.unwrap().0).await;
        }
    });
    port
}

async fn answer_plainly(mut stream: TcpStream) {
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
}

async fn reset(mut stream: TcpStream) {
    // Closing a connection with unread bytes resets it.
    stream.read_exact(&mut [0]).await.unwrap();
    stream.set_zero_linger().unwrap();
}

#[tokio::test]
async fn each_failure_names_its_cause_and_hint() {
    let any = OutboundPolicy::default();
    let (own_ca, pem) = server_of_own_ca("localhost").await;
    let (other_host, other_pem) = server_of_own_ca("idp.example").await;
    let (tls, _) = server_of_own_ca("localhost").await;
    let closed = idp_bridge_test_http::unused_address().port();
    let http = Server::start(|_, _| answer(200, &[], "ok")).await;
    let cut = Server::start(|_, _| Reply::Cut(Vec::new())).await;
    let noise = Server::start(|_, _| Reply::Cut(b"SSH-2.0-x\r\n\r\n".to_vec())).await;
    let (plain, resets) = (port(answer_plainly).await, port(reset).await);
    let closes = port(async |stream| drop(stream)).await;
    let unfit = trusting(&pem);
    for (policy, url, message, hint) in [
        (
            trusting(&other_pem),
            own_ca.base(),
            "certificate is not trusted",
            "for a private certificate authority set `ca_file`",
        ),
        (trusting(&other_pem), other_host.base(), "is for another host name", "write the URL with a host name"),
        (unfit.clone(), format!("https://localhost:{plain}"), "does not speak TLS", "name the port that speaks TLS"),
        (unfit.clone(), http.base().replace("http:", "https:"), "does not speak TLS", "name the port that speaks TLS"),
        (unfit, format!("https://localhost:{closes}"), "no TLS connection", "check that the port speaks TLS"),
        (
            any.clone(),
            tls.base().replace("https:", "http:"),
            "answer is not HTTP",
            "if the port speaks TLS, write `https://`",
        ),
        (any.clone(), cut.base(), "closed before the answer", "if the port speaks TLS, write `https://`"),
        (any.clone(), noise.base(), "answer is not HTTP", "if the port speaks TLS, write `https://`"),
        (any.clone(), format!("http://localhost:{resets}"), "it was reset", "try again"),
        (any.clone(), format!("http://localhost:{closed}"), "no program listens", "check the port"),
        (any.clone(), "https://no-such-name.invalid".into(), "host name cannot be resolved", "check the spelling"),
    ] {
        let error = fail(&policy, &url).await;
        assert!(error.to_string().contains(message), "{url}: {}", everything(&error));
        assert!(error.hint().is_some_and(|own| own.starts_with(hint)), "{url}: {:?}", error.hint());
        assert!(error.is_unanswered(), "{url}");
        let kind = match message {
            "certificate is not trusted" | "is for another host name" => ErrorKind::Misconfigured,
            "answer is not HTTP" => ErrorKind::InvalidResponse,
            _ => ErrorKind::Unavailable,
        };
        assert_eq!((error.kind(), error.origin()), (kind, Origin::Upstream), "{url}");
    }
}

#[tokio::test]
async fn silence_names_its_next_step() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = Url::parse(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
    let scope = CallScope::new("r-1", Duration::from_millis(100));
    let error = Client::new(&OutboundPolicy::default()).unwrap().send(&scope, Request::get(url)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unanswered()), (ErrorKind::Timeout, true));
    assert!(error.hint().is_some_and(|hint| hint.starts_with("allow more time")), "{:?}", error.hint());
}

#[tokio::test]
async fn any_status_is_ok() {
    let server = Server::start(|_, _| answer(404, &[], "ok")).await;
    let client = Client::new(&OutboundPolicy::default()).unwrap();
    assert_eq!(client.send(&scope(), Request::get(server.url())).await.unwrap().status, 404);
}
