//! A SQLite file that is locked, missing, no database or read-only.

use std::time::Duration;

use idp_bridge_connector_sql::SqlConfig;
use idp_bridge_core::{AttemptResult, Deleted, ErrorKind, UserId, UserKey, Verdict};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{ada, ample, counted_provider, provider, read, scope, short};

const SCHEMA: &str = "
create table users (id integer primary key, name text, email text, customer text, email_verified integer not null default 0);
insert into users (id, name, email, customer) values (1, 'u-1', 'ada@acme.example', 'c-1'), (2, 'u-2', 'grace@acme.example', 'c-2');
";

/// A folder with a database.
struct File {
    folder: TempDir,
    admin: Connection,
}

impl File {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let admin = Connection::open(folder.path().join("users.db")).unwrap();
        admin.execute_batch(SCHEMA).unwrap();
        Self { folder, admin }
    }

    fn config(&self, key: &str) -> SqlConfig {
        let mut config = SqlConfig::new(format!("sqlite://{}", self.folder.path().join("users.db").display()));
        let select = format!("select {key} as id, email, customer, email_verified from users");
        config.statements.get_by_id = Some(format!("{select} where {key} = :id"));
        config.statements.get_by_customer = Some(format!("{select} where customer = :customer"));
        config.statements.delete = Some(format!("delete from users where {key} = :id"));
        config.statements.mark_email_verified =
            Some(format!("update users set email_verified = 1 where {key} = :id and email = :email"));
        config
    }
}

#[tokio::test]
async fn locked_file_delays_writes_but_no_reads() {
    let file = File::new();
    let provider = provider(file.config("name"));
    assert!(read(&*provider).await.is_ok());
    file.admin.execute_batch("begin immediate; update users set customer = 'c-9'").unwrap();
    assert!(read(&*provider).await.is_ok());
    let error = short(async |scope| provider.delete(&scope, &ada()).await).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    file.admin.execute_batch("rollback").unwrap();
    assert_eq!(provider.delete(&ample(), &ada()).await.unwrap(), Deleted::Existed);
}

#[tokio::test]
async fn endless_statement_is_interrupted() {
    let file = File::new();
    let mut config = file.config("name");
    config.connections = 1;
    config.statements.get_by_customer = Some(
        "with recursive n(i) as (select 1 union all select i + 1 from n) \
         select name as id, email, customer, email_verified from users where customer = :customer \
         and (select max(i) from n) > 0"
            .to_owned(),
    );
    let (provider, counters) = counted_provider(config);
    let customer = idp_bridge_core::CustomerId::new("c-1").unwrap();
    let error = short(async |scope| provider.get(&scope, UserKey::Customer(&customer)).await).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    assert!(read(&*provider).await.is_ok());
    let error = provider.get(&scope(Duration::ZERO), UserKey::Id(&ada())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    assert_eq!((counters.requests(), counters.attempts(AttemptResult::Abandoned)), (2, 1), "none after the deadline");
}

#[tokio::test]
async fn integer_keys_have_one_spelling() {
    let file = File::new();
    let provider = provider(file.config("id"));
    let id = UserId::new("1").unwrap();
    assert_eq!(provider.get(&ample(), UserKey::Id(&id)).await.unwrap().id, id);
    for spelling in ["01", " 1", "1 ", "+1", "1.0", "1e0", "' or 1=1", "0x1"] {
        let id = UserId::new(spelling).unwrap();
        let error = provider.get(&ample(), UserKey::Id(&id)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{spelling}: {error:?}");
        assert_eq!(provider.delete(&ample(), &id).await.unwrap(), Deleted::Absent, "{spelling}");
    }
}

#[tokio::test]
async fn writes_of_several_rows_are_rolled_back() {
    let file = File::new();
    let mut config = file.config("name");
    config.statements.delete = Some("delete from users where name >= :id".to_owned());
    let error = provider(config).delete(&ample(), &ada()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error:?}");
    let left: i64 = file.admin.query_row("select count(*) from users", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 2);
}

#[tokio::test]
async fn wrong_files_are_misconfigured() {
    let file = File::new();
    let path = file.folder.path().join("other.db");
    let other = || {
        let mut config = file.config("name");
        config.url = idp_bridge_core::Secret::new(format!("sqlite://{}", path.display()));
        provider(config)
    };
    for contents in [None, Some("this is a text, and not a database at all. ".repeat(40))] {
        if let Some(contents) = contents {
            std::fs::write(&path, contents).unwrap();
        }
        let (provider, existed) = (other(), path.exists());
        let error = read(&*provider).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error:?}");
        assert_eq!(provider.diagnose(&ample()).await[0].verdict, Verdict::Failed);
        assert_eq!(path.exists(), existed, "a missing file must not be created");
    }
}

#[tokio::test]
async fn misfits_are_found_by_doctor_and_call() {
    let file = File::new();
    let mut config = file.config("name");
    config.statements.delete = Some("delete from people where id = :id".to_owned());
    let provider = provider(config);
    let findings = provider.diagnose(&ample()).await;
    let failed: Vec<_> = findings.iter().filter(|finding| finding.verdict == Verdict::Failed).collect();
    assert!(failed.len() == 1 && failed[0].detail.as_deref().unwrap().contains("people"), "{findings:?}");
    let error = provider.delete(&scope(Duration::from_secs(5)), &ada()).await.unwrap_err();
    assert_eq!((error.kind(), error.context("statement")), (ErrorKind::Misconfigured, Some("delete")));
}
