//! The settings of the Redis server, and the diagnosis.

use idp_bridge_core::{Finding, Secret, SystemRandom, Verdict};
use idp_bridge_test_http::Certificates;
use idp_bridge_test_redis::RedisServer;

use super::{Still, entry, session, settings, tenant};
use crate::revocation::RevocationStore as _;
use crate::store::{RedisServer as Address, RedisSettings, RedisStore};

async fn diagnose(settings: &RedisSettings) -> Vec<Finding> {
    RedisStore::new(settings, Still::at(100), &SystemRandom).unwrap().diagnose().await
}

fn verdicts(findings: &[Finding]) -> Vec<Verdict> {
    findings.iter().map(|finding| finding.verdict).collect()
}

#[tokio::test]
async fn settings_that_lose_data_are_reported() {
    let safe = RedisServer::start();
    assert_eq!(verdicts(&diagnose(&settings(&safe)).await), [Verdict::Ok; 3]);
    let lossy = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru", "--appendonly", "no"]);
    let findings = diagnose(&settings(&lossy)).await;
    assert_eq!(verdicts(&findings), [Verdict::Ok, Verdict::Failed, Verdict::Failed]);
    assert!(findings[1].detail.as_ref().is_some_and(|detail| detail.contains("allkeys-lru")), "{findings:?}");
    assert!(findings[2].fix.as_ref().is_some_and(|fix| fix.contains("appendonly yes")), "{findings:?}");
}

#[tokio::test]
async fn unreachable_server_is_reported() {
    let mut server = RedisServer::start();
    server.kill();
    let findings = diagnose(&settings(&server)).await;
    assert_eq!(verdicts(&findings), [Verdict::Failed]);
    let detail = findings[0].detail.as_ref().unwrap();
    assert!(detail.contains(&format!("127.0.0.1:{}", server.port())), "{findings:?}");
}

#[tokio::test]
async fn password_is_used_and_never_shown() {
    let server = RedisServer::start_with(&["--requirepass", "hunter2"]);
    let with = |password: Option<&str>| RedisSettings { password: password.map(Secret::new), ..settings(&server) };
    assert_eq!(verdicts(&diagnose(&with(Some("hunter2"))).await), [Verdict::Ok; 3]);
    for wrong in [None, Some("hunter3")] {
        let findings = diagnose(&with(wrong)).await;
        assert_eq!(verdicts(&findings), [Verdict::Failed], "{findings:?}");
        assert!(findings[0].fix.as_ref().is_some_and(|fix| fix.contains("password_file")), "{findings:?}");
        assert!(!format!("{findings:?} {:?}", with(wrong)).contains("hunter"), "{findings:?}");
    }
}

#[tokio::test]
async fn prefixes_separate_bridges() {
    let server = RedisServer::start();
    let store = |prefix: &str| {
        let settings = RedisSettings { prefix: prefix.into(), ..settings(&server) };
        RedisStore::new(&settings, Still::at(100), &SystemRandom).unwrap()
    };
    let (one, other) = (store("one:"), store("other:"));
    one.revoke(&tenant("acme"), &[entry(session("a"), None, 1_000)]).await.unwrap();
    assert!(one.is_revoked(&tenant("acme"), &[session("a")], None).await.unwrap());
    assert!(!other.is_revoked(&tenant("acme"), &[session("a")], None).await.unwrap());
    assert!(server.command(&["KEYS", "*"]).starts_with("one:"));
}

/// Returns the certificate of a new authority, a certificate of it for `localhost`, and the key of that one, as PEM.
#[tokio::test]
async fn certificate_of_the_server_is_verified() {
    let Certificates { authority: ca, certificate, key } = Certificates::issue("localhost");
    let other_ca = Certificates::issue("localhost").authority;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (certificate, key) = (file("certificate", &certificate), file("key", &key));
    let _server = RedisServer::start_with(
        &[
            ["--tls-port", &port.to_string()],
            ["--tls-cert-file", &certificate],
            ["--tls-key-file", &key],
            ["--tls-auth-clients", "no"],
        ]
        .concat(),
    );
    let with = |ca: &str| RedisSettings {
        uses_tls: true,
        ca_pem: Some(ca.into()),
        ..RedisSettings::new(Address { host: "localhost".into(), port })
    };
    assert_eq!(verdicts(&diagnose(&with(&ca)).await), [Verdict::Ok; 3]);
    let findings = diagnose(&with(&other_ca)).await;
    assert_eq!(verdicts(&findings), [Verdict::Failed]);
    assert!(
        findings[0].detail.as_ref().is_some_and(|detail| detail.contains("invalid peer certificate")),
        "{findings:?}"
    );
}
