//! The few calls of Keycloak's HTTP interface that provision the lab.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use ureq::Agent;

/// A Keycloak on this machine.
#[derive(Debug)]
pub(crate) struct Admin {
    agent: Agent,
    url: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

impl Admin {
    /// For the Keycloak at this base URL.
    pub(crate) fn new(url: &str) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(60)))
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        Self { agent, url: url.to_owned() }
    }

    /// Makes a realm, as the administrator of the server.
    pub(crate) fn create_realm(&self, realm: &Value, username: &str, password: &str) -> Result<()> {
        let form =
            [("grant_type", "password"), ("client_id", "admin-cli"), ("username", username), ("password", password)];
        let token = self.token("master", &form).context("the administrator cannot log in to Keycloak")?;
        let mut answer = self
            .agent
            .post(format!("{}/admin/realms", self.url))
            .header("authorization", format!("Bearer {token}"))
            .send_json(realm)
            .context("cannot ask Keycloak to make the realm")?;
        if answer.status() != 201 {
            let status = answer.status();
            let body = answer.body_mut().read_to_string().unwrap_or_default();
            bail!("Keycloak refused to make the realm: {status} {body}");
        }
        Ok(())
    }

    /// Fails unless the client's own credentials work.
    pub(crate) fn check_client(&self, realm: &str, client_id: &str, client_secret: &str) -> Result<()> {
        let form = [("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", client_secret)];
        self.token(realm, &form).context("the bridge's client cannot log in to Keycloak").map(drop)
    }

    fn token(&self, realm: &str, form: &[(&str, &str)]) -> Result<String> {
        let url = format!("{}/realms/{realm}/protocol/openid-connect/token", self.url);
        let mut answer = self.agent.post(url).send_form(form.iter().copied())?;
        if answer.status() != 200 {
            bail!("Keycloak answered {}", answer.status());
        }
        Ok(answer.body_mut().read_json::<Token>()?.access_token)
    }
}
