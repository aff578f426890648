//! A connector for Rolodex, an invented directory of people with a JSON API.
//!
//! Rolodex sends no mails, so two of the seven calls are unsupported.

mod client;
mod store;

use idp_bridge_core::{
    CallKind, Capabilities, Connector, ConnectorContext, Directory, Fidelity, Field, Result, Secret, Support,
};
use schemars::JsonSchema;
use serde::Deserialize;

use client::People;

/// A tenant's settings.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RolodexConfig {
    /// The base URL of Rolodex, such as `https://rolodex.acme.example`.
    pub url: String,

    /// The API key of the bridge.
    pub key: Secret,
}

/// One tenant's Rolodex.
pub struct Rolodex {
    people: People,
    capabilities: Capabilities,
}

impl Connector for Rolodex {
    const TYPE: &'static str = "rolodex";
    type Config = RolodexConfig;
    type Provider = Directory<Self>;

    fn capabilities() -> Capabilities {
        let no_mails = || Support::unsupported("Rolodex sends no mails");
        Capabilities::all()
            .with_call(CallKind::SendVerificationEmail, no_mails())
            .with_call(CallKind::SendPasswordResetEmail, no_mails())
            .with_field(Field::UpdateTime, Fidelity::Absent)
            .with_field(Field::LoginTime, Fidelity::Absent)
            .with_field(Field::LoginsCount, Fidelity::Absent)
    }

    fn build(config: RolodexConfig, context: &ConnectorContext) -> Result<Directory<Self>> {
        let people = People::new(&config, &context.outbound)?;
        Ok(Directory::new(Self { people, capabilities: <Self as Connector>::capabilities() }))
    }
}
