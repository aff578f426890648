//! A directory that is stopped, paused, full or refuses the bridge.

use std::time::Duration;

use idp_bridge_core::{AttemptResult, Deleted, ErrorKind, Outcome, Secret, UserKey, Verdict};
use idp_bridge_test_http::unused_address;

use crate::support::{SERVER, ample, config, config_at, counted_provider, id, provider, read, scope, short, start};

#[tokio::test]
async fn stopped_or_paused_directory_recovers() {
    let mut server = start("");
    let ada = id(&server, "ada");
    let provider = provider(config(&server));
    assert!(read(&*provider).await.is_ok());
    server.kill();
    let error = read(&*provider).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let scope = ample();
    assert_eq!(provider.delete(&scope, &ada).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(scope.recorder().outcome(), Outcome::NotApplied);
    assert_eq!(provider.diagnose(&ample()).await[0].verdict, Verdict::Failed);
    server.restart();
    assert_eq!(read(&*provider).await.unwrap().id, ada);
    server.pause();
    let error = short(async |scope| provider.get(&scope, UserKey::Id(&ada)).await).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    let (unbound, counters) = counted_provider(config(&server));
    let error = short(async |scope| unbound.delete(&scope, &ada).await).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    assert_eq!((counters.requests(), counters.attempts(AttemptResult::Abandoned)), (1, 1));
    server.resume();
    assert_eq!(read(&*provider).await.unwrap().id, ada);
    assert_eq!(unbound.delete(&ample(), &ada).await.unwrap(), Deleted::Existed);
}

#[tokio::test]
async fn closed_connection_is_replaced() {
    let mut server = start("");
    let provider = provider(config(&server));
    for _ in 0..3 {
        read(&*provider).await.unwrap();
        server.kill();
        server.restart();
    }
    let error = read(&*crate::support::provider(config_at(&format!("ldap://{}", unused_address())))).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unanswered()), (ErrorKind::Unavailable, true), "{error:?}");
}

#[tokio::test]
async fn refused_bind_is_unauthenticated() {
    for (name, password) in
        [("cn=bridge,dc=acme,dc=example", "wrong"), ("cn=other,dc=acme,dc=example", "secret-of-bridge")]
    {
        let mut config = config(&SERVER);
        (config.bind_dn, config.password) = (name.to_owned(), Secret::new(password));
        let provider = provider(config);
        let error = read(&*provider).await.unwrap_err();
        assert_eq!((error.kind(), error.context("code")), (ErrorKind::Unauthenticated, Some("49")), "{error:?}");
        assert!(!format!("{error:?}").contains(password), "{error:?}");
        let scope = ample();
        assert!(provider.delete(&scope, &id(&SERVER, "ada")).await.is_err());
        assert_eq!(scope.recorder().outcome(), Outcome::NotApplied);
    }
    let mut config = config(&SERVER);
    config.bind_dn = "bridge".to_owned();
    let error = read(&*provider(config)).await.unwrap_err();
    assert_eq!((error.kind(), error.context("code")), (ErrorKind::Misconfigured, Some("34")), "{error:?}");
}

#[tokio::test]
async fn limits_of_the_directory_are_errors() {
    let server = start("sizelimit 1\n");
    let provider = provider(config(&server));
    assert!(read(&*provider).await.is_ok());
    server.execute(
        "dn: uid=two,ou=people,dc=acme,dc=example\nobjectClass: inetOrgPerson\nobjectClass: tenantUser\nuid: two\ncn: T\nsn: T\n\
         mail: ada@acme.example\n",
    );
    let error = read(&*provider).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ambiguous, "{error:?}");
}

#[tokio::test]
async fn exhausted_pool_is_a_timeout() {
    let mut server = start("");
    let mut config = config(&server);
    config.connections = 1;
    let provider = provider(config);
    let ada = id(&server, "ada");
    server.pause();
    let (first, second) = (scope(Duration::from_millis(400)), scope(Duration::from_millis(300)));
    let (first, second) =
        tokio::join!(biased; provider.get(&first, UserKey::Id(&ada)), provider.get(&second, UserKey::Id(&ada)));
    for error in [first.unwrap_err(), second.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    }
    server.resume();
    assert_eq!(read(&*provider).await.unwrap().id, ada);
    server.kill();
}
