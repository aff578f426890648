//! Servers that answer with other bytes than a directory should.

use std::time::Duration;

use idp_bridge_core::{ErrorKind, Outcome, UserId, UserKey};

use crate::fake::{FakeServer, element, end, end_page, entry};
use crate::support::{config_at, provider, read, scope};

const UUID: &str = "8aec4f2c-7fe2-1041-9264-878632ad99b3";

async fn answer(respond: impl Fn(u8) -> Option<Vec<u8>> + Send + Sync + 'static) -> (ErrorKind, String) {
    let server = FakeServer::start(respond);
    let error = read(&*provider(config_at(&server.url))).await.unwrap_err();
    (error.kind(), format!("{error:?}"))
}

#[tokio::test]
async fn unreadable_answers_are_invalid_responses() {
    let mut nested = Vec::new();
    for _ in 0..50_000 {
        nested = [&[0x30, 0x84], &u32::try_from(nested.len()).unwrap().to_be_bytes()[..], &nested].concat();
    }
    let nested = element(0x30, &[vec![2, 1, 2], element(0x64, &nested)].concat());
    for bytes in [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        vec![0x30, 0x80, 0, 0],
        vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
        vec![0x30, 0],
        nested,
        end(9, 0x65, 0),
        end(2, 0x79, 0),
        element(0x30, &[vec![2, 1, 2], element(0x64, &[4, 2, 0xff, 0xfe])].concat()),
    ] {
        let (kind, text) = answer(move |_| Some(bytes.clone())).await;
        assert_eq!(kind, ErrorKind::InvalidResponse, "{text}");
    }
}

#[tokio::test]
async fn equal_cookies_do_not_end_a_search() {
    let found = |id| entry(id, &[("entryUUID", UUID), ("mail", "ada@acme.example")]);
    let server = FakeServer::start(move |id| {
        Some(match id {
            2 | 3 => end_page(id, "0"),
            _ => [found(id), end_page(id, "")].concat(),
        })
    });
    assert_eq!(read(&*provider(config_at(&server.url))).await.unwrap().id.as_str(), UUID);
}

#[tokio::test]
async fn endless_results_are_refused() {
    let reference = |id| element(0x30, &[vec![2, 1, id], element(0x73, &vec![b'x'; 100_000])].concat());
    let (kind, text) = answer(move |id| Some([reference(id), end_page(id, "0")].concat())).await;
    assert_eq!(kind, ErrorKind::InvalidResponse, "{text}");
    let (kind, text) = answer(move |id| Some(end_page(id, "0"))).await;
    assert_eq!(kind, ErrorKind::InvalidResponse, "{text}");
    let many = entry(2, &[("entryUUID", UUID), ("mail", "ada@acme.example"), ("description", &"x".repeat(100_000))])
        .repeat(20);
    let (kind, text) = answer(move |_| Some(many.clone())).await;
    assert_eq!(kind, ErrorKind::InvalidResponse, "{text}");
}

#[tokio::test]
async fn broken_connections_are_unavailable() {
    let (kind, text) = answer(|_| None).await;
    assert_eq!(kind, ErrorKind::Unavailable, "{text}");
    // The notice that the server ends the connection.
    let (kind, text) = answer(|_| Some(end(0, 0x78, 52))).await;
    assert_eq!(kind, ErrorKind::Unavailable, "{text}");
}

#[tokio::test]
async fn busy_server_is_unavailable_with_a_wait() {
    let server = FakeServer::start(|id| Some(end(id, 0x65, 51)));
    let error = read(&*provider(config_at(&server.url))).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry_after()),
        (ErrorKind::Unavailable, Some(Duration::from_secs(1))),
        "{error:?}"
    );
}

#[tokio::test]
async fn referral_and_reference_are_no_panic() {
    let reference = |id| element(0x30, &[vec![2, 1, id], element(0x73, &[4, 3, b'x', b':', b'y'])].concat());
    let (kind, text) = answer(move |id| Some([reference(id), end(id, 0x65, 10)].concat())).await;
    assert_eq!(kind, ErrorKind::Misconfigured, "{text}");
}

#[tokio::test]
async fn answer_about_another_user_is_refused() {
    let ours = UserId::new("8aec4f2c-7fe2-1041-9264-878632ad99b4").unwrap();
    let server = FakeServer::start(|id| Some([entry(id, &[("entryUUID", UUID)]), end(id, 0x65, 0)].concat()));
    let provider = provider(config_at(&server.url));
    let error = provider.get(&crate::support::ample(), UserKey::Id(&ours)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error:?}");
}

#[tokio::test]
async fn connections_are_bounded_and_reused() {
    let found = |id| [entry(id, &[("entryUUID", UUID), ("mail", "ada@acme.example")]), end(id, 0x65, 0)].concat();
    let server = FakeServer::start(move |id| Some(found(id)));
    let mut config = config_at(&server.url);
    config.connections = 2;
    let provider = provider(config);
    let id = UserId::new(UUID).unwrap();
    for _ in 0..5 {
        let scope = scope(Duration::from_secs(20));
        let read = || provider.get(&scope, UserKey::Id(&id));
        let (one, two, three, four) = tokio::join!(read(), read(), read(), read());
        assert!([one, two, three, four].iter().all(Result::is_ok));
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn bytes_before_the_handshake_are_refused() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config_at(&format!("ldap://{}", listener.local_addr().unwrap()));
    config.start_tls = true;
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let injected = [end(1, 0x78, 0), end(1, 0x61, 0)].concat();
        std::io::Write::write_all(&mut stream, &injected).unwrap();
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let error = read(&*provider(config)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error:?}");
}

#[tokio::test]
async fn only_searches_on_closed_connections_are_repeated() {
    // Each connection answers one message after its bind.
    let found = |id| [entry(id, &[("entryUUID", UUID), ("mail", "ada@acme.example")]), end(id, 0x65, 0)].concat();
    let server = FakeServer::start(move |id| (id == 2).then(|| found(id)));
    let provider = provider(config_at(&server.url));
    for connections in 1..=3 {
        assert_eq!(read(&*provider).await.unwrap().id.as_str(), UUID);
        assert_eq!(server.connections(), connections);
    }
    let (scope, id) = (scope(Duration::from_secs(20)), UserId::new(UUID).unwrap());
    let error = provider.delete(&scope, &id).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::Unavailable, Outcome::Unknown), "{error:?}");
    assert_eq!(server.connections(), 4);
}
