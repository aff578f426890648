//! The harness of users in tables.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::sync::Arc;

use idp_bridge_conformance::{Need, TestResult};
use idp_bridge_connector_sql::{Sql, SqlConfig};
use idp_bridge_core::{Connector as _, ConnectorContext, IdentityProvider, TenantId};

/// A key for the tests alone.
const SIGNING_KEY: &str = "whsec_Q29uZm9ybWFuY2Ugb2YgbWFpbHMgaW4gdGVzdHM=";

fn provider(config: SqlConfig, public_url: Option<&str>) -> TestResult<Arc<dyn IdentityProvider>> {
    let mut context = ConnectorContext::new(TenantId::new("conformance")?);
    context.public_url = public_url.map(str::to_owned);
    Ok(Arc::new(Sql::build(config, &context)?))
}

/// Returns the reason of a need that no table meets.
fn not_applicable(need: Need) -> Option<&'static str> {
    Some(match need {
        Need::Upstream => "a database speaks no HTTP; tests of the connector stop, pause and lock the database itself",
        Need::SecondOrigin => "there is one database",
        Need::SecondEmail => "a user has one address",
        Need::UnacceptedMail(_) => "a mailer says by its status whether it accepts a mail",
        Need::SelfEdit => "users have no access to the table",
        Need::Login => "a table has no logins: its login times and counts are those of the application",
        _ => return None,
    })
}
