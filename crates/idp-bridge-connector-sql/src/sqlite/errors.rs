//! Converts failures of SQLite to errors, without values of rows.

use idp_bridge_core::{Error, ErrorKind};
use rusqlite::ErrorCode;

use crate::database::timeout;
use crate::statement::Statement;

/// Converts the failure of a statement.
pub(crate) fn from_statement(error: rusqlite::Error, statement: &Statement) -> Error {
    from_connection(error).with("statement", statement.name)
}

/// Converts a failure to prepare a statement. No values are bound, so that the message can be shown.
pub(crate) fn from_preparation(error: rusqlite::Error, statement: &Statement) -> Error {
    let message = match &error {
        rusqlite::Error::SqliteFailure(failure, Some(message)) if failure.code == ErrorCode::Unknown => {
            Some(message.clone())
        }
        _ => None,
    };
    let error = from_statement(error, statement);
    match message {
        Some(message) => error.with("message", message),
        None => error,
    }
}

/// Converts a failure by its code.
pub(crate) fn from_connection(error: rusqlite::Error) -> Error {
    use ErrorKind::{InvalidResponse, Misconfigured, State, Unavailable};
    let Some(code) = error.sqlite_error_code() else { return misfit() };
    let (kind, message, hint) = match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OperationInterrupted => return timeout(),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            return read_only();
        }
        ErrorCode::CannotOpen => (
            Misconfigured,
            "the database file cannot be opened",
            "check the path in `url`, and the rights on file and folder",
        ),
        ErrorCode::NotADatabase => (Misconfigured, "the file is not a SQLite database", "check the path in `url`"),
        ErrorCode::ConstraintViolation => {
            (State, "other data of the database forbids the change", "remove what refers to the user first")
        }
        ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory => {
            (Unavailable, "the database file cannot be read or written", "check the disk")
        }
        ErrorCode::DatabaseCorrupt => (InvalidResponse, "the database file is damaged", "restore it from a backup"),
        _ => return misfit(),
    };
    Error::upstream(kind, message).with_hint(hint)
}

/// Creates the error of a file that cannot be written.
pub(crate) fn read_only() -> Error {
    Error::upstream(ErrorKind::PermissionDenied, "the database file is read-only")
        .with_hint("give the user of the bridge the right to write to the file and its folder")
}

fn misfit() -> Error {
    Error::upstream(ErrorKind::Misconfigured, "the statement does not fit the database")
        .with_hint("compare it with the tables")
}
