//! The administrator of a Keycloak under test: `KeycloakAdmin`, a client that is not the connector's.

use std::time::{Duration, Instant};

use idp_bridge_conformance::async_trait;
use idp_bridge_core::Secret;
use keycloak::{KeycloakAdmin, KeycloakAdminToken, KeycloakError, KeycloakTokenSupplier};
use tokio::sync::Mutex;

/// A client that is logged in as the administrator.
pub(super) type Administrator = KeycloakAdmin<Login>;

/// Logs the administrator in, and again after half of the token's lifetime.
pub(super) struct Login {
    http: reqwest::Client,
    user: String,
    password: Secret,
    current: Mutex<Option<(Instant, String)>>,
}

impl Login {
    pub(super) fn new(http: reqwest::Client, user: &str, password: &Secret) -> Self {
        Self { http, user: user.into(), password: password.clone(), current: Mutex::new(None) }
    }
}

#[async_trait]
impl KeycloakTokenSupplier for Login {
    async fn get(&self, url: &str) -> Result<String, KeycloakError> {
        let mut current = self.current.lock().await;
        if let Some((_, token)) = current.as_ref().filter(|(until, _)| Instant::now() < *until) {
            return Ok(token.clone());
        }
        let now = Instant::now();
        let fetched = KeycloakAdminToken::acquire(url, &self.user, self.password.expose(), &self.http).await?;
        let until = now + Duration::from_secs(fetched.expires_in() as u64) / 2;
        Ok(current.insert((until, fetched.access_token().to_owned())).1.clone())
    }
}
