//! The bridge's own users table in a SQLite file, for tenants without an identity provider: its schema and the import of users.
//!
//! The connector serves it with the preset `idp-bridge`.

mod import;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use idp_bridge_core::{Error, Result};
use rusqlite::{Connection, OpenFlags, Statement, Transaction, TransactionBehavior, params};

use crate::config::SqlConfig;
use crate::preset::Preset;
use crate::sqlite::errors;
use import::ImportedUser;

/// Marks a file as one of the bridge (`PRAGMA application_id`): `idpb`.
const APPLICATION: i32 = 0x6964_7062;

/// The current time.
const NOW: &str = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

/// The statements that lead from each version of the schema to the next one. Released ones never change.
const MIGRATIONS: &[&str] = &["
create table users (
    id text not null primary key,
    email text,
    customer text,
    email_verified integer not null default 0 check (email_verified in (0, 1)),
    blocked integer not null default 0 check (blocked in (0, 1)),
    service_account integer not null default 0 check (service_account in (0, 1)),
    create_time text,
    update_time text,
    login_time text,
    logins_count integer
) strict;
create index users_by_email on users (lower(email));
create index users_by_customer on users (customer);
"];

/// A users table of the bridge's own.
pub struct UserDatabase {
    connection: Connection,
}

impl UserDatabase {
    /// Opens a file, which is created if it is missing and belongs to its owner alone, and brings its schema up to date.
    ///
    /// Fails for a file of another program, and for one with the schema of a later version.
    pub fn open(path: &Path) -> Result<Self> {
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        if let Err(error) = created
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(Error::misconfigured(format!("`{}` cannot be created: {error}", path.display()))
                .with_hint("check the folder and its permissions"));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(errors::from_connection)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(errors::from_connection)?;
        migrate(&mut connection, MIGRATIONS)?;
        Ok(Self { connection })
    }

    /// Returns the settings of the connector for a file.
    pub fn settings(path: &Path) -> SqlConfig {
        let mut config = SqlConfig::new(format!("sqlite://{}", path.display()));
        config.preset = Some(Preset::IdpBridge);
        config
    }

    /// Imports users, and returns their number: all of them, or none if one cannot be imported.
    ///
    /// The text is a JSON list, or has one JSON object in each line. Its keys are the columns of the table; `id` is required, and the
    /// default of `create_time` is the current time. With `replace`, a user whose id exists is replaced. Otherwise that is an error.
    pub fn import(&mut self, text: &str, replace: bool) -> Result<usize> {
        let users = import::parse(text)?;
        let transaction = begin(&mut self.connection)?;
        {
            let mut insert = transaction.prepare(&insertion(replace)).map_err(errors::from_connection)?;
            for (place, user) in &users {
                insert_user(&mut insert, user).map_err(|error| refused(place, &error))?;
            }
        }
        transaction.commit().map_err(errors::from_connection)?;
        Ok(users.len())
    }
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(errors::from_connection)
}

/// Runs the migrations that a file lacks, in one transaction.
fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<()> {
    let transaction = begin(connection)?;
    let number = |pragma: &str| {
        transaction.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)).map_err(errors::from_connection)
    };
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = transaction
        .query_row("select count(*) from sqlite_schema", [], |row| row.get(0))
        .map_err(errors::from_connection)?;
    if application != APPLICATION && (tables > 0 || application != 0) {
        return Err(Error::misconfigured("the file is a database of another program")
            .with_hint("name a new file; a table of your own needs a configuration with `type = \"sql\"`"));
    }
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    let Some(missing) = migrations.get(done..) else {
        return Err(Error::misconfigured("the file was written by a later version of idp-bridge")
            .with_hint("use that version or a later one"));
    };
    for migration in missing {
        transaction.execute_batch(migration).map_err(errors::from_connection)?;
    }
    let version = i32::try_from(migrations.len()).unwrap_or(i32::MAX);
    transaction.pragma_update(None, "application_id", APPLICATION).map_err(errors::from_connection)?;
    transaction.pragma_update(None, "user_version", version).map_err(errors::from_connection)?;
    transaction.commit().map_err(errors::from_connection)
}

