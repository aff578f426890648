//! A table in PostgreSQL.

use std::sync::Arc;

use idp_bridge_conformance::{Control, Harness, Need, NewUser, Setup, TestResult, UserKind, async_trait};
use idp_bridge_connector_sql::{MailConfig, Sql, SqlConfig};
use idp_bridge_core::{CallKind, Capabilities, Connector, CustomerId, Email, IdentityProvider, Secret, UserId};
use idp_bridge_test_http::{Server, answer};
use idp_bridge_test_postgres::PostgresServer;
use tokio_postgres::{Client, NoTls};

/// The table and the roles. The policy is the narrow right: it hides all users from roles without `bypassrls`.
const SCHEMA: &str = "
create table users (
    id uuid primary key default gen_random_uuid(),
    email text,
    email_verified boolean not null,
    blocked boolean not null,
    customers text[] not null,
    service_account boolean not null,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    last_login_at timestamptz,
    logins integer
);
create index on users (lower(email));
create index on users using gin (customers);
alter table users enable row level security;
create role bridge login password 'secret-of-bridge' bypassrls;
create role reader login password 'secret-of-reader' bypassrls;
create role narrow login password 'secret-of-narrow';
create role stranger login password 'secret-of-stranger';
grant select on users to bridge, reader, narrow;
grant delete, update (email_verified, updated_at) on users to bridge, narrow;
";

const SELECT: &str = "select id, customers as customer, email, email_verified, blocked, service_account,
    created_at as create_time, updated_at as update_time, last_login_at as login_time, logins as logins_count
    from users";

pub(crate) struct PostgresHarness {
    server: PostgresServer,
    admin: Client,
    mailer: Server,
}

impl PostgresHarness {
    pub(crate) async fn start() -> TestResult<Self> {
        let server = PostgresServer::start();
        server.execute("postgres", "create database app");
        server.execute("app", SCHEMA);
        let (admin, connection) = tokio_postgres::connect(&server.url(PostgresServer::ADMIN, "app"), NoTls).await?;
        tokio::spawn(connection);
        let mailer = Server::start(|_, webhook| match webhook.body.contains("\"email\":\"undeliverable") {
            true => answer(503, &[], ""),
            false => answer(204, &[], ""),
        });
        Ok(Self { server, admin, mailer: mailer.await })
    }

    fn config(&self, role: &str, database: &str) -> SqlConfig {
        let mut config = SqlConfig::new(self.server.url(role, database));
        config.password = Some(Secret::new(format!("secret-of-{role}")));
        // The suite makes many providers at the same time.
        config.connections = 4;
        let update = |verified: bool| {
            format!("update users set email_verified = {verified}, updated_at = clock_timestamp() where id = :id")
        };
        let statements = &mut config.statements;
        statements.get_by_id = Some(format!("{SELECT} where id = :id"));
        statements.get_by_email = Some(format!("{SELECT} where lower(email) = lower(:email) limit 10"));
        statements.get_by_customer = Some(format!("{SELECT} where customers @> array[:customer] limit 10"));
        statements.delete = Some("delete from users where id = :id".to_owned());
        statements.mark_email_verified = Some(format!("{} and lower(email) = lower(:email)", update(true)));
        statements.unmark_email_verified = Some(update(false));
        let mut mail = MailConfig::new(super::SIGNING_KEY);
        mail.url = Some(format!("{}/mails", self.mailer.base()));
        config.mail = Some(mail);
        config
    }
}

#[async_trait]
impl Harness for PostgresHarness {
    fn name(&self) -> &str {
        "sql (PostgreSQL)"
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Sql as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        let reason = match need {
            Need::ControlOf(
                Control::ReadOnlyRole,
                CallKind::SendVerificationEmail | CallKind::SendPasswordResetEmail,
            ) => "a mail is a webhook, which needs no right to write",
            need => super::not_applicable(need)?,
        };
        Some(reason.to_owned())
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        let config = match setup {
            Setup::Working => self.config("bridge", "app"),
            Setup::Broken(Control::WrongSecret) => {
                let mut config = self.config("bridge", "app");
                config.password = Some(Secret::new("wrong-password"));
                config
            }
            Setup::Broken(Control::WrongRealm) => self.config("bridge", "other"),
            Setup::Broken(Control::MissingRole) => self.config("stranger", "app"),
            Setup::Broken(Control::NarrowRole) => self.config("narrow", "app"),
            Setup::Broken(Control::ReadOnlyRole) => self.config("reader", "app"),
            other => return Err(other.unsupported()),
        };
        super::provider(config, None)
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        let customers: Vec<&str> = user.customers.iter().map(CustomerId::as_str).collect();
        let text = "insert into users (email, email_verified, blocked, customers, service_account)
            values ($1, $2, $3, $4, $5) returning id::text";
        let email = user.email.as_ref().map(Email::as_str);
        let is_robot = user.kind == UserKind::ServiceAccount;
        let row =
            self.admin.query_one(text, &[&email, &user.email_verified, &user.blocked, &customers, &is_robot]).await?;
        Ok(UserId::new(row.try_get::<_, String>(0)?)?)
    }

    async fn exists(&self, id: &UserId) -> TestResult<bool> {
        let rows = self.admin.query("select from users where id::text = $1", &[&id.as_str()]).await?;
        Ok(!rows.is_empty())
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        let text = "update users set email = $2, updated_at = clock_timestamp() where id::text = $1";
        let changed = self.admin.execute(text, &[&id.as_str(), &email.as_str()]).await?;
        if changed == 1 { Ok(()) } else { Err("there is no such user".into()) }
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        let body = format!("\"email\":\"{}\"", email.as_str());
        Ok(self.mailer.received().iter().filter(|webhook| webhook.body.contains(&body)).count())
    }
}
