//! Tests of the certificate, of client certificates and of the PROXY protocol in the configuration.

use super::{Folder, read, tenant};
use crate::config::{Loader, Problem, Reload, TlsChange};

const TABLE: &str = "[server.tls]\ncertificate_file = \"tls.pem\"\nkey_file = \"tls.key\"\n";

/// Issues a certificate, and returns it and its key as PEM.
pub(super) fn issue() -> (String, String) {
    let pair = rcgen::generate_simple_self_signed(["bridge.example".to_owned()]).unwrap();
    (pair.cert.pem(), pair.signing_key.serialize_pem())
}

/// A folder with a certificate, its key and a configuration.
fn folder(table: &str, keys: &str) -> Folder {
    let folder = Folder::new();
    let (certificate, key) = issue();
    folder.write("tls.pem", &certificate);
    folder.write("tls.key", &key);
    folder.write("idp-bridge.toml", &format!("{}{table}", tenant(keys, "")));
    folder
}

/// Returns the only problem of a folder.
fn problem(folder: &Folder) -> Problem {
    let problems = folder.load("idp-bridge.toml").err().unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.into_iter().next().unwrap()
}

#[test]
fn valid_pair_is_loaded() {
    let folder = folder(TABLE, "");
    assert!(folder.load("idp-bridge.toml").unwrap().tls.is_some());
    assert!(read(&tenant("", "")).unwrap().tls.is_none());
}

#[test]
fn each_wrong_file_is_named_by_its_key() {
    let folder = folder(TABLE, "");
    folder.write("tls.key", &issue().1);
    let mismatch = problem(&folder);
    assert_eq!(mismatch.key.as_deref(), Some("server.tls.key_file"), "{mismatch}");
    assert!(mismatch.message.contains("does not belong"), "{mismatch}");
    folder.write("tls.pem", "nothing");
    assert_eq!(problem(&folder).key.as_deref(), Some("server.tls.certificate_file"));
    std::fs::remove_file(folder.0.path().join("tls.key")).unwrap();
    std::fs::remove_file(folder.0.path().join("tls.pem")).unwrap();
    assert!(problem(&folder).message.contains("cannot be read"));
}

#[test]
fn tables_without_a_file_are_incomplete() {
    let incomplete = problem(&folder("[server.tls]\ncertificate_file = \"tls.pem\"\n", ""));
    assert!(incomplete.message.contains("missing key `key_file`"), "{incomplete}");
}

#[test]
fn client_certificates_need_an_authority() {
    let keys = "client_certificates = [\"platform.example\", \"spiffe://platform/users\"]";
    let without = problem(&folder(TABLE, keys));
    assert_eq!(without.key.as_deref(), Some("tenants.acme.client_certificates"), "{without}");
    let with = folder(&format!("{TABLE}client_ca_file = \"tls.pem\"\n"), keys);
    let settings = with.load("idp-bridge.toml").unwrap();
    assert_eq!(settings.tenants().next().unwrap().client_names, ["platform.example", "spiffe://platform/users"]);
    let wildcard = folder(&format!("{TABLE}client_ca_file = \"tls.pem\"\n"), "client_certificates = [\"*.example\"]");
    assert!(problem(&wildcard).message.contains("without a wildcard"));
}

#[test]
fn networks_have_no_bits_beyond_their_prefix() {
    let with = |network: &str| read(&format!("[server]\nproxy_protocol_from = [\"{network}\"]\n{}", tenant("", "")));
    for good in ["10.0.0.0/8", "10.0.0.5/32", "fd00::/8"] {
        assert!(with(good).is_ok(), "{good}");
    }
    for bad in ["10.0.0.1/8", "10.0.0.5", "10.0.0.0/33", "all", ""] {
        assert!(with(bad).is_err(), "{bad}");
    }
}

#[test]
fn changed_pair_is_reloaded() {
    let folder = folder(TABLE, "");
    let start = Loader::start(&folder.0.path().join("idp-bridge.toml"), &crate::registry());
    let (_, mut loader) = start.unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut reload = || -> Reload { loader.reload().unwrap_or_else(|problems| panic!("{problems:?}")) };
    assert!(matches!(reload().tls, TlsChange::Unchanged));
    let (certificate, key) = issue();
    folder.write("tls.pem", &certificate);
    let broken = reload();
    assert!(matches!(broken.tls, TlsChange::Broken) && broken.problems.len() == 1, "{:?}", broken.problems);
    folder.write("tls.key", &key);
    assert!(matches!(reload().tls, TlsChange::Replaced(_)));
    assert!(matches!(reload().tls, TlsChange::Unchanged));
    folder.write("idp-bridge.toml", &tenant("", ""));
    let without = reload();
    assert_eq!(without.keys_for_restart, ["server.tls"]);
    assert!(matches!(without.tls, TlsChange::Unchanged));
}

#[test]
fn folders_of_the_pair_are_watched() {
    let table = TABLE.replace("tls.", "pair/tls.");
    let folder = folder(&table, "");
    let (certificate, key) = issue();
    folder.write("pair/tls.pem", &certificate);
    folder.write("pair/tls.key", &key);
    let start = Loader::start(&folder.0.path().join("idp-bridge.toml"), &crate::registry());
    let (_, loader) = start.unwrap_or_else(|problems| panic!("{problems:?}"));
    assert!(loader.folders().contains(&folder.0.path().join("pair")), "{:?}", loader.folders());
}
