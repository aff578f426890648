//! The harnesses of real directories, with mails to a real mail server.

mod openldap;
mod samba;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_conformance::{Control, Need};
use idp_bridge_core::{CallKind, Email, Secret};
use idp_bridge_mailer::{MailerConfig, SmtpConfig, SmtpTls};
use idp_bridge_test_smtp::{Security, SmtpServer};

pub(crate) use openldap::OpenldapHarness;
pub(crate) use samba::SambaHarness;

/// A key for the tests alone.
const SIGNING_KEY: &str = "whsec_Q29uZm9ybWFuY2Ugb2YgbWFpbHMgaW4gdGVzdHM=";

/// The mail server of a harness.
struct Mails(SmtpServer);

impl Mails {
    fn start() -> Self {
        Self(SmtpServer::start(Security::Plain))
    }

    /// Returns settings that send mails there.
    fn config(&self) -> MailerConfig {
        let mut smtp = SmtpConfig::new("localhost", "Acme <no-reply@acme.example>");
        (smtp.port, smtp.tls) = (Some(self.0.port()), SmtpTls::None);
        smtp.verification_url = Some("https://app.acme.example/verify".to_owned());
        smtp.reset_url = Some("https://app.acme.example/reset".to_owned());
        MailerConfig::new(Secret::new(SIGNING_KEY)).with_smtp(smtp)
    }

    /// Returns the number of mails to an address.
    fn count(&self, email: &Email) -> usize {
        let recipient = format!("X-RcptTo: {}\r\n", email.as_str()).to_lowercase();
        self.0.mails().iter().filter(|mail| mail.to_lowercase().contains(&recipient)).count()
    }
}

/// Returns a line of LDIF with any value.
fn line(attribute: &str, value: impl AsRef<[u8]>) -> String {
    format!("{attribute}:: {}\n", STANDARD.encode(value))
}

/// Returns why no directory can meet a need.
fn not_applicable(need: Need) -> Option<String> {
    let reason = match need {
        Need::Upstream => "a directory speaks no HTTP; tests of the connector stop and pause the directory itself",
        Need::SecondOrigin => "there is one directory",
        Need::SecondEmail => {
            "the values of an attribute have no order, so an entry with two addresses has none in force"
        }
        Need::UnacceptedMail(_) => "a mail server says by its code whether it accepts a mail",
        Need::ControlOf(Control::ReadOnlyRole, CallKind::SendVerificationEmail | CallKind::SendPasswordResetEmail) => {
            "a mail is sent by SMTP, which needs no right to write"
        }
        _ => return None,
    };
    Some(reason.to_owned())
}
