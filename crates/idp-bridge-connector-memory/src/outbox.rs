//! Where mails end up that nobody sends.

use std::collections::VecDeque;

use idp_bridge_core::Email;

/// A mail that an identity provider would have sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Whom it would have gone to.
    pub to: Email,
    /// What it would have asked for.
    pub kind: MailKind,
}

/// What a mail asks its reader to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    /// Prove that the address is theirs.
    Verification,
    /// Choose a new password.
    PasswordReset,
}

/// The recorded mails; the oldest are forgotten, so that a demo may run for ever.
#[derive(Debug, Default)]
pub(crate) struct Outbox(VecDeque<Mail>);

impl Outbox {
    const MOST: usize = 1000;

    pub(crate) fn record(&mut self, to: Email, kind: MailKind) {
        if self.0.len() == Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(Mail { to, kind });
        tracing::info!(mail = ?kind, "a mail is recorded instead of sent: the memory connector has no mail system");
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outbox_never_grows_beyond_its_bound_and_keeps_the_newest() {
        let mut outbox = Outbox::default();
        for number in 0..=Outbox::MOST {
            outbox.record(Email::new(format!("{number}@acme.example")).unwrap(), MailKind::Verification);
        }
        let mails = outbox.mails();
        assert_eq!(mails.len(), Outbox::MOST);
        assert_eq!(mails[0].to.as_str(), "1@acme.example");
    }
}
