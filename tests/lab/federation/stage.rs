//! A realm with logins, and bridges that serve it.

use std::path::PathBuf;

use idp_bridge_conformance::{FederationHarness as _, Harness as _, NewUser, SignIn, TestResult, Tokens, fixture};
use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;
use idp_bridge_core::{Email, UserId};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::keycloak::form_request;
use crate::lab::Lab;
use crate::support::bridge::Bridge;
use crate::support::http::{Reply, Request};
use crate::support::keycloak;

/// The tenant of every bridge here.
pub(super) const TENANT: &str = "/v1/tenants/t";
const PASSWORD: &str = "Correct-Horse-7-Battery";

/// A realm with one user, and a folder for the revocation list.
pub(super) struct Stage {
    pub(super) harness: KeycloakHarness,
    pub(super) user: UserId,
    email: Email,
    runtime: Runtime,
    folder: TempDir,
}

impl Stage {
    pub(super) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let server = Lab::get_running().server().unwrap();
        let harness = runtime.block_on(KeycloakHarness::start(server)).unwrap();
        let email = fixture::email("ada");
        let mut user = NewUser::person(email.clone());
        (user.email_verified, user.password) = (true, Some(PASSWORD.to_owned()));
        user.customers = vec![fixture::customer("c-1")];
        let user = runtime.block_on(harness.create(user)).unwrap();
        Self { harness, user, email, runtime, folder: tempfile::tempdir().unwrap() }
    }

    /// Waits for an operation of the harness.
    #[track_caller]
    pub(super) fn wait<T>(&self, operation: impl Future<Output = TestResult<T>>) -> T {
        self.runtime.block_on(operation).unwrap()
    }

    /// Serves the realm with additional settings of federation. All bridges share the revocation list.
    pub(super) fn serve(&self, settings: &str) -> Bridge {
        Bridge::serve(&self.configure(settings))
    }

    fn configure(&self, settings: &str) -> PathBuf {
        let clients: Vec<String> = self
            .harness
            .clients()
            .iter()
            .map(|client| match &client.secret {
                Some(secret) => format!("{{ id = {:?}, secret = {:?} }}", client.id, secret.expose()),
                None => format!("{{ id = {:?} }}", client.id),
            })
            .collect();
        let text = format!(
            "[server]\nstate_dir = \".\"\npublic_url = \"http://127.0.0.1:8080\"\nlog.format = \"json\"\n\
             [tenants.t]\nwebhook_keys = [\"whpk_OzHzv9dJQOjJf0cyLa6rPQCJhfbThuf70Bc1z9fVDQA=\"]\n\
             [tenants.t.connector]\ntype = \"keycloak\"\n{}\
             [tenants.t.federation]\nmetadata = true\nanonymous_per_second = 100000\nclients = [{}]\n{settings}",
            keycloak::settings(&self.harness, &self.harness.config().url),
            clients.join(", "),
        );
        let path = self.folder.path().join("idp-bridge.toml");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Logs the user in.
    #[track_caller]
    pub(super) fn log_in(&self) -> Tokens {
        self.log_in_with(|_| {})
    }

    /// Logs the user in with modified parameters.
    #[track_caller]
    pub(super) fn log_in_with(&self, shape: impl FnOnce(&mut SignIn)) -> Tokens {
        let mut sign_in = SignIn::new(self.email.clone(), PASSWORD);
        shape(&mut sign_in);
        self.wait(self.harness.sign_in(&sign_in))
    }

    /// Logs the user in at another of the realm's clients.
    #[track_caller]
    pub(super) fn log_in_at(&self, client: &str, scope: &str) -> Tokens {
        self.wait(self.harness.log_in_at(client, &self.email, PASSWORD, scope))
    }
}

/// Requests userinfo for a token.
pub(super) fn userinfo(bridge: &Bridge, token: &str) -> Reply {
    bearer(Request::get(&format!("{TENANT}/userinfo")), token).send(bridge.address())
}

/// Requests a logout, with additional fields.
pub(super) fn log_out(bridge: &Bridge, token: &str, fields: &[(&str, &str)]) -> Reply {
    bearer(form_request(&format!("{TENANT}/logout"), fields), token).send(bridge.address())
}

fn bearer(request: Request, token: &str) -> Request {
    request.header("authorization", format!("Bearer {token}"))
}

/// Returns the number of requests to Keycloak for an answer, read from the log.
#[track_caller]
pub(super) fn last_requests(bridge: &Bridge, reply: &Reply) -> u64 {
    let id = &reply.headers["x-request-id"];
    let line = bridge.wait_for_log(id);
    let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let requests = line.pointer("/fields/upstream.requests").or_else(|| line.get("upstream.requests"));
    requests.and_then(Value::as_u64).unwrap_or_else(|| panic!("no requests in {line}"))
}
