//! A database that is stopped, paused, slow, locked or full.

use std::time::Duration;

use idp_bridge_core::{AttemptResult, Deleted, ErrorKind, Outcome, UserKey, Verdict};
use idp_bridge_test_postgres::PostgresServer;

use crate::support::{
    Database, ada, ample, config, counted_provider, prepare, provider, read, scope, short, wait_until,
};

#[tokio::test]
async fn stopped_or_paused_database_recovers() {
    let mut server = PostgresServer::start();
    prepare(&server, "app");
    let provider = provider(config(&server, "app"));
    assert!(read(&*provider).await.is_ok());
    server.kill();
    let error = read(&*provider).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let scope = ample();
    assert_eq!(provider.delete(&scope, &ada()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(scope.recorder().outcome(), Outcome::NotApplied);
    let findings = provider.diagnose(&ample()).await;
    assert_eq!((findings[0].verdict, findings[1].verdict), (Verdict::Failed, Verdict::NotVisible));
    server.restart();
    assert_eq!(read(&*provider).await.unwrap().id, ada());
    server.pause();
    let (paused, counters) = counted_provider(config(&server, "app"));
    let error = short(async |scope| paused.get(&scope, UserKey::Id(&ada())).await).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    let error = short(async |scope| paused.delete(&scope, &ada()).await).await;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!((counters.requests(), counters.attempts(AttemptResult::Abandoned)), (2, 2));
    server.resume();
    assert_eq!(read(&*paused).await.unwrap().id, ada());
}

#[tokio::test]
async fn slow_statement_is_cancelled_at_its_deadline() {
    let database = Database::new("");
    let mut config = database.config();
    config.connections = 1;
    config.statements.get_by_customer = Some(
        "select id, email, customer, email_verified from users, pg_sleep(60) where customer = :customer".to_owned(),
    );
    let provider = provider(config);
    let customer = idp_bridge_core::CustomerId::new("c-1").unwrap();
    let error = short(async |scope| provider.get(&scope, UserKey::Customer(&customer)).await).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    // The only connection is free again.
    assert_eq!(read(&*provider).await.unwrap().id, ada());
    let running = "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' \
                   and usename = 'bridge'";
    wait_until(async || database.execute(running) == "0").await;
}

#[tokio::test]
async fn locked_row_is_a_timeout_and_nothing_changes() {
    let database = Database::new("");
    let url = database.config().url.expose().replace("//bridge@", "//postgres@");
    let (mut admin, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let lock = admin.transaction().await.unwrap();
    lock.batch_execute("select from users where id = 'u-1' for update").await.unwrap();
    let provider = provider(database.config());
    let waiting = scope(Duration::from_millis(400));
    let error = provider.delete(&waiting, &ada()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    let error = short(async |scope| provider.mark_email_verified(&scope, &ada(), None).await).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    lock.rollback().await.unwrap();
    assert_eq!(read(&*provider).await.unwrap().email_verified, Some(false));
    assert_eq!(provider.delete(&ample(), &ada()).await.unwrap(), Deleted::Existed);
}

#[tokio::test]
async fn full_database_is_unavailable_with_a_wait() {
    let server = PostgresServer::start_with(&["max_connections=4", "superuser_reserved_connections=3"]);
    prepare(&server, "app");
    let (first, second) = (provider(config(&server, "app")), provider(config(&server, "app")));
    wait_until(async || read(&*first).await.is_ok()).await;
    let error = read(&*second).await.unwrap_err();
    assert_eq!((error.kind(), error.context("sqlstate")), (ErrorKind::Unavailable, Some("53300")), "{error:?}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
}

#[tokio::test]
async fn exhausted_pool_is_a_timeout() {
    let database = Database::new("");
    let mut config = database.config();
    config.connections = 1;
    config.statements.get_by_customer = Some(
        "select id, email, customer, email_verified from users, pg_sleep(60) where customer = :customer".to_owned(),
    );
    let provider = provider(config);
    let customer = idp_bridge_core::CustomerId::new("c-1").unwrap();
    let (slow, quick) = (scope(Duration::from_millis(900)), scope(Duration::from_millis(300)));
    let key = ada();
    let (slow, quick) = tokio::join!(
        biased;
        provider.get(&slow, UserKey::Customer(&customer)),
        provider.get(&quick, UserKey::Id(&key)),
    );
    assert_eq!(slow.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(quick.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(read(&*provider).await.unwrap().id, ada());
}

#[tokio::test]
async fn ended_connection_is_replaced() {
    let database = Database::new("");
    let provider = provider(database.config());
    for _ in 0..3 {
        assert_eq!(read(&*provider).await.unwrap().id, ada());
        let end = "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity \
                   where usename = 'bridge' and datname = current_database()";
        assert_eq!(database.execute(end), "1");
    }
}

#[tokio::test]
async fn refused_write_is_not_applied() {
    let foreign = "create table orders (owner text references users); insert into orders values ('u-1');";
    let database = Database::new(foreign);
    let provider = provider(database.config());
    let scope = ample();
    let error = provider.delete(&scope, &ada()).await.unwrap_err();
    assert_eq!((error.kind(), error.context("sqlstate")), (ErrorKind::State, Some("23503")));
    assert_eq!(scope.recorder().outcome(), Outcome::NotApplied);
    assert!(!format!("{error:?}").contains("u-1"), "{error:?}");
}
