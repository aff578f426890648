//! SQLite: a file with connections on threads of their own.

pub(crate) mod errors;
mod threads;

use std::path::PathBuf;

use async_trait::async_trait;
use idp_bridge_core::{
    AttemptResult, CallScope, Error, ErrorKind, OutboundPolicy, PrivateNetworks, Result, UpstreamCounters,
};
use idp_bridge_http::until_deadline;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::SqlConfig;
use crate::columns::Column;
use crate::database::{Database, check_rows, several_rows, statement_limit, timeout};
use crate::map::{Row, Value};
use crate::statement::{Statement, Values};
use threads::Threads;

/// A SQLite file.
pub(crate) struct Sqlite {
    threads: Threads,
    counters: UpstreamCounters,
}

/// The work of one call, for a thread.
struct Task {
    statement: Statement,
    /// The values of the parameters, in the order of their numbers.
    values: Vec<String>,
}

impl Sqlite {
    pub(crate) fn new(config: &SqlConfig, most: usize, policy: &OutboundPolicy) -> Result<Self> {
        if policy.private_networks == PrivateNetworks::Deny {
            let message = "the URL names a file of this machine, which `outbound.private_networks = \"deny\"` forbids";
            return Err(Error::misconfigured(message).with("setting", "url").with_hint("use PostgreSQL"));
        }
        if config.password.is_some() {
            let message = "`password` is set, and a SQLite file has none";
            return Err(Error::misconfigured(message).with("setting", "password").with_hint("remove it"));
        }
        let path = path(config.url.expose())?;
        Ok(Self { threads: Threads::new(move || open(&path), most), counters: policy.counters.clone() })
    }

    /// Runs a function on a thread with a connection, within the deadline of a call.
    async fn run<T: Send + 'static>(
        &self,
        scope: &CallScope,
        run: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let limit = statement_limit(scope);
        until_deadline(scope, timeout, async {
            scope.recorder().count_request();
            scope.recorder().count_attempt();
            self.counters.count_request();
            let counted = self.counters.begin_attempt();
            let result = self.threads.run(move |connection| {
                connection.busy_timeout(limit).map_err(errors::from_connection)?;
                run(connection)
            });
            let result = result.await;
            counted.finish(match &result {
                Ok(_) => AttemptResult::Success,
                Err(error) if error.kind() == ErrorKind::Timeout => AttemptResult::Abandoned,
                Err(_) => AttemptResult::Refused,
            });
            result
        })
        .await
    }
}

/// Returns the path of a URL.
fn path(url: &str) -> Result<PathBuf> {
    let path = url.strip_prefix("sqlite://").filter(|path| path.starts_with('/') && !path.contains('?'));
    path.map(PathBuf::from).ok_or_else(|| {
        Error::misconfigured("the URL of the database has no absolute path, or has a query")
            .with("setting", "url")
            .with_hint("write `sqlite:///absolute/path/users.db`, with three slashes")
    })
}

/// Opens an existing file, with a write-ahead log, so that reads and a write do not block each other.
fn open(path: &std::path::Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(errors::from_connection)?;
    // Off by default. Deletes rely on it for the sessions and memberships of a user.
    connection.execute_batch("PRAGMA foreign_keys = ON").map_err(errors::from_connection)?;
    // A read-only file keeps its mode, and a write fails with the reason.
    let _ = connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()));
    Ok(connection)
}

impl Task {
    fn new(statement: &Statement, values: Values<'_>) -> Option<Self> {
        let bound = statement.parameters.iter().map(|parameter| values.get(*parameter).map(str::to_owned));
        Some(Self { statement: statement.clone(), values: bound.collect::<Option<_>>()? })
    }

