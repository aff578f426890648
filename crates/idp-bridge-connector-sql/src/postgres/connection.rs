//! Connections, and the statements that are prepared on them.

use std::collections::HashMap;
use std::sync::Arc;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use idp_bridge_core::Result;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Row as PgRow};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::errors::Fault;
use super::settings::{Place, Target};
use super::values::{self, Cell};
use crate::columns::Column;
use crate::map::Row;
use crate::statement::{Parameter, Statement};

/// Opens the connections of a pool.
pub(crate) struct Connector {
    target: Target,
    tls: MakeRustlsConnect,
    has_epoch: bool,
}

impl Connector {
    pub(crate) fn new(target: Target, has_epoch: bool) -> Self {
        Self { tls: MakeRustlsConnect::new(target.tls.clone()), target, has_epoch }
    }

    async fn handshake<S>(&self, stream: S, host: &str) -> Result<Client, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut tls = self.tls.clone();
        let tls =
            MakeTlsConnect::<S>::make_tls_connect(&mut tls, host).map_err(|error| Fault::from_tls(Box::new(error)))?;
        let (client, connection) = self.target.config.connect_raw(stream, tls).await.map_err(Fault::from_connection)?;
        // Ends with the client. Its error also reaches the statement that runs.
        tokio::spawn(async move { drop(connection.await) });
        Ok(client)
    }
}

impl Manager for Connector {
    type Type = Connection;
    type Error = Fault;

    async fn create(&self) -> Result<Connection, Fault> {
        let client = match &self.target.place {
            Place::Host { name, port } => self.handshake(self.target.dialer.connect(name, *port).await?, name).await?,
            Place::Socket(path) => {
                let stream = UnixStream::connect(path).await.map_err(|error| Fault::from_tls(Box::new(error)))?;
                self.handshake(stream, "localhost").await?
            }
        };
        Ok(Connection { client, prepared: HashMap::new(), generation: 0, has_epoch: self.has_epoch })
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Fault> {
        if connection.client.is_closed() { Err(RecycleError::message("closed")) } else { Ok(()) }
    }
}

/// A connection with its prepared statements.
pub(crate) struct Connection {
    client: Client,
    prepared: HashMap<&'static str, Arc<Prepared>>,
    generation: u64,
    has_epoch: bool,
}

/// A prepared statement that fits its tables.
pub(crate) struct Prepared {
    pub(crate) statement: tokio_postgres::Statement,
    pub(crate) parameters: Vec<Parameter>,
    columns: Vec<Column>,
}

impl Connection {
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Prepares a statement, unless it is prepared, and checks its parameters and columns.
    pub(crate) async fn prepare(&mut self, statement: &Statement) -> Result<Arc<Prepared>, Fault> {
        if let Some(prepared) = self.prepared.get(statement.name) {
            return Ok(Arc::clone(prepared));
        }
        let prepared = self.client.prepare(&statement.sql).await;
        let prepared = prepared.map_err(|error| Fault::from_preparation(error, statement))?;
        for (parameter, kind) in statement.parameters.iter().zip(prepared.params()) {
            if !values::is_parameter(kind) {
                let message = format!("compares `:{}` with a value of the type `{kind}`", parameter.name());
                return Err(statement.misfit(message, "compare it with a uuid, an integer or a text").into());
            }
        }
        let names = prepared.columns().iter().map(|column| column.name());
        let columns = if statement.is_read { statement.match_columns(names)? } else { Vec::new() };
        for (column, found) in columns.iter().zip(prepared.columns()) {
            if let Some(hint) = column.type_hint(values::column_type(found.type_()), self.has_epoch) {
                let message = format!("returns `{}` with the type `{}`", column.name(), found.type_());
                return Err(statement.misfit(message, hint).into());
            }
        }
        let parameters = statement.parameters.clone();
        let prepared = Arc::new(Prepared { statement: prepared, parameters, columns });
        self.prepared.insert(statement.name, Arc::clone(&prepared));
        Ok(prepared)
    }

    /// Removes a prepared statement, so that it is prepared again.
    pub(crate) fn forget(&mut self, name: &str) {
        self.prepared.remove(name);
    }

    /// Removes all prepared statements, if they are of another generation.
    pub(crate) fn renew(&mut self, generation: u64) {
        if self.generation != generation {
            self.prepared.clear();
            self.generation = generation;
        }
    }
}

impl Prepared {
    /// Converts the values of a row.
    pub(crate) fn convert(&self, row: &PgRow) -> Result<Row> {
        let value = |(index, column): (usize, &Column)| {
            let Cell(value) = row.try_get(index).map_err(|_| values::unreadable(*column))?;
            Ok((*column, value))
        };
        self.columns.iter().enumerate().map(value).collect()
    }
}
