//! Functions of this crate for the fuzz targets in `tests/fuzz`.

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{FederationSettings, LogoutNotice, Result};

use super::logout;
use super::rules::Rules;
use super::token::Unverified;

/// Checks a logout token, except its signature.
pub fn check_logout_token(
    token: &str,
    issuer: &str,
    now: Timestamp,
    settings: &FederationSettings,
) -> Result<LogoutNotice> {
    let rules = Rules::with_types(logout::TYPES);
    let token = Unverified::parse(token, issuer, &rules)?;
    token.check_time(&rules, now)?;
    logout::check(&token.into_claims(), now, settings).map(logout::LogoutToken::into_notice)
}
