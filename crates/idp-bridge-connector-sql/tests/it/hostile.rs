//! Values that try to become a part of a statement, and statements that reach too far.

use idp_bridge_core::{CustomerId, Deleted, Email, ErrorKind, UserId, UserKey};

use crate::support::{Database, ada, ample, provider, read};

const HOSTILE: [&str; 12] = [
    "' or '1'='1",
    "u-1'; drop table users; --",
    "u-1' --",
    "\\'; drop table users; --",
    "$1",
    ":id",
    "u-1\"",
    "%",
    "u-1/**/",
    "$$u-1$$",
    "ｕ-1",
    "u-1\u{202e}",
];

#[tokio::test]
async fn hostile_values_are_stored_and_found() {
    let database = Database::new("");
    for (number, text) in HOSTILE.into_iter().enumerate() {
        let quoted = text.replace('\'', "''");
        database.execute(&format!("insert into users values ('{quoted}', '{quoted}@{number}.example', '{quoted}')"));
    }
    let provider = provider(database.config());
    for (number, text) in HOSTILE.into_iter().enumerate() {
        let (id, customer) = (UserId::new(text).unwrap(), CustomerId::new(text).unwrap());
        let email = Email::new(format!("{text}@{number}.example")).unwrap();
        for key in [UserKey::Id(&id), UserKey::Customer(&customer), UserKey::Email(&email)] {
            assert_eq!(provider.get(&ample(), key).await.unwrap().id, id, "{text}");
        }
        provider.mark_email_verified(&ample(), &id, Some(&email)).await.unwrap();
        assert_eq!(provider.delete(&ample(), &id).await.unwrap(), Deleted::Existed);
    }
    assert_eq!(read(&*provider).await.unwrap().email_verified, Some(false));
}

#[tokio::test]
async fn write_of_several_rows_is_rolled_back() {
    let database = Database::new("");
    let mut config = database.config();
    config.statements.delete = Some("delete from users where id like left(:id, 2) || '%'".to_owned());
    let provider = provider(config);
    let scope = ample();
    let error = provider.delete(&scope, &ada()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("`delete` would change more than one row"), "{error}");
    assert_eq!(scope.recorder().outcome(), idp_bridge_core::Outcome::NotApplied);
    assert_eq!(database.execute("select count(*) from users"), "2");
}

#[tokio::test]
async fn read_that_writes_is_refused() {
    let change = "create function touch() returns boolean language sql as \
                  'update users set email_verified = true returning true';";
    let database = Database::new(change);
    let mut config = database.config();
    config.statements.get_by_id =
        Some("select id, email, customer, touch() as email_verified from users where id = :id".to_owned());
    let error = read(&*provider(config)).await.unwrap_err();
    assert_eq!((error.kind(), error.context("sqlstate")), (ErrorKind::Misconfigured, Some("25006")), "{error:?}");
    let mut config = database.config();
    config.statements.get_by_id = Some(
        "with gone as (delete from users returning *) \
         select id, email, customer, email_verified from gone where id = :id"
            .to_owned(),
    );
    let error = read(&*provider(config)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error:?}");
    assert_eq!(database.execute("select count(*) from users where not email_verified"), "2");
}

#[tokio::test]
async fn statement_that_returns_others_is_refused() {
    let database = Database::new("");
    let mut config = database.config();
    config.statements.get_by_id =
        Some("select id, email, customer, email_verified from users where id <> :id".to_owned());
    let error = read(&*provider(config)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error:?}");
    database.execute("insert into users select 'x-' || n, null, 'c-1' from generate_series(1, 200) n");
    let customer = CustomerId::new("c-1").unwrap();
    let mut config = database.config();
    config.statements.get_by_customer =
        Some("select id, email, customer, email_verified from users where customer = :customer".to_owned());
    let error = provider(config).get(&ample(), UserKey::Customer(&customer)).await.unwrap_err();
    assert!(error.to_string().contains("more than 100 rows"), "{error}");
}

#[tokio::test]
async fn typed_ids_have_one_spelling() {
    let database = Database::new(
        "create table numbers (id bigint, ref uuid, name text);
         insert into numbers values (7, '0f8fad5b-d9cb-469f-a165-70867728950e', 'x'); grant select on numbers to bridge;",
    );
    for (column, found, spellings) in [
        ("id", "7", &["07", " 7", "+7", "7.0", "99999999999999999999", "' or 1=1"][..]),
        (
            "ref",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            &["0F8FAD5B-D9CB-469F-A165-70867728950E", "{0f8fad5b-d9cb-469f-a165-70867728950e}", "x"],
        ),
    ] {
        let mut config = database.config();
        config.statements = idp_bridge_connector_sql::Statements {
            get_by_id: Some(format!("select {column} as id from numbers where {column} = :id")),
            ..Default::default()
        };
        let provider = provider(config);
        let id = UserId::new(found).unwrap();
        assert_eq!(provider.get(&ample(), UserKey::Id(&id)).await.unwrap().id, id);
        for spelling in spellings {
            let id = UserId::new(*spelling).unwrap();
            let error = provider.get(&ample(), UserKey::Id(&id)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{spelling}: {error:?}");
        }
    }
}
