//! Tables in SQLite.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use idp_bridge_conformance::{Control, Harness, Need, NewUser, Setup, TestResult, UserKind, async_trait};
use idp_bridge_connector_sql::{EpochUnit, MailConfig, Sql, SqlConfig};
use idp_bridge_core::{Capabilities, Connector, Email, IdentityProvider, UserId};
use rusqlite::{Connection, params};
use tempfile::TempDir;

const SCHEMA: &str = "
pragma journal_mode = wal;
create table users (
    id text primary key,
    email text,
    email_verified integer not null,
    blocked integer not null,
    service_account integer not null,
    created_at integer not null,
    updated_at integer not null,
    last_login_at integer,
    logins integer
);
create table memberships (user_id text not null, customer text not null, primary key (user_id, customer));
create table outbox (kind text not null, user_id text not null, email text not null, token text not null);
create index by_email on users (lower(email));
create index by_customer on memberships (customer);
";

const SELECT: &str = "select u.id as id, m.customer as customer, email, email_verified, blocked, service_account,
    created_at as create_time, updated_at as update_time, last_login_at as login_time, logins as logins_count
    from users u left join memberships m on m.user_id = u.id";

/// The current time in milliseconds.
const NOW: &str = "cast((julianday('now') - 2440587.5) * 86400000 as integer)";

pub(crate) struct SqliteHarness {
    folder: TempDir,
    admin: Mutex<Connection>,
}

impl SqliteHarness {
    pub(crate) async fn start() -> TestResult<Self> {
        let folder = tempfile::tempdir()?;
        let admin = Connection::open(folder.path().join("users.db"))?;
        admin.execute_batch(SCHEMA)?;
        Ok(Self { folder, admin: Mutex::new(admin) })
    }

    fn config(&self, file: &str) -> SqlConfig {
        let path: PathBuf = self.folder.path().join(file);
        let mut config = SqlConfig::new(format!("sqlite://{}", path.display()));
        config.connections = 4;
        config.integer_times = Some(EpochUnit::Milliseconds);
        let update = |verified: bool| {
            format!(
                "update users set email_verified = {verified}, updated_at = max(updated_at + 1, {NOW}) where id = :id"
            )
        };
        let statements = &mut config.statements;
        statements.get_by_id = Some(format!("{SELECT} where u.id = :id"));
        statements.get_by_email = Some(format!("{SELECT} where lower(email) = lower(:email) limit 10"));
        statements.get_by_customer = Some(format!(
            "{SELECT} where u.id in (select user_id from memberships where customer = :customer) limit 10"
        ));
        statements.delete = Some("delete from users where id = :id".to_owned());
        statements.mark_email_verified = Some(format!("{} and lower(email) = lower(:email)", update(true)));
        statements.unmark_email_verified = Some(update(false));
        let mut mail = MailConfig::new(super::SIGNING_KEY);
        mail.outbox =
            Some("insert into outbox (kind, user_id, email, token) values (:kind, :id, :email, :token)".to_owned());
        config.mail = Some(mail);
        config
    }

    fn admin(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.admin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Harness for SqliteHarness {
    fn name(&self) -> &str {
        "sql (SQLite)"
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Sql as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        let reason = match need {
            Need::Control(Control::WrongRealm) => return None,
            Need::Control(_) => "a file has no users with passwords and rights; the system decides who may open it",
            Need::UndeliverableMail => "a mail is a row, which the tenant's own program sends later",
            need => super::not_applicable(need)?,
        };
        Some(reason.to_owned())
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        match setup {
            Setup::Working => super::provider(self.config("users.db")),
            Setup::Broken(Control::WrongRealm) => super::provider(self.config("other.db")),
            other => Err(other.unsupported()),
        }
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        let text = format!(
            "insert into users (id, email, email_verified, blocked, service_account, created_at, updated_at)
             values (lower(hex(randomblob(16))), ?1, ?2, ?3, ?4, {NOW}, {NOW}) returning id"
        );
        let is_robot = user.kind == UserKind::ServiceAccount;
        let email = user.email.as_ref().map(Email::as_str);
        let admin = self.admin();
        let values = params![email, user.email_verified, user.blocked, is_robot];
        let id: String = admin.query_row(&text, values, |row| row.get(0))?;
        for customer in &user.customers {
            admin.execute("insert into memberships values (?1, ?2)", params![id, customer.as_str()])?;
        }
        Ok(UserId::new(id)?)
    }

    async fn exists(&self, id: &UserId) -> TestResult<bool> {
        let text = "select exists (select 1 from users where id = ?1)";
        Ok(self.admin().query_row(text, [id.as_str()], |row| row.get(0))?)
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        let text = format!("update users set email = ?2, updated_at = max(updated_at + 1, {NOW}) where id = ?1");
        let changed = self.admin().execute(&text, [id.as_str(), email.as_str()])?;
        if changed == 1 { Ok(()) } else { Err("there is no such user".into()) }
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        let text = "select count(*) from outbox where lower(email) = lower(?1)";
        let count: i64 = self.admin().query_row(text, [email.as_str()], |row| row.get(0))?;
        Ok(usize::try_from(count)?)
    }
}
