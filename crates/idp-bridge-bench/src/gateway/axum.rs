//! A handler of axum that calls the identity provider with reqwest.

use std::net::SocketAddr;

use anyhow::Result;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;

use super::{Answer, Call, KeycloakUser, Verifier};
use crate::fixture;

#[derive(Clone)]
struct Gateway {
    verifier: Verifier,
    client: reqwest::Client,
    users: String,
    token: String,
}

/// Serves until the process ends.
pub(crate) async fn serve(listen: SocketAddr, url: &str) -> Result<()> {
    let gateway = Gateway {
        verifier: Verifier::new()?,
        client: reqwest::Client::builder().build()?,
        users: format!("{url}{}", fixture::USERS),
        token: fixture::token(),
    };
    let router = Router::new().route("/v1/tenants/acme/webhook", post(answer)).with_state(gateway);
    Ok(axum::serve(TcpListener::bind(listen).await?, router).await?)
}

async fn answer(State(gateway): State<Gateway>, headers: HeaderMap, body: Bytes) -> Result<Json<Answer>, StatusCode> {
    if !gateway.verifier.is_valid(&headers, &body) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let call: Call = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let request = gateway.client.get(format!("{}{}", gateway.users, call.data.id)).bearer_auth(&gateway.token);
    let response =
        request.send().await.and_then(reqwest::Response::error_for_status).map_err(|_| StatusCode::BAD_GATEWAY)?;
    let user: KeycloakUser = response.json().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(Json(user.into()))
}
