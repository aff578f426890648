//! Mails of identity providers that send none, such as a table or a directory.
//!
//! [`Mailer`] sends each mail by SMTP, or hands it over to the tenant's own mailer as a signed webhook. [`Signer`] issues the tokens
//! in the links of mails, also for connectors that hand mails over in another way, and verifies them for the bridge's own page.

mod config;
mod link;
mod mailer;
mod smtp;
mod templates;
mod token;
mod webhook;

use idp_bridge_core::CallKind;

pub use config::{MailText, MailerConfig, SmtpConfig, SmtpTls};
pub use mailer::Mailer;
pub use token::{Signer, Ticket};

/// The calls that send mails.
pub const CALLS: &[CallKind] = &[CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail];

/// The condition of these calls, for the support matrix.
pub const CONDITION: &str =
    "the settings name the tenant's mail server or mailer; a page of the tenant sets new passwords";
