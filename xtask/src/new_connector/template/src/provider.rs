//! The connector: its capabilities, and the provider of one tenant.

use idp_bridge_core::{
    CallKind, Capabilities, Connector, ConnectorContext, Directory, Fidelity, Field, Result, Support,
};

use crate::client::UserApi;
use crate::config::NewIdpConfig;

/// One tenant's New IdP.
pub struct NewIdp {
    pub(crate) api: UserApi,
    pub(crate) config: NewIdpConfig,
    pub(crate) capabilities: Capabilities,
}

impl Connector for NewIdp {
    const TYPE: &'static str = "new-idp";
    type Config = NewIdpConfig;
    type Provider = Directory<Self>;

    fn capabilities() -> Capabilities {
        // Each line is a call to write in `store.rs`. Delete the line to run the cases of the call. If New IdP can never
        // support the call, replace the text by the reason.
        let unwritten = |step: &str| Support::unsupported(format!("not written yet: {step}"));
        Capabilities::all()
            .with_call(CallKind::GetByEmail, unwritten("search users by address"))
            .with_call(CallKind::GetByCustomer, unwritten("search users by the customer attribute"))
            .with_call(CallKind::Delete, unwritten("delete a user"))
            .with_call(CallKind::MarkEmailVerified, unwritten("set the flag of a verified address"))
            .with_call(CallKind::SendVerificationEmail, unwritten("request a verification mail"))
            .with_call(CallKind::SendPasswordResetEmail, unwritten("request a password reset mail"))
            .with_field(Field::UpdateTime, Fidelity::Absent)
            .with_field(Field::LoginTime, Fidelity::Absent)
            .with_field(Field::LoginsCount, Fidelity::Absent)
    }

    fn build(config: NewIdpConfig, context: &ConnectorContext) -> Result<Directory<Self>> {
        config.check()?;
        let api = UserApi::new(&config, &context.outbound)?;
        Ok(Directory::new(Self { api, config, capabilities: <Self as Connector>::capabilities() }))
    }
}
