//! Reads the mails that Keycloak sent to the SMTP sink.

use std::path::PathBuf;

use crate::lab::Lab;
use crate::support::bridge::until;

/// A mail.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) subject: String,
    /// The link in the mail.
    pub(crate) link: String,
}

impl Lab {
    /// Returns all mails to an address so far.
    pub(crate) fn mails_to(&self, address: &str) -> Vec<Mail> {
        let folder = PathBuf::from(self.text("/smtp/maildir")).join("new");
        let entries = folder.read_dir().into_iter().flatten();
        let texts =
            entries.map(|entry| String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap()).into_owned());
        texts.filter(|text| header(text, "X-RcptTo: ") == address).map(|text| read(&text)).collect()
    }

    /// Waits for the only mail to an address, or panics.
    #[track_caller]
    pub(crate) fn mail_to(&self, address: &str) -> Mail {
        let mails = until(|| Some(self.mails_to(address)).filter(|mails| !mails.is_empty()));
        let mails = mails.unwrap_or_else(|| panic!("no mail came"));
        assert_eq!(mails.len(), 1, "{mails:?}");
        mails[0].clone()
    }
}

fn header(mail: &str, name: &str) -> String {
    mail.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix(name)).unwrap_or("").to_owned()
}

fn read(mail: &str) -> Mail {
    // Quoted-printable breaks long lines with a `=` at their ends, and writes `=` itself as `=3D`.
    let text = mail.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=");
    let start = text.find("http://").unwrap_or_else(|| panic!("no link in {mail}"));
    let link = text[start..].split(|c: char| c.is_whitespace() || c == '"').next().unwrap();
    Mail { subject: header(mail, "Subject: "), link: link.to_owned() }
}
