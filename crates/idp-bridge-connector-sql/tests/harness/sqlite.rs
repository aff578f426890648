//! Tables in SQLite: those of an application with an outbox, and the bridge's own one with mails to a real mail server.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use idp_bridge_conformance::{Control, Harness, Need, NewUser, Setup, TestResult, UserKind, async_trait};
use idp_bridge_connector_sql::{EpochUnit, MailConfig, Sql, SqlConfig, UserDatabase};
use idp_bridge_core::{
    Capabilities, Connector, CustomerId, Email, IdentityProvider, Random as _, SystemRandom, UserId,
};
use idp_bridge_mailer::{SmtpConfig, SmtpTls};
use idp_bridge_test_smtp::{Security, SmtpServer};
use rusqlite::{Connection, params};
use serde_json::json;
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

/// The assignments with which a user changes, in the tables of the application and in the bridge's own one.
const TOUCH: &str = "updated_at = max(updated_at + 1, cast((julianday('now') - 2440587.5) * 86400000 as integer))";
const TOUCH_OWN: &str = "update_time = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

pub(crate) struct SqliteHarness {
    folder: TempDir,
    admin: Mutex<Connection>,
    own: Option<Own>,
}

/// The bridge's own table, and its mail server.
struct Own {
    database: Mutex<UserDatabase>,
    mails: SmtpServer,
}

impl SqliteHarness {
    pub(crate) async fn start() -> TestResult<Self> {
        let harness = Self::start_in(tempfile::tempdir()?, None)?;
        harness.admin().execute_batch(SCHEMA)?;
        Ok(harness)
    }

    pub(crate) async fn start_own() -> TestResult<Self> {
        let folder = tempfile::tempdir()?;
        let database = Mutex::new(UserDatabase::open(&folder.path().join("users.db"))?);
        Self::start_in(folder, Some(Own { database, mails: SmtpServer::start(Security::Plain) }))
    }

    fn start_in(folder: TempDir, own: Option<Own>) -> TestResult<Self> {
        let admin = Connection::open(folder.path().join("users.db"))?;
        admin.busy_timeout(Duration::from_secs(20))?;
        Ok(Self { folder, admin: Mutex::new(admin), own })
    }

    fn provider(&self, file: &str) -> TestResult<Arc<dyn IdentityProvider>> {
        match &self.own {
            Some(own) => super::provider(self.own_config(file, own), Some("https://bridge.example")),
            None => super::provider(self.config(file), None),
        }
    }

    fn own_config(&self, file: &str, own: &Own) -> SqlConfig {
        let mut smtp = SmtpConfig::new("localhost", "Acme <no-reply@acme.example>");
        (smtp.port, smtp.tls) = (Some(own.mails.port()), SmtpTls::None);
        smtp.reset_url = Some("https://app.acme.example/reset".to_owned());
        let mut mail = MailConfig::new(super::SIGNING_KEY);
        mail.smtp = Some(smtp);
        let mut config = UserDatabase::settings(&self.folder.path().join(file));
        config.mail = Some(mail);
        config
    }

    fn config(&self, file: &str) -> SqlConfig {
        let path: PathBuf = self.folder.path().join(file);
        let mut config = SqlConfig::new(format!("sqlite://{}", path.display()));
        config.connections = 4;
        config.integer_times = Some(EpochUnit::Milliseconds);
        let update = |verified: bool| format!("update users set email_verified = {verified}, {TOUCH} where id = :id");
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

    fn create_own(&self, user: &NewUser, own: &Own) -> TestResult<UserId> {
        let id = UserId::new(SystemRandom.word()?)?;
        let imported = json!({
            "id": id.as_str(),
            "email": user.email.as_ref().map(Email::as_str),
            "customer": user.customers.first().map(CustomerId::as_str),
            "email_verified": user.email_verified,
            "blocked": user.blocked,
            "service_account": user.kind == UserKind::ServiceAccount,
        });
        let mut database = own.database.lock().unwrap_or_else(PoisonError::into_inner);
        database.import(&imported.to_string(), false)?;
        Ok(id)
    }

    fn admin(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.admin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Harness for SqliteHarness {
    fn name(&self) -> &str {
        if self.own.is_some() { "sql (`serve --sqlite`, SMTP)" } else { "sql (SQLite)" }
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Sql as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        let reason = match need {
            Need::Control(Control::WrongRealm) => return None,
            Need::Control(_) => "a file has no users with passwords and rights; the system decides who may open it",
            Need::UndeliverableMail if self.own.is_none() => {
                "a mail is a row, which the tenant's own program sends later"
            }
            Need::SeveralCustomers if self.own.is_some() => "a user of the table has one customer",
            Need::UnacceptedMail(_) if self.own.is_some() => "a mail server says by its code whether it accepts a mail",
            need => super::not_applicable(need)?,
        };
        Some(reason.to_owned())
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        match setup {
            Setup::Working => self.provider("users.db"),
            Setup::Broken(Control::WrongRealm) => self.provider("other.db"),
            other => Err(other.unsupported()),
        }
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        if let Some(own) = &self.own {
            return self.create_own(&user, own);
        }
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
        let touch = if self.own.is_some() { TOUCH_OWN } else { TOUCH };
        let text = format!("update users set email = ?2, {touch} where id = ?1");
        let changed = self.admin().execute(&text, [id.as_str(), email.as_str()])?;
        if changed == 1 { Ok(()) } else { Err("there is no such user".into()) }
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        if let Some(own) = &self.own {
            let recipient = format!("X-RcptTo: {}\r\n", email.as_str()).to_lowercase();
            return Ok(own.mails.mails().iter().filter(|mail| mail.to_lowercase().contains(&recipient)).count());
        }
        let text = "select count(*) from outbox where lower(email) = lower(?1)";
        let count: i64 = self.admin().query_row(text, [email.as_str()], |row| row.get(0))?;
        Ok(usize::try_from(count)?)
    }
}
