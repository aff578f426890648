//! Mails as webhooks and as rows of an outbox.

use idp_bridge_connector_sql::{MailConfig, SqlConfig};
use idp_bridge_core::{Email, ErrorKind, Outcome, Verdict};

use crate::support::{Database, ada, ample, provider, try_provider};

/// A key for the tests alone.
const KEY: &str = "whsec_Q29uZm9ybWFuY2Ugb2YgbWFpbHMgaW4gdGVzdHM=";

fn with_mail(database: &Database, mail: MailConfig) -> SqlConfig {
    let mut config = database.config();
    config.mail = Some(mail);
    config
}

fn with_mailer(database: &Database, url: &str) -> SqlConfig {
    let mut mail = MailConfig::new(KEY);
    mail.url = Some(url.to_owned());
    with_mail(database, mail)
}

fn with_outbox(database: &Database, statement: &str) -> SqlConfig {
    let mut mail = MailConfig::new(KEY);
    mail.outbox = Some(statement.to_owned());
    with_mail(database, mail)
}

#[tokio::test]
async fn outbox_gets_one_row_for_each_mail() {
    let insert = "insert into outbox (kind, user_id, email, token) values (:kind, :id, :email, :token)";
    let database = Database::new("create table outbox (kind text, user_id text, email text, token text);");
    let provider = provider(with_outbox(&database, insert));
    let scope = ample();
    let error = provider.send_verification_email(&scope, &ada()).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::PermissionDenied, Outcome::NotApplied));
    let findings = provider.diagnose(&ample()).await;
    assert!(findings.iter().any(|finding| finding.check.contains("`outbox`") && finding.verdict == Verdict::Failed));
    database.execute("grant insert on outbox to bridge");
    provider.send_verification_email(&ample(), &ada()).await.unwrap();
    provider.send_password_reset_email(&ample(), &Email::new("ada@acme.example").unwrap()).await.unwrap();
    let rows = database.execute("select kind, user_id, email, token like 'mail\\_%' from outbox order by kind");
    assert_eq!(rows, "password_reset|u-1|ada@acme.example|t\nverification|u-1|ada@acme.example|t");
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let database = Database::new("");
    let both = {
        let mut config = with_mailer(&database, "http://localhost:1");
        config.mail.as_mut().unwrap().outbox = Some("insert into outbox values (:token)".to_owned());
        config
    };
    let neither = with_mail(&database, MailConfig::new(KEY));
    let weak = {
        let mut config = with_mailer(&database, "http://localhost:1");
        config.mail.as_mut().unwrap().signing_key = idp_bridge_core::Secret::new("hunter2");
        config
    };
    for (config, part) in [
        (both, "one of `url`, `smtp` and `outbox`"),
        (neither, "one of `url`, `smtp` and `outbox`"),
        (weak, "`mail.signing_key` is not a key"),
        (with_mailer(&database, "http://mailer.acme.example"), "http"),
        (with_outbox(&database, "insert into outbox values (:customer, :token)"), "`:customer`"),
        (with_outbox(&database, "insert into outbox values (:email)"), "lacks the parameter `:token`"),
    ] {
        let error = try_provider(config).err().unwrap();
        assert!(error.to_string().contains(part) && !format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