fn insertion(replace: bool) -> String {
    let verb = if replace { "insert or replace" } else { "insert" };
    format!(
        "{verb} into users (id, email, customer, email_verified, blocked, service_account, create_time, update_time,
             login_time, logins_count)
         values (?1, ?2, ?3, ?4, ?5, ?6, coalesce(?7, {NOW}), coalesce(?8, ?7, {NOW}), ?9, ?10)"
    )
}

fn insert_user(insert: &mut Statement<'_>, user: &ImportedUser) -> rusqlite::Result<usize> {
    let time = |time: &Option<jiff::Timestamp>| time.map(|time| time.to_string());
    insert.execute(params![
        user.id.as_str(),
        user.email.as_ref().map(|email| email.as_str()),
        user.customer.as_ref().map(|customer| customer.as_str()),
        user.email_verified,
        user.blocked,
        user.service_account,
        time(&user.create_time),
        time(&user.update_time),
        time(&user.login_time),
        user.logins_count,
    ])
}

/// Creates the error of a user that cannot be inserted.
fn refused(place: &str, error: &rusqlite::Error) -> Error {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) {
        return Error::misconfigured(format!("{place} has the id of another user; nothing was imported"))
            .with_hint("replace existing users with `--replace`");
    }
    Error::misconfigured(format!("{place} cannot be stored; nothing was imported"))
        .with_hint("check the space on the disk, and the permissions of the file and its folder")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    const ADA: &str =
        r#"{"id":"u-1","email":"ada@acme.example","customer":"c-1","create_time":"2026-01-02T03:04:05Z"}"#;

    fn folder() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.db");
        (folder, path)
    }

    fn count(database: &UserDatabase) -> i64 {
        database.connection.query_row("select count(*) from users", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn new_file_is_private_and_stays() {
        let (_folder, path) = folder();
        let mut database = UserDatabase::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(database.import(ADA, false).unwrap(), 1);
        drop(database);
        assert_eq!(count(&UserDatabase::open(&path).unwrap()), 1);
    }

    #[test]
    fn import_is_all_or_nothing() {
        let (_folder, path) = folder();
        let mut database = UserDatabase::open(&path).unwrap();
        let lines = format!("{ADA}\n\n{}\n", ADA.replace("u-1", "u-2"));
        assert_eq!(database.import(&lines, false).unwrap(), 2);
        let again = format!("[{},{ADA}]", ADA.replace("u-1", "u-3"));
        let error = database.import(&again, false).unwrap_err();
        assert!(error.to_string().contains("entry 2") && error.hint().unwrap().contains("--replace"), "{error}");
        assert_eq!(count(&database), 2, "the third user must not stay");
        assert_eq!(database.import(&again.replace("c-1", "c-9"), true).unwrap(), 2);
        assert_eq!(count(&database), 3);
    }

    #[test]
    fn other_files_are_refused() {
        let (folder, path) = folder();
        Connection::open(&path).unwrap().execute_batch("create table users (id)").unwrap();
        let error = UserDatabase::open(&path).err().unwrap();
        assert!(error.to_string().contains("another program"), "{error}");
        let text = folder.path().join("text");
        std::fs::write(&text, "this is a text, and not a database at all. ".repeat(40)).unwrap();
        assert!(UserDatabase::open(&text).is_err());
        assert!(UserDatabase::open(&folder.path().join("missing/users.db")).is_err());
    }

    #[test]
    fn failed_migration_changes_nothing() {
        let (_folder, path) = folder();
        drop(UserDatabase::open(&path).unwrap());
        let mut connection = Connection::open(&path).unwrap();
        let version = |connection: &Connection| {
            connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0)).unwrap()
        };
        let (good, bad) = ("alter table users add column more text;", "alter table other add column more text;");
        assert!(migrate(&mut connection, &[MIGRATIONS[0], good, bad]).is_err());
        assert_eq!(version(&connection), 1);
        migrate(&mut connection, &[MIGRATIONS[0], good]).unwrap();
        assert_eq!(version(&connection), 2);
        let error = UserDatabase::open(&path).err().unwrap();
        assert!(error.to_string().contains("a later version"), "{error}");
    }
}
