//! PostgreSQL: a bounded pool, and statements in transactions with the deadline of their call.

mod connection;
mod errors;
mod settings;
mod values;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use async_trait::async_trait;
use deadpool::managed::{Object, Pool};
use idp_bridge_core::{AttemptResult, CallScope, Error, OutboundPolicy, Result, UpstreamCounters};
use idp_bridge_http::until_deadline;
use tokio_postgres::types::ToSql;

use crate::SqlConfig;
use crate::database::{Database, check_rows, several_rows, statement_limit, timeout};
use crate::map::Row;
use crate::statement::{Statement, Values};
use connection::{Connector, Prepared};
use errors::Fault;
use settings::Target;
use values::Text;

/// A PostgreSQL database.
pub(crate) struct Postgres {
    pool: Pool<Connector>,
    row_security: bool,
    /// Changes when the tables have changed, so that all connections prepare their statements again.
    generation: AtomicU64,
    counters: UpstreamCounters,
}

/// A connection of the pool. One with an unfinished statement is closed when this is dropped.
struct Lease {
    connection: Option<Object<Connector>>,
    is_clean: bool,
}

impl Lease {
    fn get(&mut self) -> Result<&mut Object<Connector>> {
        self.is_clean = false;
        self.connection.as_mut().ok_or_else(timeout)
    }

    /// Allows the connection to be used again.
    fn finish(&mut self) {
        self.is_clean = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(|_| !self.is_clean) {
            drop(Object::take(connection));
        }
    }
}

impl Postgres {
    pub(crate) fn new(config: &SqlConfig, most: usize, policy: &OutboundPolicy) -> Result<Self> {
        let connector = Connector::new(Target::new(config, policy)?, config.integer_times.is_some());
        let pool = Pool::builder(connector).max_size(most).build();
        let pool = pool.map_err(|error| Error::misconfigured("no connection pool can be made").with_source(error))?;
        Ok(Self {
            pool,
            row_security: config.row_security,
            generation: AtomicU64::new(0),
            counters: policy.counters.clone(),
        })
    }

    async fn lease(&self) -> Result<Lease, Fault> {
        let mut connection = self.pool.get().await.map_err(Fault::from_pool)?;
        connection.renew(self.generation.load(Relaxed));
        Ok(Lease { connection: Some(connection), is_clean: true })
    }

    /// Returns the statements that begin a transaction.
    fn begin(&self, scope: &CallScope, is_read: bool) -> String {
        let begin = if is_read { "BEGIN READ ONLY" } else { "BEGIN" };
        let limit = statement_limit(scope).as_millis().max(1);
        let policies = if self.row_security { "on" } else { "off" };
        format!("{begin}; SET LOCAL statement_timeout = {limit}; SET LOCAL row_security = {policies}")
    }

    /// Runs an attempt, and a second one after a failure that certainly changed nothing.
    async fn attempt<T, F>(&self, scope: &CallScope, run: impl Fn() -> F + Send) -> Result<T>
    where
        F: Future<Output = Result<T, Fault>> + Send,
    {
        scope.recorder().count_request();
        self.counters.count_request();
        let mut is_repeated = false;
        loop {
            scope.recorder().count_attempt();
            let counted = self.counters.begin_attempt();
            let result = run().await;
            counted.finish(match &result {
                Ok(_) => AttemptResult::Success,
                Err(fault) if fault.error.is_unanswered() => AttemptResult::NoResponse,
                Err(_) => AttemptResult::Refused,
            });
            match result {
                Err(fault) if fault.can_repeat && !is_repeated => {
                    is_repeated = true;
                    if fault.is_stale {
                        self.generation.fetch_add(1, Relaxed);
                    }
                }
                other => return other.map_err(|fault| fault.error),
            }
        }
    }

    async fn read_once(&self, scope: &CallScope, statement: &Statement, values: Values<'_>) -> Result<Vec<Row>, Fault> {
        let mut lease = self.lease().await?;
        let connection = lease.get()?;
        let prepared = connection.prepare(statement).await?;
        let Some(texts) = prepared.bind(values) else {
            lease.finish();
            return Ok(Vec::new());
        };
        let (parameters, begin) = (parameters(&texts), self.begin(scope, true));
        let client = connection.client();
        // All three are sent at once. A failure of the first makes the others fail.
        let (begun, rows, ended) = tokio::join!(
            biased;
            client.batch_execute(&begin),
            client.query(&prepared.statement, &parameters),
            client.batch_execute("COMMIT"),
        );
        let rows = match begun.and(rows).and_then(|rows| ended.map(|()| rows)) {
            Ok(rows) => rows,
            Err(error) => {
                let fault = Fault::from_statement(error, statement);
                if !fault.is_ending {
                    lease.finish();
                }
                return Err(fault);
            }
        };
        lease.finish();
        check_rows(statement, rows.len())?;
        Ok(rows.iter().map(|row| prepared.convert(row)).collect::<Result<_>>()?)
    }

