//! Tests of cached tokens with a server that rejects them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use idp_bridge_core::{CallScope, ErrorKind, OutboundPolicy, Outcome, Result, Secret, async_trait};
use idp_bridge_http::{Client, Request, Token, TokenCache, TokenSource, Url};

use crate::server::{Received, Reply, Server, answer, scope};

/// Fetches tokens from a server.
struct TestSource {
    client: Client,
    url: Url,
}

#[async_trait]
impl TokenSource for TestSource {
    async fn fetch(&self, scope: &CallScope) -> Result<Token> {
        let response = self.client.send(scope, Request::post(self.url.clone()).read_only()).await?;
        Ok(Token { secret: Secret::new(response.text().unwrap_or_default()), expires_in: Duration::from_secs(300) })
    }
}

/// Starts a server that issues the tokens `t-0`, `t-1` and so on. Returns their number too.
async fn token_server() -> (Server, Arc<AtomicUsize>) {
    let issued = Arc::new(AtomicUsize::new(0));
    let counter = issued.clone();
    let server = Server::start(move |_, _| answer(200, &[], &format!("t-{}", counter.fetch_add(1, SeqCst)))).await;
    (server, issued)
}

fn shows(received: &Received, token: &str) -> bool {
    received.head.to_lowercase().contains(&format!("authorization: bearer {token}\r\n"))
        || received.head.to_lowercase().ends_with(&format!("authorization: bearer {token}"))
}

fn cache(tokens: &Server) -> (Client, TokenCache) {
    let client = Client::new(&OutboundPolicy::default()).unwrap();
    (client.clone(), TokenCache::new(&client, TestSource { client: client.clone(), url: tokens.url() }))
}

#[tokio::test]
async fn refused_token_is_replaced_once() {
    let refuse_first = |_: usize, received: &Received| answer(if shows(received, "t-0") { 401 } else { 204 }, &[], "");
    for write in [false, true] {
        let (tokens, issued) = token_server().await;
        let server = Server::start(refuse_first).await;
        let (client, cache) = cache(&tokens);
        let request = if write { Request::delete(server.url()) } else { Request::get(server.url()) };
        let call = scope();
        let response = cache.send(&client, &call, request.clone()).await.unwrap();
        assert_eq!((response.status.as_u16(), issued.load(SeqCst)), (204, 2));
        // Two token requests and one request with two attempts.
        assert_eq!((call.recorder().requests(), call.recorder().attempts()), (3, 4));

        let call = scope();
        cache.send(&client, &call, request).await.unwrap();
        assert_eq!((call.recorder().requests(), call.recorder().attempts()), (1, 1));
        assert!(shows(&server.received()[2], "t-1"));
    }
}

#[tokio::test]
async fn second_401_is_returned() {
    let (tokens, issued) = token_server().await;
    let server = Server::start(|_, _| answer(401, &[], "")).await;
    let (client, cache) = cache(&tokens);
    let scope = scope();
    let response = cache.send(&client, &scope, Request::delete(server.url())).await.unwrap();
    assert_eq!((response.status.as_u16(), server.received().len(), issued.load(SeqCst)), (401, 2, 2));
    assert_eq!(scope.recorder().outcome(), Outcome::NotApplied);
}

#[tokio::test]
async fn attempts_are_limited_across_a_401() {
    let (tokens, _) = token_server().await;
    let server = Server::start(|number, _| answer(if number == 2 { 401 } else { 503 }, &[], "")).await;
    let (client, cache) = cache(&tokens);
    let response = cache.send(&client, &scope(), Request::get(server.url())).await.unwrap();
    assert_eq!((response.status.as_u16(), server.received().len()), (503, 4));
}

#[tokio::test]
async fn fifty_refused_calls_fetch_one_token() {
    let (tokens, issued) = token_server().await;
    let server = Server::start(|_, received| answer(if shows(received, "t-0") { 401 } else { 200 }, &[], "")).await;
    let (client, cache) = cache(&tokens);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (client, cache, url) = (client.clone(), cache.clone(), server.url());
        calls.spawn(async move { cache.send(&client, &scope(), Request::get(url)).await.unwrap().status });
    }
    assert!(calls.join_all().await.iter().all(|status| status.as_u16() == 200));
    assert_eq!(issued.load(SeqCst), 2);
}

#[tokio::test]
async fn hanging_token_server_is_left_at_the_deadline() {
    let tokens = Server::start(|_, _| Reply::Hang(Vec::new())).await;
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let (client, cache) = cache(&tokens);
    let scope = CallScope::new("r-1", Duration::from_millis(150));
    let error = cache.send(&client, &scope, Request::delete(server.url())).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::Timeout, Outcome::NotApplied));
    assert_eq!(server.received().len(), 0);
}
