//! TLS from the first byte and by StartTLS, with a certificate of its own authority.

use idp_bridge_connector_ldap::{Ldap, LdapConfig};
use idp_bridge_core::{Connector as _, ConnectorContext, ErrorKind, OutboundPolicy, TenantId};
use idp_bridge_test_http::Certificates;
use idp_bridge_test_slapd::SlapdServer;

use crate::support::{SERVER, config_at, read, start};

/// Settings of a server that accepts only protected binds.
const TLS: &str = "TLSCertificateFile server.crt\nTLSCertificateKeyFile server.key\n";

/// Returns the settings for both kinds of TLS to a host name of this machine.
fn configs(server: &SlapdServer) -> [LdapConfig; 2] {
    let ports = [("ldap", server.port()), ("ldaps", server.tls_port())];
    ports.map(|(scheme, port)| {
        let mut config = config_at(&format!("{scheme}://localhost:{port}"));
        config.start_tls = true;
        config
    })
}

async fn connect(config: LdapConfig, authority: &str) -> Result<(), ErrorKind> {
    let mut context = ConnectorContext::new(TenantId::new("acme").unwrap());
    context.outbound = OutboundPolicy { ca_pem: Some(authority.as_bytes().to_vec()), ..OutboundPolicy::default() };
    let provider = Ldap::build(config, &context).unwrap();
    read(&provider).await.map(drop).map_err(|error| error.kind())
}

#[tokio::test]
async fn certificates_are_verified() {
    let mut server = start("");
    server.kill();
    for (name, expected) in [("localhost", Ok(())), ("ldap.acme.example", Err(ErrorKind::Misconfigured))] {
        let Certificates { authority, certificate, key } = Certificates::issue(name);
        server.write_file("server.crt", &certificate);
        server.write_file("server.key", &key);
        server.set_general(&format!("{TLS}security simple_bind=128\n"));
        server.restart();
        let other = Certificates::issue("localhost").authority;
        for config in configs(&server) {
            assert_eq!(connect(config.clone(), &authority).await, expected, "{name}, {}", config.url);
            assert_eq!(connect(config, &other).await, Err(ErrorKind::Misconfigured), "{name}");
        }
        // Without TLS the server refuses the password, so that it must not be sent.
        let plain = read(&*crate::support::provider(config_at(&server.url()))).await.unwrap_err();
        assert_eq!((plain.kind(), plain.context("code")), (ErrorKind::Misconfigured, Some("13")), "{plain:?}");
        server.kill();
    }
}

#[tokio::test]
async fn server_without_tls_is_misconfigured() {
    let authority = Certificates::issue("localhost").authority;
    let [start_tls, _] = configs(&SERVER);
    assert_eq!(connect(start_tls, &authority).await, Err(ErrorKind::Misconfigured));
    // TLS to a port that speaks LDAP in clear text.
    let ldaps = config_at(&format!("ldaps://localhost:{}", SERVER.port()));
    assert_eq!(connect(ldaps, &authority).await, Err(ErrorKind::Unavailable));
}
