//! A users table in PostgreSQL and an OpenLDAP directory, which are real servers, and an OpenID Provider.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use idp_bridge_conformance::{Harness, Need, NewUser, Setup, TestResult, async_trait};
use idp_bridge_connector_ldap::Ldap;
use idp_bridge_connector_oidc_testing::harness::OidcHarness;
use idp_bridge_connector_sql::Sql;
use idp_bridge_core::{Capabilities, Connector as _, IdentityProvider, Secret, UserId};
use idp_bridge_test_postgres::PostgresServer;
use idp_bridge_test_slapd::SlapdServer;

use crate::home::{Home, tap};

const DATABASE: &str = "
create role bridge login password 'secret-of-bridge';
create database app;
";

const TABLE: &str = "
create table users (id text primary key, email text, customer text, email_verified boolean not null default false);
grant select, update, delete on users to bridge;
";

const STATEMENTS: &str = r#"
password = "secret-of-bridge"
statements.get_by_id = "select id, email, customer, email_verified from users where id = :id"
statements.get_by_email = "select id, email, customer, email_verified from users where lower(email) = lower(:email) limit 2"
statements.get_by_customer = "select id, email, customer, email_verified from users where customer = :customer limit 2"
statements.delete = "delete from users where id = :id"
statements.mark_email_verified = "update users set email_verified = true where id = :id and lower(email) = lower(:email)"
"#;

const DIRECTORY: &str = r#"
preset = "openldap"
start_tls = false
bind_dn = "cn=bridge,dc=acme,dc=example"
password = "secret-of-bridge"
base_dn = "ou=people,dc=acme,dc=example"
attributes.customer = "customerId"
attributes.email_verified = "emailVerified"
"#;

/// A server that is no HTTP server. Clones share it.
#[derive(Clone)]
pub(crate) enum Server {
    Postgres(Arc<Mutex<PostgresServer>>),
    Slapd(Arc<Mutex<SlapdServer>>),
}

impl Server {
    /// Starts a tenant with a users table, and one with a directory.
    pub(crate) async fn start_all() -> TestResult<Vec<(Home, Self)>> {
        let postgres = PostgresServer::start();
        postgres.execute("postgres", DATABASE);
        postgres.execute("app", TABLE);
        let slapd = SlapdServer::start("", SlapdServer::RIGHTS, &["bridge"]);
        let (postgres, slapd) =
            (Self::Postgres(Arc::new(Mutex::new(postgres))), Self::Slapd(Arc::new(Mutex::new(slapd))));
        Ok(vec![postgres.into_home().await?, slapd.into_home().await?])
    }

    async fn into_home(self) -> TestResult<(Home, Self)> {
        let tap = tap(&self.upstream().await?);
        let address = tap.url()["http://".len()..].to_owned();
        let (name, settings) = match &self {
            Self::Postgres(_) => ("sql", format!("url = \"postgres://bridge@{address}/app\"{STATEMENTS}")),
            Self::Slapd(_) => ("ldap", format!("url = \"ldap://{address}\"{DIRECTORY}")),
        };
        let home = Home::new(name, tap, (settings, Vec::new()), Box::new(self.clone())).await?;
        Ok((home, self))
    }

    /// Stops the process, with its connections open.
    pub(crate) fn pause(&self) {
        match self {
            Self::Postgres(server) => server.lock().unwrap().pause(),
            Self::Slapd(server) => server.lock().unwrap().pause(),
        }
    }

    /// Kills the process.
    pub(crate) fn kill(&self) {
        match self {
            Self::Postgres(server) => server.lock().unwrap().kill(),
            Self::Slapd(server) => server.lock().unwrap().kill(),
        }
    }

    /// Continues or starts the process.
    pub(crate) fn resume(&self, is_killed: bool) {
        match (self, is_killed) {
            (Self::Postgres(server), false) => server.lock().unwrap().resume(),
            (Self::Postgres(server), true) => server.lock().unwrap().restart(),
            (Self::Slapd(server), false) => server.lock().unwrap().resume(),
            (Self::Slapd(server), true) => server.lock().unwrap().restart(),
        }
    }
}

#[async_trait]
impl Harness for Server {
    fn name(&self) -> &str {
        match self {
            Self::Postgres(_) => "sql",
            Self::Slapd(_) => "ldap",
        }
    }

    fn connector_capabilities(&self) -> Capabilities {
        match self {
            Self::Postgres(_) => Sql::capabilities(),
            Self::Slapd(_) => Ldap::capabilities(),
        }
    }

    fn not_applicable(&self, _: Need) -> Option<String> {
        None
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        Err(setup.unsupported())
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        static CREATED: AtomicUsize = AtomicUsize::new(0);
        let uid = format!("u{}", CREATED.fetch_add(1, SeqCst));
        let (email, customer) = (user.email.unwrap(), user.customers.into_iter().next().unwrap());
        let (email, customer) = (email.as_str(), customer.as_str());
        Ok(UserId::new(match self {
            Self::Postgres(server) => {
                let insert = format!("insert into users values ('{uid}', '{email}', '{customer}')");
                server.lock().unwrap().execute("app", &insert);
                uid
            }
            Self::Slapd(server) => server.lock().unwrap().add_user(&uid, email, customer),
        })?)
    }

    async fn upstream(&self) -> TestResult<String> {
        let port = match self {
            Self::Postgres(server) => server.lock().unwrap().port(),
            Self::Slapd(server) => server.lock().unwrap().port(),
        };
        Ok(format!("http://127.0.0.1:{port}"))
    }
}

/// Starts a tenant of an OpenID Provider, which has users only by their tokens.
pub(crate) async fn start_oidc() -> TestResult<Home> {
    let oidc = OidcHarness::start().await?;
    let tap = tap(&oidc.upstream().await?);
    let config = oidc.config();
    let settings = format!(
        "issuer = \"{}\"\nproxy = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\nsession_claim = \"sid\"\n",
        config.issuer,
        tap.url(),
        config.client_id.unwrap(),
        config.client_secret.as_ref().map(Secret::expose).unwrap()
    );
    let clients = OidcHarness::settings().clients;
    Home::new("oidc", tap, (settings, clients), Box::new(oidc)).await
}
