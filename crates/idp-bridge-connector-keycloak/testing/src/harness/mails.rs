//! Reads the mails that a Keycloak under test has sent.

use std::path::PathBuf;

use idp_bridge_conformance::TestResult;

use crate::fake::FakeKeycloak;

/// The mails of a Keycloak under test.
pub trait Mails: Send + Sync + 'static {
    /// Returns the number of mails to this address, compared without regard to case.
    fn count(&self, address: &str) -> TestResult<usize>;
}

impl Mails for FakeKeycloak {
    fn count(&self, address: &str) -> TestResult<usize> {
        Ok(self.mails().iter().filter(|mail| mail.to.eq_ignore_ascii_case(address)).count())
    }
}

/// A Maildir of aiosmtpd's `Mailbox` handler: one file per mail, with the recipients in `X-RcptTo`.
#[derive(Debug, Clone)]
pub struct Maildir(PathBuf);

impl Maildir {
    /// Creates a reader of the Maildir at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl Mails for Maildir {
    fn count(&self, address: &str) -> TestResult<usize> {
        let mut count = 0;
        for entry in std::fs::read_dir(self.0.join("new"))? {
            let mail = String::from_utf8_lossy(&std::fs::read(entry?.path())?).into_owned();
            let headers = mail.lines().take_while(|line| !line.is_empty());
            let recipients = headers.filter_map(|line| line.strip_prefix("X-RcptTo: "));
            count +=
                recipients.flat_map(|line| line.split(", ")).filter(|own| own.eq_ignore_ascii_case(address)).count();
        }
        Ok(count)
    }
}
