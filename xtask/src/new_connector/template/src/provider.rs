//! The calls of the Users service, answered from one New IdP.

use async_trait::async_trait;
use idp_bridge_core::{
    CallKind, CallScope, Capabilities, Connector, ConnectorContext, Error, Fidelity, Field, Finding,
    IdentityProvider, Result, Support, UserId, UserKey, UserRecord,
};

use crate::client::UserApi;
use crate::config::NewIdpConfig;
use crate::diagnose::Diagnosis;
use crate::map::NewIdpUser;

/// One New IdP, as the identity provider of one tenant.
pub struct NewIdp {
    api: UserApi,
    config: NewIdpConfig,
    capabilities: Capabilities,
}

impl Connector for NewIdp {
    const TYPE: &'static str = "new-idp";
    type Config = NewIdpConfig;
    type Provider = Self;

    fn capabilities() -> Capabilities {
        // A line here is a call that is left. Take it out, and the suite says what the call has to do; where New IdP
        // can never do it, say why in its place.
        let left = |step: &str| Support::unsupported(format!("not written yet: {step}"));
        Capabilities::all()
            .with_call(CallKind::GetByEmail, left("search by address, compare each hit, refuse several"))
            .with_call(CallKind::GetByCustomer, left("search by the attribute, compare each hit, refuse several"))
            .with_call(CallKind::Delete, left("look whether it is a person, then delete"))
            .with_call(CallKind::MarkEmailVerified, left("set the flag alone; set it back if the address has changed"))
            .with_call(CallKind::SendVerificationEmail, left("order the mail, unless the address is verified already"))
            .with_call(CallKind::SendPasswordResetEmail, left("look the user up by address, then order the mail"))
            .with_field(Field::UpdateTime, Fidelity::Absent)
            .with_field(Field::LoginTime, Fidelity::Absent)
            .with_field(Field::LoginsCount, Fidelity::Absent)
    }

    fn build(config: NewIdpConfig, context: &ConnectorContext) -> Result<Self> {
        config.check()?;
        let api = UserApi::new(&config, &context.outbound)?;
        Ok(Self { api, config, capabilities: <Self as Connector>::capabilities() })
    }
}

#[async_trait]
impl IdentityProvider for NewIdp {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn get(&self, scope: &CallScope, key: UserKey<'_>) -> Result<UserRecord> {
        let user = match key {
            UserKey::Id(id) => self.user(scope, id).await?,
            UserKey::Email(_) | UserKey::Customer(_) => return Err(Error::unsupported("not written yet")),
        };
        user.record(&self.config.customer_attribute)
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        Diagnosis::of(&self.api, &self.config).run(scope).await
    }
}

impl NewIdp {
    /// The user with this id.
    async fn user(&self, scope: &CallScope, id: &UserId) -> Result<NewIdpUser> {
        let user = self.api.user(scope, id).await?;
        // A cache or a proxy may answer with another user, which says nothing about this one.
        if user.has_id(id) { Ok(user) } else { Err(Error::another_user()) }
    }
}
