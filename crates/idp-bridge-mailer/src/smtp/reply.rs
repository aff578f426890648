//! Replies of a mail server (RFC 5321, section 4.2), and the errors that they mean.

use idp_bridge_core::{Error, ErrorKind};

/// The maximum size of a reply in bytes.
pub(super) const MAX_REPLY: usize = 16 * 1024;

/// A reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// The text of each line.
    pub(super) lines: Vec<String>,
}

/// The failure of the last step of a mail.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) error: Error,
    /// Whether the server has refused the mail.
    pub(super) is_answered: bool,
}

/// A step of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Greeting,
    Hello,
    StartTls,
    Login,
    Sender,
    Recipient,
    Data,
    Content,
    Check,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Login => "AUTH",
            Self::Sender => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::Data => "DATA",
            Self::Content => "message",
            Self::Check => "NOOP",
        }
    }
}

impl Reply {
    /// Parses the reply at the beginning of `received`, and removes it. Returns `None` if it is not complete.
    pub(super) fn take(received: &mut Vec<u8>) -> Result<Option<Self>, Error> {
        let mut reply = Self { code: 0, lines: Vec::new() };
        let mut end = 0;
        while let Some(length) = received.iter().skip(end).position(|byte| *byte == b'\n') {
            let line = received.get(end..end + length).unwrap_or_default();
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
            end += length + 1;
            let code = line.get(..3).and_then(|code| code.parse().ok()).filter(|code| (200..600).contains(code));
            let code = code.filter(|code| reply.lines.is_empty() || *code == reply.code).ok_or_else(malformed)?;
            reply.code = code;
            reply.lines.push(line.get(4..).unwrap_or_default().to_owned());
            match line.as_bytes().get(3) {
                Some(b'-') => {}
                None | Some(b' ') => {
                    received.drain(..end);
                    return Ok(Some(reply));
                }
                Some(_) => return Err(malformed()),
            }
        }
        if received.len() > MAX_REPLY { Err(malformed()) } else { Ok(None) }
    }

    /// Returns whether the server has an extension, and its parameters (RFC 5321, section 4.1.1.1).
    pub(super) fn extension(&self, name: &str) -> Option<&str> {
        self.lines.iter().skip(1).find_map(|line| {
            let (keyword, parameters) = line.split_once([' ', '=']).unwrap_or((line, ""));
            keyword.eq_ignore_ascii_case(name).then_some(parameters)
        })
    }

    /// Returns the enhanced code (RFC 3463), such as `5.1.1`.
    fn enhanced(&self) -> Option<&str> {
        let word = self.lines.last()?.split(' ').next()?;
        let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        (word.split('.').count() == 3 && word.split('.').all(is_number)).then_some(word)
    }

    /// Converts a reply that is not a success. The error omits the text, since it can contain addresses.
    pub(super) fn to_error(&self, step: Step) -> Error {
        let is_permanent = self.code >= 500;
        let enhanced = self.enhanced().unwrap_or_default();
        let (kind, message, hint) = match (step, self.code) {
            // A login is needed, or is refused (RFC 4954, section 6).
            (_, 530 | 534 | 535 | 538) => {
                (ErrorKind::Unauthenticated, "the mail server refuses the login", "check `user` and `password`")
            }
            (Step::Login, 500..) => {
                (ErrorKind::Unauthenticated, "the mail server refuses the login", "check `user` and `password`")
            }
            (_, 200..400) => {
                (ErrorKind::InvalidResponse, "the mail server sent an unexpected reply", "check `host` and `port`")
            }
            (_, 400..500) => {
                (ErrorKind::Unavailable, "the mail server cannot take the mail now", "see the log of the mail server")
            }
            (Step::Greeting, _) => {
                (ErrorKind::Unavailable, "the mail server takes no mails", "see the log of the mail server")
            }
            (Step::Hello | Step::StartTls | Step::Check, _) => {
                (ErrorKind::Misconfigured, "the mail server lacks a command", "check `host`, `port` and `tls`")
            }
            (Step::Sender, _) => (
                ErrorKind::PermissionDenied,
                "the mail server refuses the sender",
                "check `from`, and that the login may send from it",
            ),
            // Policies, such as one against relaying (RFC 3463, section 3.8).
            _ if enhanced.starts_with("5.7.") => (
                ErrorKind::PermissionDenied,
                "a rule of the mail server forbids the mail",
                "allow the bridge to send mails to any address, by its login or network",
            ),
            (Step::Recipient, _) => (ErrorKind::State, "the mail server refuses the user's address", ""),
            (Step::Data | Step::Content | Step::Login, _) => {
                (ErrorKind::State, "the mail server refuses the mail", "see the log of the mail server")
            }
        };
        let error = Error::upstream(kind, message).with("step", step.name()).with("reply", self.code.to_string());
        let error = if is_permanent && !enhanced.is_empty() { error.with("code", enhanced.to_owned()) } else { error };
        if hint.is_empty() { error } else { error.with_hint(hint) }
    }
}

