//! The message of a mail, and its envelope.

use std::time::{Duration, SystemTime};

use idp_bridge_core::{Email, Error, ErrorKind, Result};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use crate::config::SmtpConfig;
use crate::templates::Parts;
use crate::token::Ticket;

/// A mail as it is sent.
pub(crate) struct Mail {
    pub(super) from: String,
    pub(super) to: String,
    /// The message, with CRLF at the end of each line.
    pub(super) message: Vec<u8>,
}

/// The sender of the settings.
#[derive(Debug)]
pub(crate) struct Sender {
    from: Mailbox,
    reply_to: Option<Mailbox>,
}

impl Sender {
    pub(crate) fn parse(config: &SmtpConfig) -> Result<Self> {
        let parse = |key: &str, text: &str| {
            let mailbox = text.parse::<Mailbox>().ok().filter(|mailbox| is_plain(&mailbox.email));
            mailbox.ok_or_else(|| {
                Error::misconfigured(format!("`mail.smtp.{key}` is not an address"))
                    .with("setting", "mail")
                    .with_hint(format!("write `{key}` like `Acme <no-reply@acme.example>`"))
            })
        };
        let reply_to = config.reply_to.as_deref().map(|text| parse("reply_to", text)).transpose()?;
        Ok(Self { from: parse("from", &config.from)?, reply_to })
    }

    /// Writes a mail to this address.
    pub(crate) fn write(&self, ticket: &Ticket, email: &Email, parts: Parts) -> Result<Mail> {
        let to = email.as_str().parse::<Address>().ok().filter(is_plain);
        let to = to.ok_or_else(|| Error::state("the user's address cannot be used in a mail"))?;
        let Parts { subject, text, html } = parts;
        let issued = u64::try_from(ticket.issued.as_second()).unwrap_or_default();
        let mut builder = Message::builder()
            .message_id(Some(format!("<{}@{}>", ticket.id, self.from.email.domain())))
            .date(SystemTime::UNIX_EPOCH + Duration::from_secs(issued))
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(subject)
            // Keeps programs from answering (RFC 3834, section 5).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let text = SinglePart::plain(text);
        let message = match html {
            Some(html) => {
                let parts = MultiPart::alternative().boundary(&ticket.id).singlepart(text);
                builder.multipart(parts.singlepart(SinglePart::html(html)))
            }
            None => builder.singlepart(text),
        };
        let unwritable = || Error::ours(ErrorKind::Unexpected, "a mail cannot be written");
        let message = message.map_err(|_| unwritable())?.formatted();
        Ok(Mail { from: self.from.email.to_string(), to: to.to_string(), message })
    }
}

/// Returns whether an address can be part of a command without quoting, so that it cannot end it or add parameters.
fn is_plain(address: &Address) -> bool {
    let is_plain = |letter: char| !letter.is_whitespace() && !letter.is_control() && !"<>\"\\,;:()".contains(letter);
    address.user().chars().all(is_plain) && address.domain().chars().all(|letter| is_plain(letter) && letter != '@')
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::jiff::Timestamp;

    use super::*;

    fn sender() -> Sender {
        let mut config = SmtpConfig::new("localhost", "Acmé & Söhne <no-reply@acme.example>");
        config.reply_to = Some("help@acme.example".to_owned());
        Sender::parse(&config).unwrap()
    }

    fn write(email: &str, subject: &str) -> Result<Mail> {
        let issued = Timestamp::from_second(1_796_000_000).unwrap();
        let ticket = Ticket { id: "mail_1".to_owned(), issued, expires: issued, token: String::new() };
        let parts =
            Parts { subject: subject.to_owned(), text: ".\nTëxt\n.\n".to_owned(), html: Some("<p>".to_owned()) };
        sender().write(&ticket, &Email::new(email).unwrap(), parts)
    }

    #[test]
    fn message_is_ascii_with_short_lines() {
        let mail = write("ada@acme.example", &"Bestätigen Sie Ihre Adresse ".repeat(9)).unwrap();
        let text = String::from_utf8(mail.message).unwrap();
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 200), "{text}");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{text}");
        for header in [
            "Message-ID: <mail_1@acme.example>\r\n",
            "Date: ",
            "Reply-To: help@acme.example\r\n",
            "To: ada@acme.example\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Type: multipart/alternative",
        ] {
            assert!(text.contains(header), "{header}: {text}");
        }
    }

    #[test]
    fn subjects_add_no_header() {
        let mail = write("ada@acme.example", "Hello\r\nBcc: eve@evil.example\r\n\r\nbody").unwrap();
        let text = String::from_utf8(mail.message).unwrap();
        assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
    }

    #[test]
    fn hostile_addresses_are_refused() {
        for email in [
            "ada>@acme.example",
            "<ada@acme.example",
            "ada @acme.example",
            "\"ada\"@acme.example",
            "\"ada> SIZE=9\"@acme.example",
            "ada,eve@evil.example",
            "ada;eve@acme.example",
            "ada@acme.example>",
            "ada@[127.0.0.1]:25",
            "ada@",
            "ada\u{a0}@acme.example",
            "ada\u{2028}@acme.example",
        ] {
            let Ok(_) = Email::new(email) else { continue };
            let error = write(email, "Hello").err().unwrap_or_else(|| panic!("{email} should be refused"));
            assert_eq!(error.kind(), ErrorKind::State);
            assert!(!format!("{error:?}").contains("ada"), "{error:?}");
        }
        for email in ["ada+1@acme.example", "o'neil@acme.example", "ada@bücher.example", "ädä@acme.example"] {
            assert!(write(email, "Hello").is_ok(), "{email}");
        }
    }

    #[test]
    fn senders_are_addresses() {
        for from in ["", "Acme", "a@b>\r\nBcc: eve@evil.example", "a b@acme.example", "Acme <a@b> <c@d>"] {
            let error = Sender::parse(&SmtpConfig::new("localhost", from)).unwrap_err();
            assert!(error.to_string().contains("`mail.smtp.from`"), "{from}: {error}");
        }
    }
}
