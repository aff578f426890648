//! A database for each test, on one server.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use idp_bridge_connector_sql::{Sql, SqlConfig};
use idp_bridge_core::{
    CallScope, Connector as _, ConnectorContext, Error, IdentityProvider, Result, Secret, TenantId, UpstreamCounters,
    UserId, UserKey, UserRecord,
};
use idp_bridge_test_postgres::PostgresServer;

/// The server of all tests that leave it alone. It ends with the process.
static SERVER: LazyLock<PostgresServer> = LazyLock::new(PostgresServer::start);

/// The password of the role `bridge`.
pub(crate) const PASSWORD: &str = "secret-of-bridge";

const SCHEMA: &str = "
create table users (id text primary key, email text, customer text, email_verified boolean not null default false);
insert into users values ('u-1', 'ada@acme.example', 'c-1'), ('u-2', 'grace@acme.example', 'c-2');
grant select, update, delete on users to bridge;
";

/// A database with the table `users` and two users.
pub(crate) struct Database {
    name: String,
    server: &'static PostgresServer,
}

impl Database {
    /// Creates a database on the shared server, and changes it with these statements.
    pub(crate) fn new(statements: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("app{}", MADE.fetch_add(1, Relaxed));
        prepare(&SERVER, &name);
        SERVER.execute(&name, statements);
        Self { name, server: &SERVER }
    }

    /// Returns settings for all calls of the table.
    pub(crate) fn config(&self) -> SqlConfig {
        config(self.server, &self.name)
    }

    /// Runs statements as the administrator.
    pub(crate) fn execute(&self, statements: &str) -> String {
        self.server.execute(&self.name, statements)
    }
}

/// Creates the role and a database with the table on a server.
pub(crate) fn prepare(server: &PostgresServer, name: &str) {
    let role = format!(
        "do $$ begin perform pg_advisory_xact_lock(1); if not exists (select from pg_roles where rolname = 'bridge') then \
         create role bridge login password '{PASSWORD}'; end if; end $$;"
    );
    server.execute("postgres", &role);
    server.execute("postgres", &format!("create database {name}"));
    server.execute(name, SCHEMA);
}

/// Returns settings for all calls of the table.
pub(crate) fn config(server: &PostgresServer, name: &str) -> SqlConfig {
    let mut config = SqlConfig::new(server.url("bridge", name));
    config.password = Some(Secret::new(PASSWORD));
    let select = "select id, email, customer, email_verified from users";
    config.statements.get_by_id = Some(format!("{select} where id = :id"));
    config.statements.get_by_email = Some(format!("{select} where lower(email) = lower(:email) limit 2"));
    config.statements.get_by_customer = Some(format!("{select} where customer = :customer limit 2"));
    config.statements.delete = Some("delete from users where id = :id".to_owned());
    config.statements.mark_email_verified =
        Some("update users set email_verified = true where id = :id and lower(email) = lower(:email)".to_owned());
    config
}

/// Builds a provider.
pub(crate) fn provider(config: SqlConfig) -> Arc<dyn IdentityProvider> {
    Arc::new(try_provider(config).unwrap())
}

/// Builds a provider, and returns its counters, too.
pub(crate) fn counted_provider(config: SqlConfig) -> (Arc<dyn IdentityProvider>, UpstreamCounters) {
    let context = ConnectorContext::new(TenantId::new("acme").unwrap());
    (Arc::new(Sql::build(config, &context).unwrap()), context.outbound.counters)
}

/// Builds a provider, or returns why its settings are refused.
pub(crate) fn try_provider(config: SqlConfig) -> Result<impl IdentityProvider> {
    Sql::build(config, &ConnectorContext::new(TenantId::new("acme").unwrap()))
}

/// Returns a scope with ample time.
pub(crate) fn ample() -> CallScope {
    scope(Duration::from_secs(20))
}

/// Returns a scope with this timeout.
pub(crate) fn scope(timeout: Duration) -> CallScope {
    CallScope::new("test", timeout)
}

/// Returns the id `u-1`.
pub(crate) fn ada() -> UserId {
    UserId::new("u-1").unwrap()
}

/// Reads `u-1`.
pub(crate) async fn read(provider: &dyn IdentityProvider) -> Result<UserRecord> {
    provider.get(&ample(), UserKey::Id(&ada())).await
}

/// Runs a call with a short deadline, and checks that it ends by then.
pub(crate) async fn short<T>(call: impl AsyncFnOnce(CallScope) -> Result<T>) -> Error {
    let timeout = Duration::from_millis(400);
    let ended = tokio::time::timeout(timeout + Duration::from_secs(1), call(scope(timeout))).await;
    ended.expect("the call should end by its deadline").err().expect("the call should fail")
}

/// Waits for a condition.
pub(crate) async fn wait_until<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    let wait = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the condition should come true");
}