/// Creates the error of a server that does not speak SMTP.
pub(super) fn malformed() -> Error {
    Error::upstream(ErrorKind::InvalidResponse, "the response of the mail server is not an SMTP reply")
        .with_hint("check `host`, `port` and `tls`")
}

/// Creates the error of a connection that the server has closed.
pub(super) fn closed() -> Error {
    Error::upstream(ErrorKind::Unavailable, "the mail server closed the connection").unanswered()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(text: &str) -> Result<Option<Reply>, Error> {
        Reply::take(&mut text.as_bytes().to_vec())
    }

    #[test]
    fn replies_have_one_or_more_lines() {
        let mut received =
            b"250-smtp.acme.example\r\n250-SIZE 1000\r\n250-AUTH=LOGIN\r\n250 STARTTLS\r\n220 next".to_vec();
        let reply = Reply::take(&mut received).unwrap().unwrap();
        assert_eq!((reply.code, reply.lines.len(), received.as_slice()), (250, 4, &b"220 next"[..]));
        assert_eq!(reply.extension("size"), Some("1000"));
        assert_eq!((reply.extension("auth"), reply.extension("STARTTLS")), (Some("LOGIN"), Some("")));
        assert_eq!(reply.extension("smtp.acme.example"), None, "the first line is a name");
        assert_eq!(take("250\r\n").unwrap().unwrap().code, 250);
        assert!(take("250-more\r\n").unwrap().is_none() && take("25").unwrap().is_none());
    }

    #[test]
    fn other_answers_are_malformed() {
        for text in
            ["HTTP/1.1 400\r\n", "250-a\r\n251 b\r\n", "99 x\r\n", "600 x\r\n", "250_x\r\n", "\r\n", "é50 x\r\n"]
        {
            assert_eq!(take(text).unwrap_err().kind(), ErrorKind::InvalidResponse, "{text}");
        }
        assert!(take(&"2".repeat(MAX_REPLY + 1)).is_err());
        assert!(take(&"250-x\r\n".repeat(MAX_REPLY / 7 + 1)).is_err());
    }

    #[test]
    fn codes_become_kinds() {
        use ErrorKind::{InvalidResponse, Misconfigured, PermissionDenied, State, Unauthenticated, Unavailable};
        for (step, reply, kind) in [
            (Step::Greeting, "554 no", Unavailable),
            (Step::Hello, "421 busy", Unavailable),
            (Step::Hello, "502 what", Misconfigured),
            (Step::Login, "535 5.7.8 wrong", Unauthenticated),
            (Step::Login, "454 4.7.0 later", Unavailable),
            (Step::Sender, "530 5.7.0 login first", Unauthenticated),
            (Step::Sender, "550 5.7.1 not yours", PermissionDenied),
            (Step::Recipient, "550 5.1.1 no such mailbox", State),
            (Step::Recipient, "550 5.7.1 relaying denied", PermissionDenied),
            (Step::Recipient, "452 4.2.2 full", Unavailable),
            (Step::Data, "451 later", Unavailable),
            (Step::Content, "554 5.6.0 no", State),
            (Step::Content, "554 5.7.1 spam", PermissionDenied),
            (Step::Data, "250 what", InvalidResponse),
        ] {
            let error = take(&format!("{reply} <ada@acme.example>\r\n")).unwrap().unwrap().to_error(step);
            assert_eq!(error.kind(), kind, "{step:?} {reply}");
            assert!(!format!("{error:?}").contains("ada"), "{error:?}");
        }
    }
}
