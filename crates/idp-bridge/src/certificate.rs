//! The expiry of the listener's certificate.

use idp_bridge_core::jiff::SignedDuration;
use idp_bridge_core::{Clock as _, SystemClock};
use idp_bridge_server::Tls;

/// The remaining time from which a certificate expires soon. Usual renewals happen 30 days before the expiry.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Returns whether the certificate expires within 14 days, or has expired.
pub(crate) fn expires_soon(tls: &Tls) -> bool {
    remaining(tls) < SOON
}

/// Returns the time until the certificate expires, which is negative afterwards.
pub(crate) fn remaining(tls: &Tls) -> SignedDuration {
    tls.expiry().duration_since(SystemClock.now())
}
