//! The mails that were requested, recorded instead of sent.

use std::collections::VecDeque;

use idp_bridge_core::{Email, MailKind};

/// A recorded mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The recipient.
    pub to: Email,
    /// The kind of the mail.
    pub kind: MailKind,
}

/// The recorded mails, bounded: the oldest are dropped first.
#[derive(Debug, Default)]
pub(crate) struct Outbox(VecDeque<Mail>);

impl Outbox {
    const MOST: usize = 1000;

    pub(crate) fn record(&mut self, to: Email, kind: MailKind) {
        if self.0.len() == Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(Mail { to, kind });
        tracing::info!(mail = ?kind, "recorded a mail instead of sending it: the memory connector has no mail system");
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_mails_are_dropped_first() {
        let mut outbox = Outbox::default();
        for number in 0..=Outbox::MOST {
            outbox.record(Email::new(format!("{number}@acme.example")).unwrap(), MailKind::Verification);
        }
        let mails = outbox.mails();
        assert_eq!(mails.len(), Outbox::MOST);
        assert_eq!(mails[0].to.as_str(), "1@acme.example");
    }
}
