//! Tests of TLS: the certificate is read from files, and read again when they change.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use serde_json::json;

use crate::fixture::{Configured, TENANT, signer};
use crate::support::bridge::{Bridge, until};
use crate::support::http::{Reply, Request, connect};
use crate::support::program;

/// A certificate for `localhost` and its key, as PEM.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Pair {
    pub(crate) fn issue() -> Self {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self { certificate: pair.cert.pem(), key: pair.signing_key.serialize_pem() }
    }

    /// Returns the settings of a server with this certificate.
    pub(crate) fn to_server_config(&self) -> Arc<ServerConfig> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
    }
}

/// Writes a certificate for `localhost` and its key. Returns the certificate.
fn write_pair(configured: &Configured) -> String {
    let pair = Pair::issue();
    configured.write("tls.pem", &pair.certificate);
    configured.write("tls.key", &pair.key);
    pair.certificate
}

/// Creates a configuration with a certificate, and with these keys in the tenant's table. Returns the certificate, too.
pub(crate) fn configured(tenant: &str) -> (Configured, String) {
    let table = "shutdown_delay = \"0s\"\n[server.tls]\ncertificate_file = \"tls.pem\"\nkey_file = \"tls.key\"";
    let configured = Configured::with_keys(tenant, table);
    let certificate = write_pair(&configured);
    (configured, certificate)
}

/// Sends a request as a client that trusts only this certificate.
fn send(bridge: &Bridge, certificate: &str, request: &Request) -> std::io::Result<Reply> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(session, connect(bridge.address()));
    stream.write_all(&request.to_last_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(Reply::parse(&bytes))
}

fn is_broken(bridge: &Bridge, certificate: &str) -> Option<bool> {
    send(bridge, certificate, &Request::get("/readyz?verbose")).unwrap().json()["broken_certificate"].as_bool()
}

#[test]
fn changed_certificate_is_used_without_a_restart() {
    let (configured, first) = configured("");
    let bridge = configured.serve();
    bridge.wait_for_output("listening on https://");
    let get = signer().call("users.get_by_id", json!({"id": "u-1"}));
    assert_eq!(send(&bridge, &first, &get).unwrap().status, 200);
    let second = write_pair(&configured);
    until(|| send(&bridge, &second, &Request::get("/healthz")).ok()).expect("the new certificate is used");
    assert!(send(&bridge, &first, &Request::get("/healthz")).is_err());
    bridge.wait_for_log("the certificate was replaced");
}

#[test]
fn call_and_verify_trust_the_given_authority() {
    let (configured, _) = configured("");
    let bridge = configured.serve();
    let url = format!("https://localhost:{}", bridge.address().rsplit(':').next().unwrap());
    let run = |command: &[&str], more: &[&str]| {
        let keys = ["--tenant", TENANT, "--key-file", "webhook"];
        program::run_in(configured.folder(), [command, &keys, more].concat())
    };
    let call = ["call", "get-by-id", "u-1", "--url", &url];
    let untrusted = run(&call, &[]).with_code(1).stderr;
    assert!(untrusted.contains("--ca-file"), "{untrusted}");
    assert!(run(&call, &["--ca-file", "tls.pem"]).with_code(0).stdout.contains("ada@acme.example"));
    run(&["verify", &url], &["--ca-file", "tls.pem"]).with_code(0);
    let curl = run(&call, &["--ca-file", "tls.pem", "--print-curl"]).with_code(0).stdout;
    assert!(curl.contains("--cacert tls.pem"), "{curl}");
    for (file, problem) in
        [("tls.key", "`tls.key` has no certificate authority"), ("nothing", "`nothing` cannot be read")]
    {
        let refused = run(&call, &["--ca-file", file]).with_code(2).stderr;
        assert!(refused.contains(problem), "{refused}");
    }
}

#[test]
fn broken_certificate_keeps_the_earlier_one() {
    let (configured, first) = configured("");
    let bridge = configured.serve();
    assert_eq!(is_broken(&bridge, &first), Some(false));
    configured.write("tls.key", &Pair::issue().key);
    assert!(bridge.wait_for_log("does not belong to the certificate").contains("server.tls.key_file"));
    until(|| is_broken(&bridge, &first).filter(|is_broken| *is_broken)).expect("readiness shows it");
    let second = write_pair(&configured);
    until(|| send(&bridge, &second, &Request::get("/healthz")).ok()).expect("the new certificate is used");
    assert_eq!(is_broken(&bridge, &second), Some(false));
}

#[test]
fn check_reports_the_certificate() {
    let (configured, _) = configured("");
    let run = |code| program::run_in(configured.folder(), ["check"]).with_code(code);
    assert!(run(0).stdout.contains("the certificate expires at 4096-01-01T00:00:00Z"));
    let soon = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    configured.write("tls.pem", &params.self_signed(&soon).unwrap().pem());
    let mismatch = run(2).stderr;
    assert!(mismatch.contains("does not belong") && mismatch.contains("server.tls.key_file"), "{mismatch}");
    configured.write("tls.key", &soon.serialize_pem());
    assert!(run(0).stdout.contains("warning: the certificate expired at 2020-01-01T00:00:00Z"));
    let json = program::run_in(configured.folder(), ["check", "--json"]).with_code(0).json();
    assert_eq!(json["tls"], json!({"expires": "2020-01-01T00:00:00Z", "expires_soon": true}));
}
