//! The findings of `doctor` for wrong statements, and the errors of calls with them.

use idp_bridge_core::{CallKind, ErrorKind, Verdict};

use crate::support::{Database, provider, read};

/// Returns the detail and the fix of the finding about a statement.
async fn diagnose(
    database: &Database,
    name: &str,
    change: impl FnOnce(&mut idp_bridge_connector_sql::SqlConfig),
) -> (Verdict, String) {
    let mut config = database.config();
    change(&mut config);
    let findings = provider(config).diagnose(&crate::support::ample()).await;
    assert_eq!(findings[0].verdict, Verdict::Ok, "{findings:?}");
    let finding = findings.iter().find(|finding| finding.check.contains(&format!("`{name}`"))).unwrap();
    let texts = [finding.detail.clone(), finding.fix.clone()].into_iter().flatten().collect::<Vec<_>>();
    (finding.verdict, texts.join("; "))
}

#[tokio::test]
async fn healthy_statements_name_their_calls() {
    let database = Database::new("");
    let findings = provider(database.config()).diagnose(&crate::support::ample()).await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:?}");
    assert!(findings[0].detail.as_deref().unwrap().starts_with("PostgreSQL "), "{findings:?}");
    assert_eq!(findings[1].calls, [CallKind::GetById, CallKind::Delete, CallKind::MarkEmailVerified]);
    assert_eq!(database.execute("select count(*) from users where not email_verified"), "2");
}

#[tokio::test]
async fn misfits_are_named_with_column_and_hint() {
    let database = Database::new("alter table users add price numeric, add born date;");
    let get = |text: &'static str| {
        move |config: &mut idp_bridge_connector_sql::SqlConfig| {
            config.statements =
                idp_bridge_connector_sql::Statements { get_by_id: Some(text.to_owned()), ..Default::default() };
        }
    };
    for (text, parts) in [
        ("select id from user_table where id = :id", ["42P01", "user_table"]),
        ("select id, emial as email from users where id = :id", ["42703", "emial"]),
        ("select id from users where id = (:id", ["42601", "get_by_id"]),
        ("select id from users where price = :id", ["`:id`", "numeric"]),
        ("select id, price as logins_count from users where id = :id", ["`logins_count`", "cast(… as bigint)"]),
        ("select id, born as create_time from users where id = :id", ["`create_time`", "timestamptz"]),
        ("select id, email, customer as org from users where id = :id", ["`org`", "unknown"]),
        ("select id from users where id = :id and email is not null", ["names `email`", "returns no such column"]),
        ("select id, 7 as update_time from users where id = :id", ["`update_time`", "integer_times"]),
    ] {
        let (verdict, said) = diagnose(&database, "get_by_id", get(text)).await;
        assert_eq!(verdict, Verdict::Failed, "{text}");
        assert!(parts.iter().all(|part| said.contains(part)), "{text}: {said}");
    }
}

#[tokio::test]
async fn missing_right_fails_its_statement_alone() {
    let database = Database::new("revoke delete on users from bridge;");
    let (verdict, said) = diagnose(&database, "delete", |_| {}).await;
    assert_eq!(verdict, Verdict::Failed);
    assert!(said.contains("42501") && said.contains("`DELETE`"), "{said}");
    assert_eq!(diagnose(&database, "mark_email_verified", |_| {}).await.0, Verdict::Ok);
}

#[tokio::test]
async fn hidden_rows_are_an_error_unless_allowed() {
    let database = Database::new(
        "alter table users enable row level security; create policy others on users using (id <> 'u-1');",
    );
    let error = read(&*provider(database.config())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
    let (verdict, said) = diagnose(&database, "get_by_id", |_| {}).await;
    assert!(verdict == Verdict::Failed && said.contains("row_security"), "{said}");
    let mut config = database.config();
    config.row_security = true;
    assert_eq!(read(&*provider(config)).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn changed_table_is_prepared_again() {
    let database = Database::new("");
    let provider = provider(database.config());
    for change in ["", "alter table users alter email type varchar(100)"] {
        database.execute(change);
        // At the same time, so that several connections have prepared the statement.
        let read = || read(&*provider);
        let (one, two, three) = tokio::join!(read(), read(), read());
        assert!(one.is_ok() && two.is_ok() && three.is_ok(), "{one:?}, {two:?}, {three:?}");
    }
    database.execute("alter table users rename email to mail");
    let error = read(&*provider).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error:?}");
    let findings = provider.diagnose(&crate::support::ample()).await;
    assert!(findings.iter().any(|finding| finding.verdict == Verdict::Failed), "{findings:?}");
}
