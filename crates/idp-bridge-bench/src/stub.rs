//! A fake Keycloak that answers at once: the token of a client, users, and userinfo.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::fixture::Upstream;
use crate::process::Process;
use crate::run::OTHER_CORE;
use crate::{access_token, fixture};

/// Starts one as a process of its own.
pub(crate) fn start(upstream: &Upstream, folder: &Path) -> Result<Process> {
    let mut arguments = vec!["stub".to_owned(), upstream.address.to_string()];
    if let Some(file) = &upstream.authority {
        arguments.extend(["--tls".to_owned(), file.display().to_string()]);
    }
    let (own, log) = (std::env::current_exe()?, folder.join("stub.log"));
    let mut process = Process::start(OTHER_CORE, "the fake Keycloak", &own, &arguments, &log)?;
    process.wait_for(upstream.address)?;
    Ok(process)
}

/// Serves until the process ends. With a file it speaks TLS, and writes the certificate of its authority there.
pub(crate) async fn serve(listen: SocketAddr, authority: Option<&Path>) -> Result<()> {
    let tls = authority.map(acceptor).transpose()?;
    let listener = TcpListener::bind(listen).await?;
    let answers = Answers::new()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (answers, tls) = (answers.clone(), tls.clone());
        tokio::spawn(async move {
            let Some(tls) = tls else { return answers.serve(stream).await };
            // The start of this process is noticed by a connection without a handshake.
            if let Ok(stream) = tls.accept(stream).await {
                answers.serve(stream).await;
            }
        });
    }
}

/// Creates a certificate, which is its own authority, and writes it to a file.
fn acceptor(file: &Path) -> Result<TlsAcceptor> {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names)?;
    std::fs::write(file, cert.pem())?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).map_err(|error| anyhow!(error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The answers, serialized once.
#[derive(Clone)]
struct Answers {
    token: Bytes,
    /// The user before and after its id.
    user: [String; 2],
    keys: Bytes,
    authorization: HeaderValue,
}

impl Answers {
    fn new() -> Result<Self> {
        let token = fixture::token();
        let user = json!({
            "username": "ada", "firstName": "Ada", "lastName": "Example",
            "email": "ada@acme.example", "emailVerified": true, "attributes": {"customer_id": ["c-1"]},
            "enabled": true, "createdTimestamp": 1_795_562_773_040_i64, "totp": false, "disableableCredentialTypes": [],
            "requiredActions": [], "notBefore": 0,
            "access": {"manageGroupMembership": true, "view": true, "mapRoles": true, "impersonate": false, "manage": true}
        });
        let authorization = format!("Bearer {token}");
        Ok(Self {
            token: json!({"access_token": token, "expires_in": 36_000, "token_type": "Bearer"}).to_string().into(),
            user: ["{\"id\":\"".into(), format!("\",{}", user.to_string().trim_start_matches('{'))],
            keys: access_token::jwks()?.to_string().into(),
            authorization: HeaderValue::from_str(&authorization)?,
        })
    }

    /// Serves a connection.
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = service_fn(|request| self.answer(request));
        // The gateway may close it at any time.
        let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let is_authorized = request.headers().get(header::AUTHORIZATION) == Some(&self.authorization);
        let openid = request.uri().path().strip_prefix(fixture::OPENID);
        let (status, body) = match request.uri().path() {
            path if path.starts_with(fixture::USERS) && is_authorized => {
                (StatusCode::OK, self.user.join(path.trim_start_matches(fixture::USERS)).into())
            }
            _ if openid == Some("token") => (StatusCode::OK, self.token.clone()),
            _ if openid == Some("certs") => (StatusCode::OK, self.keys.clone()),
            _ if openid == Some("userinfo") => (StatusCode::OK, userinfo(request.headers())),
            _ if !is_authorized => {
                (StatusCode::UNAUTHORIZED, Bytes::from_static(b"{\"error\":\"HTTP 401 Unauthorized\"}"))
            }
            _ => (StatusCode::NOT_FOUND, Bytes::from_static(b"{\"error\":\"User not found\"}")),
        };
        drop(request.into_body().collect().await);
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        // The headers that Keycloak 26.7.3 sends.
        for (name, value) in [
            (header::CONTENT_TYPE, "application/json;charset=UTF-8"),
            (header::CACHE_CONTROL, "no-cache"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Ok(response)
    }
}

/// Returns the claims of the token's user, without verifying the token.
fn userinfo(headers: &HeaderMap) -> Bytes {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let subject = token.and_then(access_token::subject);
    let claims = json!({
        "sub": subject, "email": "ada@acme.example", "email_verified": true, "preferred_username": "ada",
        "customer_id": "c-1",
    });
    claims.to_string().into()
}
