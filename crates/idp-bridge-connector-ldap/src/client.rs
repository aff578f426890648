//! A bounded pool of connections, which runs operations within the deadline of their call.

use std::sync::{Mutex, PoisonError};

use idp_bridge_core::{AttemptResult, CallScope, Error, ErrorKind, OutboundPolicy, Result, UpstreamCounters};
use idp_bridge_http::until_deadline;
use tokio::sync::Semaphore;

use crate::LdapConfig;
use crate::connection::{Connection, Found};
use crate::error::{Fault, timeout};
use crate::message::{Search, Write};
use crate::server::Server;

/// The connections to a directory.
pub(crate) struct Client {
    pub(crate) server: Server,
    seats: Semaphore,
    idle: Mutex<Vec<Connection>>,
    counters: UpstreamCounters,
}

/// An operation of a call.
enum Operation<'a> {
    Search(&'a Search),
    Write(&'a Write),
    Probe(&'a Write),
}

impl Client {
    /// Creates a pool without connections.
    pub(crate) fn new(config: &LdapConfig, policy: &OutboundPolicy) -> Result<Self> {
        let most = usize::from(config.connections).min(policy.limits.connections).max(1);
        Ok(Self {
            server: Server::new(config, policy)?,
            seats: Semaphore::new(most),
            idle: Mutex::default(),
            counters: policy.counters.clone(),
        })
    }

    /// Runs a search. It is repeated once if its connection was closed before the answer.
    pub(crate) async fn search(&self, scope: &CallScope, search: &Search) -> Result<Found> {
        self.run(scope, &Operation::Search(search)).await
    }

    /// Runs a write.
    pub(crate) async fn write(&self, scope: &CallScope, write: &Write) -> Result<()> {
        self.run(scope, &Operation::Write(write)).await.map(drop)
    }

    /// Runs a write that can change nothing.
    pub(crate) async fn probe(&self, scope: &CallScope, write: &Write) -> Result<()> {
        self.run(scope, &Operation::Probe(write)).await.map(drop)
    }

    async fn run(&self, scope: &CallScope, operation: &Operation<'_>) -> Result<Found> {
        scope.recorder().count_request();
        self.counters.count_request();
        until_deadline(scope, timeout, async {
            let _seat = self.seats.acquire().await.map_err(|_| timeout())?;
            loop {
                scope.recorder().count_attempt();
                let counted = self.counters.begin_attempt();
                let idle = self.take_idle();
                let is_used = idle.is_some();
                let result = self.attempt(scope, operation, idle).await;
                counted.finish(match &result {
                    Ok(_) => AttemptResult::Success,
                    Err(fault) if fault.is_answered => AttemptResult::Refused,
                    Err(_) => AttemptResult::NoResponse,
                });
                match result {
                    // The server may have closed the connection while it was idle.
                    Err(fault) if is_used && fault.can_repeat(matches!(operation, Operation::Search(_))) => {}
                    other => return other.map_err(|fault| fault.error),
                }
            }
        })
        .await
    }

    /// Runs an operation on an idle connection or a new one, which is kept unless its state is unknown.
    async fn attempt(
        &self,
        scope: &CallScope,
        operation: &Operation<'_>,
        idle: Option<Connection>,
    ) -> Result<Found, Fault> {
        let mut connection = match idle {
            Some(idle) => idle,
            // A refused bind is not a response to the operation.
            None => Connection::open(&self.server).await.map_err(|fault| fault.error)?,
        };
        let result = match operation {
            Operation::Search(search) => connection.search(search, scope.remaining()).await,
            Operation::Probe(write) => connection.write(write).await.map(|()| Found::default()),
            Operation::Write(write) => {
                scope.recorder().begin_write();
                let written = connection.write(write).await;
                if written.as_ref().is_err_and(|fault| fault.is_answered) {
                    scope.recorder().write_refused();
                }
                written.map(|()| Found::default())
            }
        };
        if result.as_ref().err().is_none_or(|fault| fault.is_answered) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        result
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut connection) = idle.pop() {
            if connection.is_idle() {
                return Some(connection);
            }
        }
        None
    }
}

impl Fault {
    /// Returns whether an operation on a used connection certainly had no effect and can succeed on a new one.
    fn can_repeat(&self, is_read: bool) -> bool {
        is_read && !self.is_answered && self.error.kind() == ErrorKind::Unavailable
    }
}

/// Creates the error of a call that the settings do not allow.
pub(crate) fn undeclared() -> Error {
    Error::ours(ErrorKind::Unexpected, "the call is not declared")
}
