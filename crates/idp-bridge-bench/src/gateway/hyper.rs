//! A service of hyper that calls the identity provider with hyper's client.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::TcpListener;

use super::{Answer, Call, KeycloakUser, Verifier};
use crate::fixture;

#[derive(Clone)]
struct Gateway {
    verifier: Verifier,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    users: String,
    authorization: HeaderValue,
}

/// Serves until the process ends.
pub(crate) async fn serve(listen: SocketAddr, url: &str) -> Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.enforce_http(false);
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
    let connector = builder.wrap_connector(connector);
    let gateway = Gateway {
        verifier: Verifier::new()?,
        client: Client::builder(TokioExecutor::new()).build(connector),
        users: format!("{url}{}", fixture::USERS),
        authorization: HeaderValue::from_str(&format!("Bearer {}", fixture::token()))?,
    };
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let gateway = gateway.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| gateway.respond(request));
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
        });
    }
}

impl Gateway {
    async fn respond(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (status, body) = match self.answer(request).await {
            Ok(answer) => (StatusCode::OK, serde_json::to_vec(&answer)?),
            Err(status) => (status, Vec::new()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, StatusCode> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| StatusCode::BAD_REQUEST)?.to_bytes();
        if !self.verifier.is_valid(&head.headers, &body) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        let call: Call = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
        self.read(&call.data.id).await.map_err(|_| StatusCode::BAD_GATEWAY)
    }

    async fn read(&self, id: &str) -> Result<Answer> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = format!("{}{id}", self.users).parse()?;
        request.headers_mut().insert(header::AUTHORIZATION, self.authorization.clone());
        let body = self.client.request(request).await?.into_body().collect().await?.to_bytes();
        Ok(serde_json::from_slice::<KeycloakUser>(&body)?.into())
    }
}
