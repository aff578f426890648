//! Converts failures of PostgreSQL to errors, without values of rows.

use std::time::Duration;

use deadpool::managed::PoolError;
use idp_bridge_core::{Error, ErrorKind};
use idp_bridge_http::transport_error;
use tokio_postgres::error::DbError;

use crate::database::timeout;
use crate::statement::Statement;

/// The wait before a database that has no place for another connection is tried again.
const FULL: Duration = Duration::from_secs(1);

/// The failure of an attempt.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) error: Error,
    /// Whether the server answered with an error, so that nothing has changed.
    pub(crate) is_answered: bool,
    /// Whether another attempt can succeed, and the first one changed nothing.
    pub(crate) can_repeat: bool,
    /// Whether the tables have changed since the statement was prepared.
    pub(crate) is_stale: bool,
    /// Whether the server ends the connection.
    pub(crate) is_ending: bool,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, is_answered: true, can_repeat: false, is_stale: false, is_ending: false }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// Converts a failure to get a connection.
    pub(crate) fn from_pool(error: PoolError<Self>) -> Self {
        match error {
            PoolError::Backend(fault) => fault,
            _ => timeout().into(),
        }
    }

    /// Converts a failure of the TLS handshake or of a socket.
    pub(crate) fn from_tls(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self { is_answered: false, ..transport_error(error).into() }
    }

    /// Converts a failure while a connection is opened.
    pub(crate) fn from_connection(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(refusal) => classify(refusal).into(),
            None => Self::without_answer(error),
        }
    }

    /// Converts a failure to prepare a statement. No values have been sent, so that the message can be shown.
    pub(crate) fn from_preparation(error: tokio_postgres::Error, statement: &Statement) -> Self {
        let message = error.as_db_error().filter(|refusal| refusal.code().code().starts_with("42"));
        let message = message.map(|refusal| refusal.message().to_owned());
        let mut fault = Self::from_statement(error, statement);
        if let Some(message) = message {
            fault.error = fault.error.with("message", message);
        }
        fault
    }

    /// Converts the failure of a statement.
    pub(crate) fn from_statement(error: tokio_postgres::Error, statement: &Statement) -> Self {
        let Some(refusal) = error.as_db_error() else { return Self::without_answer(error) };
        // The tables have changed, or a connection pooler has another server connection.
        let is_stale = matches!(refusal.code().code(), "0A000" | "26000");
        // An idle connection that an administrator or a restart has ended reports this at its next use.
        let is_ending = matches!(refusal.code().code(), "57P01" | "57P02" | "57P05");
        let error = classify(refusal).with("statement", statement.name);
        Self { error, is_answered: true, can_repeat: is_stale || is_ending, is_stale, is_ending }
    }

    fn without_answer(error: tokio_postgres::Error) -> Self {
        let is_closed = error.is_closed();
        let error = match error.into_source() {
            _ if is_closed => {
                Error::upstream(ErrorKind::Unavailable, "the database closed the connection").unanswered()
            }
            Some(source) if is_of_transport(&*source) => transport_error(source),
            Some(source) => no_session(&source.to_string()),
            None => no_session("the server does not speak the protocol of PostgreSQL"),
        };
        let can_repeat = error.kind() == ErrorKind::Unavailable;
        Self { error, is_answered: false, can_repeat, is_stale: false, is_ending: true }
    }

    /// Returns the fault of an attempt that may have changed something.
    pub(crate) fn without_repeat(self) -> Self {
        Self { can_repeat: false, ..self }
    }
}

fn is_of_transport(source: &(dyn std::error::Error + 'static)) -> bool {
    source.is::<std::io::Error>() || source.is::<rustls::Error>()
}

/// Creates the error of a session that cannot begin. The reason is a text of the client library.
fn no_session(reason: &str) -> Error {
    let (kind, hint) = if reason.contains("TLS") {
        (ErrorKind::Misconfigured, "switch TLS on in the server (`ssl = on`); without it the password could be read")
    } else {
        (ErrorKind::Unauthenticated, "set `password_file`, and check the server's rules in `pg_hba.conf`")
    };
    Error::upstream(kind, format!("the database refuses the session: {reason}")).with_hint(hint)
}

/// Converts a refusal of the server by its code. Its message and its details may have values, and are left out.
fn classify(refusal: &DbError) -> Error {
    use ErrorKind::{InvalidResponse, Misconfigured, PermissionDenied, State, Timeout, Unauthenticated, Unavailable};
    let code = refusal.code().code();
    let class = code.get(..2).unwrap_or_default();
    let is_hidden = refusal.routine() == Some("check_enable_rls");
    let (kind, message, hint) = match (code, class) {
        ("28P01" | "28000", _) => (
            Unauthenticated,
            "the database refuses the user or the password",
            "check `url`, `password_file` and `pg_hba.conf`",
        ),
        ("3D000", _) => (Misconfigured, "the database does not exist", "check the name at the end of `url`"),
        ("42501", _) if is_hidden => (
            PermissionDenied,
            "row-level security would hide rows",
            "grant the role `BYPASSRLS`, or set `row_security = true` if the policies show all users",
        ),
        ("42501", _) => (
            PermissionDenied,
            "the database user lacks a right",
            "grant it `USAGE` on the schema, `SELECT` on what is read, and `UPDATE` or `DELETE` on what is written",
        ),
        ("57014", _) => (Timeout, "the database cancelled the statement at its deadline", "check locks and indexes"),
        ("55P03" | "40001" | "40P01", _) => {
            (Unavailable, "another transaction blocks the statement", "try again; check for long transactions")
        }
        ("53300", _) => (
            Unavailable,
            "the database has no place for another connection",
            "lower `connections`, raise `max_connections`, or use a connection pooler",
        ),
        ("25006", _) => (
            Misconfigured,
            "the database is read-only here, or a read tries to write",
            "name the primary server, and check that reads only read",
        ),
        ("57P03", _) | (_, "08" | "53" | "57" | "58" | "XX") => {
            (Unavailable, "the database cannot serve the statement now", "check its state and its log")
        }
        (_, "23") => (State, "other data of the database forbids the change", "remove what refers to the user first"),
        (_, "22") => (
            Misconfigured,
            "the database cannot convert a value",
            "compare parameters with columns of their own type, and check the conversions of the statement",
        ),
        (_, "42" | "3F" | "0A" | "26" | "25") => {
            (Misconfigured, "the statement does not fit the database", "compare it with the tables")
        }
        _ => (InvalidResponse, "the database refuses the statement", "check its log for the reason"),
    };
    let wait = matches!(code, "53300" | "57P03").then_some(FULL);
    Error::upstream(kind, message).with("sqlstate", code.to_owned()).with_hint(hint).with_retry_after(wait)
}
