//! The bridge's own users table, with mails to a real mail server.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use idp_bridge_conformance::{Control, Harness, Need, NewUser, Setup, TestResult, UserKind, async_trait};
use idp_bridge_connector_sql::{MailConfig, Sql, SqlConfig, UserDatabase};
use idp_bridge_core::{
    Capabilities, Connector, ConnectorContext, CustomerId, Email, IdentityProvider, Random as _, SystemRandom,
    TenantId, UserId,
};
use idp_bridge_mailer::{SmtpConfig, SmtpTls};
use idp_bridge_test_smtp::{Security, SmtpServer};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

pub(crate) struct UserDatabaseHarness {
    folder: TempDir,
    database: Mutex<UserDatabase>,
    mails: SmtpServer,
}

impl UserDatabaseHarness {
    pub(crate) async fn start() -> TestResult<Self> {
        let folder = tempfile::tempdir()?;
        let database = Mutex::new(UserDatabase::open(&folder.path().join("users.db"))?);
        Ok(Self { folder, database, mails: SmtpServer::start(Security::Plain) })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn config(&self, file: &str) -> SqlConfig {
        let mut smtp = SmtpConfig::new("localhost", "Acme <no-reply@acme.example>");
        (smtp.port, smtp.tls) = (Some(self.mails.port()), SmtpTls::None);
        smtp.reset_url = Some("https://app.acme.example/reset".to_owned());
        let mut mail = MailConfig::new(super::SIGNING_KEY);
        mail.smtp = Some(smtp);
        let mut config = UserDatabase::settings(&self.path(file));
        config.mail = Some(mail);
        config
    }

    fn provider(&self, file: &str) -> TestResult<Arc<dyn IdentityProvider>> {
        let mut context = ConnectorContext::new(TenantId::new("conformance")?);
        context.public_url = Some("https://bridge.example".to_owned());
        Ok(Arc::new(Sql::build(self.config(file), &context)?))
    }
}

#[async_trait]
impl Harness for UserDatabaseHarness {
    fn name(&self) -> &str {
        "sql (`serve --sqlite`, SMTP)"
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Sql as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        let reason = match need {
            Need::Control(Control::WrongRealm) => return None,
            Need::Control(_) => "a file has no users with passwords and rights; the system decides who may open it",
            Need::SeveralCustomers => "a user of the table has one customer",
            Need::UnacceptedMail(_) => "a mail server says by its code whether it accepts a mail",
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
        let id = UserId::new(SystemRandom.word()?)?;
        let imported = json!({
            "id": id.as_str(),
            "email": user.email.as_ref().map(Email::as_str),
            "customer": user.customers.first().map(CustomerId::as_str),
            "email_verified": user.email_verified,
            "blocked": user.blocked,
            "service_account": user.kind == UserKind::ServiceAccount,
        });
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        database.import(&imported.to_string(), false)?;
        Ok(id)
    }

    async fn exists(&self, id: &UserId) -> TestResult<bool> {
        let admin = Connection::open(self.path("users.db"))?;
        let text = "select exists (select 1 from users where id = ?1)";
        Ok(admin.query_row(text, [id.as_str()], |row| row.get(0))?)
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        let admin = Connection::open(self.path("users.db"))?;
        admin.busy_timeout(std::time::Duration::from_secs(20))?;
        let now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";
        let text = format!("update users set email = ?2, update_time = {now} where id = ?1");
        let changed = admin.execute(&text, [id.as_str(), email.as_str()])?;
        if changed == 1 { Ok(()) } else { Err("there is no such user".into()) }
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        let recipient = format!("X-RcptTo: {}\r\n", email.as_str()).to_lowercase();
        Ok(self.mails.mails().iter().filter(|mail| mail.to_lowercase().contains(&recipient)).count())
    }
}
