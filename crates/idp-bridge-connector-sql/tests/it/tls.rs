//! TLS to a server with a certificate of its own authority.

use idp_bridge_connector_sql::{Sql, SqlConfig};
use idp_bridge_core::{Connector as _, ConnectorContext, ErrorKind, OutboundPolicy, Secret, TenantId};
use idp_bridge_test_postgres::PostgresServer;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::support::{config, prepare, read};

/// Returns the authority's certificate, and a certificate with its key for this name.
fn certificates(name: &str) -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let named = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = named.signed_by(&key, &Issuer::new(params, authority_key)).unwrap().pem();
    (authority, certificate, key.serialize_pem())
}

/// Starts a server with a certificate for this name, and returns it with its authority.
fn start(name: &str) -> (PostgresServer, String) {
    let (authority, certificate, key) = certificates(name);
    let mut server = PostgresServer::start();
    prepare(&server, "app");
    server.kill();
    server.write_file("server.crt", &certificate);
    server.write_file("server.key", &key);
    server.add_settings(&["ssl=on", "ssl_cert_file=server.crt", "ssl_key_file=server.key"]);
    server.restart();
    (server, authority)
}

async fn connect(server: &PostgresServer, authority: &str, mode: &str) -> Result<(), ErrorKind> {
    let mut config: SqlConfig = config(server, "app");
    config.url = Secret::new(format!("{}?sslmode={mode}", config.url.expose().replace("127.0.0.1", "localhost")));
    let mut context = ConnectorContext::new(TenantId::new("acme").unwrap());
    context.outbound = OutboundPolicy { ca_pem: Some(authority.as_bytes().to_vec()), ..OutboundPolicy::default() };
    let provider = Sql::build(config, &context).unwrap();
    read(&provider).await.map(drop).map_err(|error| error.kind())
}

#[tokio::test]
async fn certificates_are_verified() {
    let (server, authority) = start("localhost");
    assert_eq!(connect(&server, &authority, "verify-full").await, Ok(()));
    assert_eq!(connect(&server, &authority, "require").await, Ok(()));
    let (other, _, _) = certificates("localhost");
    assert_eq!(connect(&server, &other, "require").await, Err(ErrorKind::Misconfigured));
}

#[tokio::test]
async fn other_hosts_and_plain_servers_are_refused() {
    let (server, authority) = start("db.acme.example");
    assert_eq!(connect(&server, &authority, "require").await, Err(ErrorKind::Misconfigured));
    let plain = PostgresServer::start();
    assert_eq!(connect(&plain, &authority, "require").await, Err(ErrorKind::Misconfigured));
}
