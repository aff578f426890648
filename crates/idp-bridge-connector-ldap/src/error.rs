//! Converts failures of the directory to errors, without the server's messages, which contain names and values.

use std::time::Duration;

use idp_bridge_core::{Error, ErrorKind};
use idp_bridge_http::transport_error;

use crate::ber::Malformed;
use crate::message::Outcome;

/// The wait before a busy server is tried again.
const BUSY: Duration = Duration::from_secs(1);

/// The step of a call that a result code belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Bind,
    StartTls,
    Search,
    Write,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::StartTls => "StartTLS",
            Self::Search => "search",
            Self::Write => "write",
        }
    }
}

/// The failure of an attempt.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) error: Error,
    /// Whether the server answered with a result, so that a write had no effect and the connection can be used again.
    pub(crate) is_answered: bool,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, is_answered: false }
    }
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Self {
        let hint = "check that `url` is the address of an LDAP server, with `ldaps` only for its port with TLS";
        Error::upstream(ErrorKind::InvalidResponse, "the server does not speak LDAP").with_hint(hint).into()
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        transport_error(Box::new(error)).into()
    }
}

impl Fault {
    /// The server closed the connection.
    pub(crate) fn closed() -> Self {
        Error::upstream(ErrorKind::Unavailable, "the directory closed the connection").unanswered().into()
    }

    /// Converts a result that is not a success.
    pub(crate) fn from_outcome(outcome: &Outcome, step: Step) -> Self {
        Self { error: classify(outcome, step), is_answered: true }
    }
}

/// Creates the error of a directory that does not answer in time.
pub(crate) fn timeout() -> Error {
    Error::upstream(ErrorKind::Timeout, "the directory did not answer in time")
        .with_hint("find out what slows it down: an attribute without an index, or the network")
        .unanswered()
}

/// Converts a result code (RFC 4511, section 4.1.9, and RFC 4528).
fn classify(outcome: &Outcome, step: Step) -> Error {
    let (kind, message, hint) = match (step, outcome.code) {
        (Step::Bind, code) if bind_hint(code, &outcome.message).is_some() => (
            ErrorKind::Unauthenticated,
            "the directory refuses the bridge's name or password",
            bind_hint(code, &outcome.message).unwrap_or_default(),
        ),
        (Step::StartTls, _) => (
            ErrorKind::Misconfigured,
            "the directory does not start TLS",
            "use `ldaps`, give the server a certificate, or set `start_tls = false` if the network to it is safe",
        ),
        (_, code) => describe(code, step),
    };
    let wait = (outcome.code == 51).then_some(BUSY);
    Error::upstream(kind, message)
        .with("code", outcome.code.to_string())
        .with("step", step.name())
        .with_hint(hint)
        .with_retry_after(wait)
}

/// Returns the hint for a refused bind. Active Directory gives the reason in its message:
/// <https://learn.microsoft.com/windows/win32/debug/system-error-codes> (November 2026).
fn bind_hint(code: i32, message: &str) -> Option<&'static str> {
    let reason = message.split("data ").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default();
    Some(match (code, reason) {
        (49, "530" | "531") => "allow the bridge's user to log on now and from this machine",
        (49, "532" | "773") => "give the bridge's user a password that does not expire",
        (49, "533") => "enable the bridge's user",
        (49, "701") => "extend the bridge's user, which has expired",
        (49, "775") => "unlock the bridge's user",
        (48 | 49, _) => "check `bind_dn` and `password`",
        _ => return None,
    })
}

