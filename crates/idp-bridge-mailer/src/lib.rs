//! Mails of identity providers that send none, such as a table or a directory: the tenant's own mailer sends them.
//!
//! [`Mailer`] hands each mail over as a signed webhook, with a token for its link. [`Signer`] issues these tokens, also for
//! connectors that hand mails over in another way.

mod token;
mod webhook;

use idp_bridge_core::CallKind;

pub use token::{Signer, Ticket};
pub use webhook::{Mailer, MailerConfig};

/// The calls that send mails.
pub const CALLS: &[CallKind] = &[CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail];

/// The condition of these calls, for the support matrix.
pub const CONDITION: &str = "the tenant's own mailer sends the mail, and a page of the tenant ends what it begins";
