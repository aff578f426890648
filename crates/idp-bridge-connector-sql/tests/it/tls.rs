//! TLS to a server with a certificate of its own authority.

use idp_bridge_connector_sql::{Sql, SqlConfig};
use idp_bridge_core::{Connector as _, ConnectorContext, ErrorKind, OutboundPolicy, Secret, TenantId};
use idp_bridge_test_http::Certificates;
use idp_bridge_test_postgres::PostgresServer;

use crate::support::{Database, config, prepare, read};

/// Restarts a server with a certificate for this name, and returns its authority.
fn restart(server: &mut PostgresServer, name: &str) -> String {
    let Certificates { authority, certificate, key } = Certificates::issue(name);
    server.kill();
    server.write_file("server.crt", &certificate);
    server.write_file("server.key", &key);
    server.restart();
    authority
}

async fn connect(mut config: SqlConfig, authority: &str) -> Result<(), ErrorKind> {
    let url = config.url.expose().replace("127.0.0.1", "localhost");
    config.url = Secret::new(format!("{url}?sslmode=verify-full"));
    let mut context = ConnectorContext::new(TenantId::new("acme").unwrap());
    context.outbound = OutboundPolicy { ca_pem: Some(authority.as_bytes().to_vec()), ..OutboundPolicy::default() };
    let provider = Sql::build(config, &context).unwrap();
    read(&provider).await.map(drop).map_err(|error| error.kind())
}

#[tokio::test]
async fn certificates_are_verified() {
    let mut server = PostgresServer::start();
    prepare(&server, "app");
    server.add_settings(&["ssl=on", "ssl_cert_file=server.crt", "ssl_key_file=server.key"]);
    let authority = restart(&mut server, "localhost");
    assert_eq!(connect(config(&server, "app"), &authority).await, Ok(()));
    let other = Certificates::issue("localhost").authority;
    assert_eq!(connect(config(&server, "app"), &other).await, Err(ErrorKind::Misconfigured));
    let authority = restart(&mut server, "db.acme.example");
    assert_eq!(connect(config(&server, "app"), &authority).await, Err(ErrorKind::Misconfigured));
}

#[tokio::test]
async fn server_without_tls_is_refused() {
    let authority = Certificates::issue("localhost").authority;
    assert_eq!(connect(Database::new("").config(), &authority).await, Err(ErrorKind::Misconfigured));
}
