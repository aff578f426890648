//! The demo that `serve` runs without a configuration: sample users in memory, and a new key.

use idp_bridge_client::{Call, Client, Email, Operation, SigningKey, TenantId, WebhookId};
use idp_bridge_protocol::{KeyRing, VerifyingKey};
use idp_bridge_server::{Tenant, Tenants};

use crate::commands::keys;
use crate::config::Problem;
use crate::report::Failure;
use crate::show;

const TENANT: &str = "acme";
const EMAIL: &str = "ada@acme.example";

/// The demo, with the platform's half of its key.
pub(crate) struct Demo {
    key: SigningKey,
}

impl Demo {
    /// Creates the demo and its tenant.
    pub(crate) fn new() -> Result<(Self, Tenants), Failure> {
        let key = keys::generate(false)?;
        let broken = |error: &dyn std::fmt::Display| Problem::new(format!("the demo cannot be set up: {error}"));
        let id = TenantId::new(TENANT).map_err(|error| broken(&error))?;
        let verifying = VerifyingKey::parse(key.to_verifying_text().expose()).map_err(|error| broken(&error))?;
        let ring = KeyRing::new(vec![verifying]).ok_or_else(|| broken(&"it has no key"))?;
        let tenants = Tenants::new([tenant(id, ring)?]).map_err(|error| broken(&error))?;
        Ok((Self { key }, tenants))
    }

    /// Returns the text that explains the demo, with a signed call to paste.
    pub(crate) fn introduction(&self, url: &str) -> Result<String, Failure> {
        let broken = |error: &dyn std::fmt::Display| Problem::new(format!("the demo cannot sign a call: {error}"));
        let tenant = TenantId::new(TENANT).map_err(|error| broken(&error))?;
        let email = Email::new(EMAIL).map_err(|error| broken(&error))?;
        let text = self.key.to_text();
        let key = SigningKey::parse(text.expose()).map_err(|error| broken(&error))?;
        let client = Client::new(url, tenant, vec![key]).map_err(|error| broken(&error))?;
        let id = WebhookId::random().map_err(|error| broken(&error))?;
        let signed = client.sign(&id, &Operation::Users(Call::GetByEmail(email)));
        let call = format!(
            "{} call get-by-email {EMAIL} --url {url} --tenant {TENANT} --key {}",
            show::invocation(),
            text.expose()
        );
        Ok(format!(
            "There is no configuration, so this is a demo: sample users in memory, tenant `{TENANT}`, and a new key.\n\n\
             A signed call, from another terminal:\n\n  {call}\n\n\
             This call with curl; its signature is valid for five minutes (`call --print-curl` prints a new one):\n\n  {}\n\n\
             The API: {url}/docs. Users: ada, grace, linus (not verified), mallory (blocked), nell (no customer), all @acme.example.\n\
             Your own identity provider: see `idp-bridge connectors`, write `idp-bridge.toml`, run `idp-bridge check`.\n",
            show::curl_command(&signed, None)
        ))
    }
}

#[cfg(feature = "memory")]
fn tenant(id: TenantId, keys: KeyRing) -> Result<Tenant, Problem> {
    use idp_bridge_connector_memory::{Memory, sample_users};

    let memory = Memory::with_users(sample_users())
        .map_err(|error| Problem::new(format!("the sample users cannot be loaded: {error}")))?;
    Ok(Tenant::new(id, "memory", std::sync::Arc::new(memory.provider()), keys))
}

#[cfg(not(feature = "memory"))]
fn tenant(_: TenantId, _: KeyRing) -> Result<Tenant, Problem> {
    Err(Problem::new("no configuration was found, and this program was built without the demo (feature `memory`)")
        .with_hint("name a configuration with `--config`"))
}