    fn read(&self, connection: &Connection) -> Result<Vec<Row>> {
        let failed = |error| errors::from_statement(error, &self.statement);
        let mut prepared = connection
            .prepare(&self.statement.sql)
            .map_err(|error| errors::from_preparation(error, &self.statement))?;
        let columns = columns(&prepared, &self.statement)?;
        let mut rows = prepared.query(rusqlite::params_from_iter(&self.values)).map_err(failed)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let value =
                |(index, column): (usize, &Column)| Ok((*column, to_value(row.get_ref(index).map_err(failed)?)));
            found.push(columns.iter().enumerate().map(value).collect::<Result<Row>>()?);
        }
        check_rows(&self.statement, found.len())?;
        Ok(found)
    }

    fn write(&self, connection: &mut Connection) -> Result<bool> {
        let failed = |error| errors::from_statement(error, &self.statement);
        // Rolled back when it is dropped.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let changed = {
            let prepared = transaction.prepare(&self.statement.sql);
            let mut prepared = prepared.map_err(|error| errors::from_preparation(error, &self.statement))?;
            prepared.execute(rusqlite::params_from_iter(&self.values)).map_err(failed)?
        };
        match changed {
            0 => Ok(false),
            1 => transaction.commit().map(|()| true).map_err(failed),
            _ => Err(several_rows(&self.statement)),
        }
    }
}

/// Returns the columns of a read.
fn columns(prepared: &rusqlite::Statement<'_>, statement: &Statement) -> Result<Vec<Column>> {
    if !prepared.readonly() {
        return Err(statement.misfit("would change the database", "write a query that returns the user"));
    }
    statement.match_columns(prepared.column_names().into_iter())
}

/// Checks that a statement fits the tables, without running it.
fn check(connection: &Connection, statement: &Statement) -> Result<()> {
    let prepared = connection.prepare(&statement.sql).map_err(|error| errors::from_preparation(error, statement))?;
    if statement.is_read {
        return columns(&prepared, statement).map(drop);
    }
    if connection.is_readonly("main").map_err(errors::from_connection)? {
        return Err(errors::read_only().with("statement", statement.name));
    }
    Ok(())
}

fn to_value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Text(text) => std::str::from_utf8(text).map_or(Value::Other, |text| Value::Text(text.to_owned())),
        ValueRef::Real(_) | ValueRef::Blob(_) => Value::Other,
    }
}

#[async_trait]
impl Database for Sqlite {
    async fn read(&self, scope: &CallScope, statement: &Statement, values: Values<'_>) -> Result<Vec<Row>> {
        let Some(task) = Task::new(statement, values) else { return Ok(Vec::new()) };
        self.run(scope, move |connection| task.read(connection)).await
    }

    async fn write(&self, scope: &CallScope, statement: &Statement, values: Values<'_>) -> Result<bool> {
        let Some(task) = Task::new(statement, values) else { return Ok(false) };
        let recorder = scope.recorder().clone();
        self.run(scope, move |connection| {
            recorder.begin_write();
            let result = task.write(connection);
            // The database is a file: without a commit it has certainly not changed.
            if !matches!(result, Ok(true)) {
                recorder.write_refused();
            }
            result
        })
        .await
    }

    async fn connect(&self, scope: &CallScope) -> Result<String> {
        self.run(scope, |connection| {
            // The header of the file is read with the first page.
            connection
                .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
                .map_err(errors::from_connection)?;
            Ok(format!("SQLite {}", rusqlite::version()))
        })
        .await
    }

    async fn check(&self, scope: &CallScope, statement: &Statement) -> Result<()> {
        let statement = statement.clone();
        self.run(scope, move |connection| check(connection, &statement)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_are_files() {
        assert_eq!(path("sqlite:///var/lib/users.db").unwrap(), PathBuf::from("/var/lib/users.db"));
        for url in ["sqlite://users.db", "sqlite:users.db", "sqlite::memory:", "sqlite:///a.db?mode=rwc", "sqlite://"] {
            assert!(path(url).is_err(), "{url}");
        }
    }

    #[test]
    fn denied_networks_have_no_files() {
        let policy = OutboundPolicy { private_networks: PrivateNetworks::Deny, ..OutboundPolicy::default() };
        assert!(Sqlite::new(&SqlConfig::new("sqlite:///users.db"), 1, &policy).is_err());
    }
}
