//! The Cognito connector: builds a provider from settings, and declares its capabilities.

use idp_bridge_core::{
    CallKind, Capabilities, Connector, ConnectorContext, Directory, Fidelity, Field, Result, Support,
};

use crate::config::{CognitoConfig, CustomerLookup};
use crate::federation;
use crate::store::CognitoStore;

const NO_LOOKUP: &str =
    "Cognito cannot search custom attributes; set `customer_lookup` to `attribute`, `group` or `index`";
const NO_APP_CLIENT: &str = "Cognito sends mails for app clients only; set `client_id`";

/// The connector of Amazon Cognito user pools.
#[derive(Debug)]
pub struct Cognito;

impl Connector for Cognito {
    const TYPE: &'static str = "cognito";
    type Config = CognitoConfig;
    type Provider = Directory<CognitoStore>;

    fn capabilities() -> Capabilities {
        let by_customer =
            "by a searchable attribute, a group for each customer or an index of the pool, as the settings say";
        let verification = "users who have not confirmed their sign-up, and with `resend_invitations` invited users who have \
                            never signed in: Cognito has no mail for others";
        let reset = "enabled users of the pool itself with a verified address, who have signed in before";
        Capabilities::all()
            .with_call(CallKind::GetByCustomer, Support::conditional(by_customer))
            .with_call(CallKind::SendVerificationEmail, Support::conditional(verification))
            .with_call(CallKind::SendPasswordResetEmail, Support::conditional(reset))
            .with_field(Field::LoginTime, Fidelity::Absent)
            .with_field(Field::LoginsCount, Fidelity::Absent)
            .with_federation(Some(federation::capabilities()))
    }

    fn build(config: CognitoConfig, context: &ConnectorContext) -> Result<Directory<CognitoStore>> {
        CognitoStore::new(config, context).map(Directory::new)
    }
}

/// Returns the features that these settings support.
pub(crate) fn capabilities_with(config: &CognitoConfig, has_federation: bool) -> Capabilities {
    let by_customer = match config.customer_lookup {
        None => Support::unsupported(NO_LOOKUP),
        Some(CustomerLookup::Attribute) => {
            Support::conditional("found by search, which a new user is absent from for a moment")
        }
        Some(CustomerLookup::Group) => Support::conditional("users who are members of their customer's group"),
        Some(CustomerLookup::Index) => Support::conditional("users who were in the pool when the index was last read"),
    };
    let mut capabilities = Cognito::capabilities()
        .with_call(CallKind::GetByCustomer, by_customer)
        .with_federation(has_federation.then(federation::capabilities));
    if config.client_id.is_none() {
        for mail in [CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail] {
            capabilities = capabilities.with_call(mail, Support::unsupported(NO_APP_CLIENT));
        }
    }
    capabilities
}