fn describe(code: i32, step: Step) -> (ErrorKind, &'static str, &'static str) {
    use ErrorKind::{
        Conflict, InvalidResponse, Misconfigured, NotFound, PermissionDenied, State, Timeout, Unauthenticated,
        Unavailable,
    };
    match code {
        // Active Directory's answer before a bind.
        1 if step == Step::Search => {
            (Unauthenticated, "the directory requires a bind first", "check `bind_dn` and `password`")
        }
        3 => (
            Timeout,
            "the directory stopped the search at its time limit",
            "index the attributes that the bridge searches",
        ),
        4 => (
            Unavailable,
            "the directory limits the size of results too much",
            "allow the bridge's entry results of a few entries",
        ),
        8 | 13 => (
            Misconfigured,
            "the directory requires a protected connection",
            "use `ldaps`, or `ldap` with `start_tls = true`",
        ),
        10 => (
            Misconfigured,
            "the directory refers to another server",
            "name the server that has the users, or a writable one",
        ),
        12 => (
            Misconfigured,
            "the directory lacks a control that the bridge needs",
            "use the preset of your directory; with `openldap` writes need the assertion control (RFC 4528)",
        ),
        16 | 122 if step == Step::Write => (Conflict, "the user has changed since it was read", "read the user again"),
        17 | 18 | 19 | 20 | 21 | 65 | 69 => (
            Misconfigured,
            "the schema of the directory forbids the change",
            "let the attribute of `attributes.email_verified` be one of the users' object classes, with `TRUE` and `FALSE`",
        ),
        32 if step == Step::Write => (NotFound, "the entry of the user no longer exists", "read the user again"),
        // The code also means a base that exists and that the bridge may not see.
        32 | 34 => (
            Misconfigured,
            "the directory shows no such entry as `base_dn`",
            "check `base_dn`, and that the bridge's entry may read it",
        ),
        50 => (PermissionDenied, "the bridge's entry lacks a right", "grant the right to the entry in `bind_dn`"),
        51 | 52 | 80 | 11 => (Unavailable, "the directory cannot serve the call now", "check its state and its log"),
        53 => (
            Misconfigured,
            "the directory is unwilling to serve the call",
            "check whether it is read-only, and its log",
        ),
        66 => (State, "the entry of the user has others below it", "remove the entries below it first"),
        _ => (InvalidResponse, "the directory refuses the call", "check its log for the reason"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(step: Step, code: i32, message: &str) -> Error {
        classify(&Outcome { code, message: message.to_owned(), cookie: Vec::new() }, step)
    }

    #[test]
    fn codes_have_their_kinds() {
        use ErrorKind::{Conflict, InvalidResponse, Misconfigured, NotFound, PermissionDenied, State, Timeout};
        use ErrorKind::{Unauthenticated, Unavailable};
        for (step, code, kind) in [
            (Step::Bind, 49, Unauthenticated),
            (Step::Bind, 48, Unauthenticated),
            (Step::Bind, 34, Misconfigured),
            (Step::Bind, 8, Misconfigured),
            (Step::Bind, 13, Misconfigured),
            (Step::Bind, 52, Unavailable),
            (Step::StartTls, 2, Misconfigured),
            (Step::Search, 1, Unauthenticated),
            (Step::Search, 3, Timeout),
            (Step::Search, 4, Unavailable),
            (Step::Search, 10, Misconfigured),
            (Step::Search, 11, Unavailable),
            (Step::Search, 32, Misconfigured),
            (Step::Search, 50, PermissionDenied),
            (Step::Search, 51, Unavailable),
            (Step::Search, 2, InvalidResponse),
            (Step::Write, 12, Misconfigured),
            (Step::Write, 16, Conflict),
            (Step::Write, 122, Conflict),
            (Step::Write, 17, Misconfigured),
            (Step::Write, 32, NotFound),
            (Step::Write, 50, PermissionDenied),
            (Step::Write, 53, Misconfigured),
            (Step::Write, 66, State),
            (Step::Write, 9999, InvalidResponse),
        ] {
            let error = classified(step, code, "uid=ada,ou=people");
            assert_eq!(error.kind(), kind, "{step:?}, {code}");
            assert!(error.hint().is_some() && !format!("{error:?}").contains("uid=ada"), "{error:?}");
        }
        assert_eq!(classified(Step::Search, 51, "").retry_after(), Some(BUSY));
    }

    #[test]
    fn reasons_of_active_directory_become_hints() {
        for (data, part) in
            [("52e", "check `bind_dn`"), ("533", "enable"), ("775", "unlock"), ("773", "does not expire")]
        {
            let message =
                format!("80090308: LdapErr: DSID-0C09, comment: AcceptSecurityContext error, data {data}, v4f7c");
            let error = classified(Step::Bind, 49, &message);
            assert!(error.hint().is_some_and(|hint| hint.contains(part)), "{error:?}");
        }
    }
}
