//! Tests of a proxy between the client and the identity provider.

use idp_bridge_core::{ErrorKind, OutboundPolicy, Outcome};
use idp_bridge_http::{Client, Request, Url};
use idp_bridge_test_http::Authority;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::gated_server::GatedServer;
use crate::server::{Server, answer, scope};
use crate::tls::{server_config, trusting};

/// The user name and the password in the proxy's URL, and what the proxy receives.
const IN_URL: &str = "ada:p%40ss";
const IN_HEADER: &str = "proxy-authorization: basic ywrhonbac3m=";

fn through(proxy: &str, policy: OutboundPolicy) -> OutboundPolicy {
    OutboundPolicy { allow_http: true, proxy: Some(format!("http://{IN_URL}@{proxy}")), ..policy }
}

#[tokio::test]
async fn http_requests_are_sent_to_the_proxy() {
    let proxy = Server::start(|_, _| answer(200, &[], "")).await;
    let address = proxy.base().replace("http://", "");
    let client = Client::new(&through(&address, OutboundPolicy::default())).unwrap();
    client.send(&scope(), Request::get(Url::parse("http://idp.invalid/users?max=1").unwrap())).await.unwrap();
    let head = proxy.received()[0].head.to_lowercase();
    assert!(head.starts_with("get http://idp.invalid/users?max=1 http/1.1\r\nhost: idp.invalid\r\n"), "{head}");
    assert!(head.contains(IN_HEADER), "{head}");
}

/// Starts a proxy that answers `CONNECT` with this status, and forwards the connection after a success.
async fn start_tunnel(
    status: &'static str,
    target: std::net::SocketAddr,
) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, heads) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.unwrap());
            }
            sender.send(String::from_utf8(head).unwrap()).unwrap();
            client.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.unwrap();
            if status == "200 OK" {
                let mut server = TcpStream::connect(target).await.unwrap();
                tokio::spawn(async move { drop(copy_bidirectional(&mut client, &mut server).await) });
            }
        }
    });
    (address, heads)
}

#[tokio::test]
async fn https_requests_use_a_tunnel() {
    let authority = Authority::new();
    let server = GatedServer::start(server_config(&authority, "localhost", None), &["h2", "http/1.1"]).await;
    server.open(1);
    let (proxy, mut heads) = start_tunnel("200 OK", server.address()).await;
    let client = Client::new(&through(&proxy, trusting(&authority.pem))).unwrap();
    let response = client.send(&scope(), Request::get(server.url())).await.unwrap();
    assert_eq!((response.text(), server.connections()), (Some("ok"), 1));
    let head = heads.recv().await.unwrap().to_lowercase();
    assert!(head.starts_with(&format!("connect localhost:{} http/1.1\r\n", server.address().port())), "{head}");
    assert!(head.contains(IN_HEADER), "{head}");
}

#[tokio::test]
async fn refused_tunnel_sends_no_request() {
    let authority = Authority::new();
    let server = GatedServer::start(server_config(&authority, "localhost", None), &["http/1.1"]).await;
    let (proxy, _heads) = start_tunnel("407 Proxy Authentication Required", server.address()).await;
    let client = Client::new(&through(&proxy, trusting(&authority.pem))).unwrap();
    let write = scope();
    let error = client.send(&write, Request::delete(server.url())).await.unwrap_err();
    assert_eq!((error.kind(), write.recorder().outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
    assert!(!format!("{error:?}").contains("p@ss"), "{error:?}");
    assert_eq!(server.connections(), 0);
}
