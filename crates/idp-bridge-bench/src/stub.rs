//! A fake Keycloak that answers at once: the token of a client, and one user.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpListener;

use crate::fixture;

/// Serves until the process ends.
pub(crate) async fn serve(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let answers = Answers::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = answers.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answers.answer(request));
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await
        });
    }
}

/// The answers, serialized once.
#[derive(Clone)]
struct Answers {
    token: Bytes,
    /// The user before and after its id.
    user: [String; 2],
    authorization: HeaderValue,
}

impl Answers {
    fn new() -> Self {
        let token = fixture::token();
        let user = json!({
            "username": "ada", "firstName": "Ada", "lastName": "Example",
            "email": "ada@acme.example", "emailVerified": true, "attributes": {"customer_id": ["c-1"]},
            "enabled": true, "createdTimestamp": 1_795_562_773_040_i64, "totp": false, "disableableCredentialTypes": [],
            "requiredActions": [], "notBefore": 0,
            "access": {"manageGroupMembership": true, "view": true, "mapRoles": true, "impersonate": false, "manage": true}
        });
        let authorization = format!("Bearer {token}");
        Self {
            token: json!({"access_token": token, "expires_in": 36_000, "token_type": "Bearer"}).to_string().into(),
            user: ["{\"id\":\"".into(), format!("\",{}", user.to_string().trim_start_matches('{'))],
            authorization: HeaderValue::from_str(&authorization).unwrap_or(HeaderValue::from_static("")),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let is_authorized = request.headers().get(header::AUTHORIZATION) == Some(&self.authorization);
        let (status, body) = match request.uri().path() {
            path if path.starts_with(fixture::USERS) && is_authorized => {
                (StatusCode::OK, self.user.join(path.trim_start_matches(fixture::USERS)).into())
            }
            path if path.ends_with("/protocol/openid-connect/token") => (StatusCode::OK, self.token.clone()),
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
