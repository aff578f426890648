//! Builds providers from a tenant's settings.

use std::sync::Arc;

use idp_bridge_core::{CallKind, Capabilities, Connector, ConnectorContext, Directory, Result, Support};

use crate::client::{Auth0Api, PasswordReset};
use crate::config::Auth0Config;
use crate::federation::{self, Auth0Federation};
use crate::store::Auth0Store;

const NO_RESETS: &str = "`connection` and `email_client_id` are not set: auth0 sends password reset mails for one database connection \
                         and on behalf of one application";

/// The Auth0 connector.
#[derive(Debug, Clone, Copy)]
pub struct Auth0;

impl Connector for Auth0 {
    const TYPE: &'static str = "auth0";
    type Config = Auth0Config;
    type Provider = Directory<Auth0Store>;

    fn capabilities() -> Capabilities {
        let late = "auth0's user search lags behind: a user created or changed a moment ago may not be found";
        let case = "a user with capitals in the stored address, which only social, enterprise and custom database connections keep, \
                    is found by the exact spelling, otherwise by auth0's user search, which lags behind";
        let verified = "auth0 verifies no addresses of users of enterprise and SMS connections";
        let queued = "auth0 sends the mail later, if the tenant's template for it is enabled, and none to users of enterprise and SMS \
                      connections";
        let reset =
            "for users of one database connection; auth0 sends the mail later, and at most one a minute to an address";
        Capabilities::all()
            .with_call(CallKind::GetByEmail, Support::conditional(case))
            .with_call(CallKind::GetByCustomer, Support::conditional(late))
            .with_call(CallKind::MarkEmailVerified, Support::conditional(verified))
            .with_call(CallKind::SendVerificationEmail, Support::conditional(queued))
            .with_call(CallKind::SendPasswordResetEmail, Support::conditional(reset))
            .with_federation(Some(federation::capabilities(true)))
    }

    fn build(config: Auth0Config, context: &ConnectorContext) -> Result<Directory<Auth0Store>> {
        config.check()?;
        let api = Arc::new(Auth0Api::new(&config, context)?);
        let federation = context.federation.clone();
        let federation =
            federation.map(|settings| Auth0Federation::new(&config, settings, api.clone(), context)).transpose()?;
        let reset = config.connection.clone().zip(config.email_client_id.clone());
        let reset = reset.map(|(connection, client_id)| PasswordReset { connection, client_id });
        let declared = federation.is_some().then(|| federation::capabilities(config.accept_opaque));
        let mut capabilities = <Self as Connector>::capabilities().with_federation(declared);
        if reset.is_none() {
            capabilities = capabilities.with_call(CallKind::SendPasswordResetEmail, Support::unsupported(NO_RESETS));
        }
        Ok(Directory::new(Auth0Store { api, config, reset, capabilities, federation }))
    }
}
