//! The database operations of the connector.

use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_core::{CallScope, ConnectorContext, Error, ErrorKind, Result};

use crate::config::SqlConfig;
use crate::map::Row;
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::statement::{Statement, Values};

/// The dialect of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    Sqlite,
}

impl Dialect {
    /// Returns the dialect of a URL.
    pub(crate) fn from_url(url: &str) -> Result<Self> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            Some("sqlite") => Ok(Self::Sqlite),
            _ => Err(Error::misconfigured("the URL names an unsupported database")
                .with("setting", "url")
                .with_hint("write `postgres://user@host/database` or `sqlite:///absolute/path/users.db`")),
        }
    }
}

/// A database that runs statements within the deadline of a call.
#[async_trait]
pub(crate) trait Database: Send + Sync {
    /// Runs a read, and returns at most [`MAX_ROWS`](crate::statement::MAX_ROWS) rows.
    async fn read(&self, scope: &CallScope, statement: &Statement, values: Values<'_>) -> Result<Vec<Row>>;

    /// Runs a write, and returns whether it changed a row. Several rows are an error, and nothing is changed.
    async fn write(&self, scope: &CallScope, statement: &Statement, values: Values<'_>) -> Result<bool>;

    /// Connects, and returns the product with its version and the user.
    async fn connect(&self, scope: &CallScope) -> Result<String>;

    /// Checks a statement and the rights that it needs, without running it.
    async fn check(&self, scope: &CallScope, statement: &Statement) -> Result<()>;
}

/// Opens the database of the settings, without connecting to it.
pub(crate) fn open(config: &SqlConfig, dialect: Dialect, context: &ConnectorContext) -> Result<Box<dyn Database>> {
    let most = usize::from(config.connections).min(context.outbound.limits.connections).max(1);
    Ok(match dialect {
        Dialect::Postgres => Box::new(Postgres::new(config, most, &context.outbound)?),
        Dialect::Sqlite => Box::new(Sqlite::new(config, most, &context.outbound)?),
    })
}

/// Creates the error of a database that does not answer in time.
pub(crate) fn timeout() -> Error {
    Error::upstream(ErrorKind::Timeout, "the database did not answer in time")
        .with_hint("find out what slows the statement down: a lock, a missing index, or the network")
        .unanswered()
}

/// Returns the time limit of a statement, a little less than the remaining time, so that the database can still answer.
pub(crate) fn statement_limit(scope: &CallScope) -> Duration {
    let remaining = scope.remaining();
    remaining.saturating_sub((remaining / 10).min(Duration::from_millis(50))).max(Duration::from_millis(1))
}

/// Checks that a read returned no more than the maximum number of rows.
pub(crate) fn check_rows(statement: &Statement, rows: usize) -> Result<()> {
    if rows <= crate::statement::MAX_ROWS {
        return Ok(());
    }
    let message = format!("returns more than {} rows", crate::statement::MAX_ROWS);
    Err(statement.misfit(message, "let its condition select one user, and add `limit 2`"))
}

/// Creates the error of a write that would have changed several rows.
pub(crate) fn several_rows(statement: &Statement) -> Error {
    statement
        .misfit("would change more than one row, and was rolled back", "let its condition select one user by `:id`")
}
