//! The provider for one tenant's Rolodex.

use idp_bridge_core::{Capabilities, Connector, ConnectorContext, Directory, Fidelity, Field, Result};

use crate::RolodexConfig;
use crate::client::PeopleApi;

/// One tenant's Rolodex.
pub struct Rolodex {
    pub(crate) api: PeopleApi,
    pub(crate) config: RolodexConfig,
    pub(crate) capabilities: Capabilities,
}

impl Connector for Rolodex {
    const TYPE: &'static str = "rolodex";
    type Config = RolodexConfig;
    type Provider = Directory<Self>;

    fn capabilities() -> Capabilities {
        // A call that the product cannot support is `.with_call(CallKind::…, Support::unsupported("the reason"))`.
        Capabilities::all()
            .with_field(Field::UpdateTime, Fidelity::Absent)
            .with_field(Field::LoginTime, Fidelity::Absent)
            .with_field(Field::LoginsCount, Fidelity::Absent)
    }

    fn build(config: RolodexConfig, context: &ConnectorContext) -> Result<Directory<Self>> {
        config.check()?;
        let api = PeopleApi::new(&config, &context.outbound)?;
        Ok(Directory::new(Self { api, config, capabilities: <Self as Connector>::capabilities() }))
    }
}