    async fn write_once(&self, scope: &CallScope, statement: &Statement, values: Values<'_>) -> Result<bool, Fault> {
        let mut lease = self.lease().await?;
        let connection = lease.get()?;
        let prepared = connection.prepare(statement).await?;
        let Some(texts) = prepared.bind(values) else {
            lease.finish();
            return Ok(false);
        };
        let (parameters, begin) = (parameters(&texts), self.begin(scope, false));
        let client = connection.client();
        scope.recorder().begin_write();
        let (begun, changed) =
            tokio::join!(biased; client.batch_execute(&begin), client.execute(&prepared.statement, &parameters));
        let result = match begun.and(changed) {
            Ok(1) => {
                return match client.batch_execute("COMMIT").await {
                    Ok(()) => {
                        lease.finish();
                        Ok(true)
                    }
                    Err(error) => {
                        let fault = Fault::from_statement(error, statement).without_repeat();
                        if fault.is_answered {
                            scope.recorder().write_refused();
                        }
                        Err(fault)
                    }
                };
            }
            Ok(0) => Ok(false),
            Ok(_) => Err(several_rows(statement).into()),
            Err(error) => Err(Fault::from_statement(error, statement)),
        };
        if result.as_ref().err().is_some_and(|fault| !fault.is_answered) {
            return result.map_err(Fault::without_repeat);
        }
        // Without a commit nothing has changed, whether or not the rollback arrives.
        scope.recorder().write_refused();
        if connection.client().batch_execute("ROLLBACK").await.is_ok() {
            lease.finish();
        }
        result
    }

    async fn connect_once(&self) -> Result<String, Fault> {
        let mut lease = self.lease().await?;
        let client = lease.get()?.client();
        let found = client.query_one("SELECT current_setting('server_version'), current_user::text", &[]).await;
        let row = found.map_err(Fault::from_connection)?;
        let text = |index: usize| row.try_get::<_, String>(index).map_err(Fault::from_connection);
        let described = format!("PostgreSQL {} as the user `{}`", text(0)?, text(1)?);
        lease.finish();
        Ok(described)
    }

    async fn check_once(&self, scope: &CallScope, statement: &Statement) -> Result<(), Fault> {
        let mut lease = self.lease().await?;
        let connection = lease.get()?;
        connection.forget(statement.name);
        let prepared = connection.prepare(statement).await?;
        // The plan of a statement needs the same rights as the statement, and runs nothing.
        let explain = format!("EXPLAIN {}", statement.sql);
        let client = connection.client();
        let begin = self.begin(scope, true);
        let explained = async {
            client.batch_execute(&begin).await?;
            let explain = client.prepare(&explain).await?;
            let nulls: Vec<Option<&str>> = prepared.statement.params().iter().map(|_| None).collect();
            let nulls: Vec<Text<'_>> = nulls.into_iter().map(Text).collect();
            client.query(&explain, &parameters(&nulls)).await
        };
        let explained = explained.await.map_err(|error| Fault::from_statement(error, statement));
        if client.batch_execute("ROLLBACK").await.is_ok() {
            lease.finish();
        }
        explained.map(drop)
    }
}

fn parameters<'a>(texts: &'a [Text<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    texts.iter().map(|text| text as &(dyn ToSql + Sync)).collect()
}

#[async_trait]
impl Database for Postgres {
    async fn read(&self, scope: &CallScope, statement: &Statement, values: Values<'_>) -> Result<Vec<Row>> {
        until_deadline(scope, timeout, self.attempt(scope, || self.read_once(scope, statement, values))).await
    }

    async fn write(&self, scope: &CallScope, statement: &Statement, values: Values<'_>) -> Result<bool> {
        until_deadline(scope, timeout, self.attempt(scope, || self.write_once(scope, statement, values))).await
    }

    async fn connect(&self, scope: &CallScope) -> Result<String> {
        until_deadline(scope, timeout, self.attempt(scope, || self.connect_once())).await
    }

    async fn check(&self, scope: &CallScope, statement: &Statement) -> Result<()> {
        until_deadline(scope, timeout, self.attempt(scope, || self.check_once(scope, statement))).await
    }
}

impl Prepared {
    /// Returns the parameters, or `None` if no row can have one of the values.
    fn bind<'a>(&self, values: Values<'a>) -> Option<Vec<Text<'a>>> {
        let bound = self.parameters.iter().zip(self.statement.params()).map(|(parameter, kind)| {
            let value = values.get(*parameter)?;
            values::can_have(kind, value).then_some(Text(Some(value)))
        });
        bound.collect()
    }
}
