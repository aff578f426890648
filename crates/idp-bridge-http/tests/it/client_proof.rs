//! Tests of client secrets, assertions and their settings.

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{ClientCertificate, Clock, ConnectorContext, ErrorKind, OutboundPolicy, Secret, TenantId};
use idp_bridge_http::{AssertionAlgorithm, ClientProof, PrivateKey};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::Value;

use crate::server::everything;

const NOW: i64 = 1_700_000_000;
const AUDIENCE: &str = "https://login.acme.example/realms/acme";

#[derive(Debug)]
struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }
}

fn context() -> ConnectorContext {
    ConnectorContext { clock: std::sync::Arc::new(FixedClock), ..ConnectorContext::new(TenantId::new("acme").unwrap()) }
}

fn pem(algorithm: &'static rcgen::SignatureAlgorithm) -> Secret {
    Secret::new(KeyPair::generate_for(algorithm).unwrap().serialize_pem())
}

fn key(pem: &Secret, algorithm: Option<AssertionAlgorithm>, id: Option<&str>) -> PrivateKey {
    PrivateKey::from_settings(Some(pem), algorithm, id).unwrap().unwrap()
}

fn proof(key: &PrivateKey) -> idp_bridge_core::Result<ClientProof> {
    ClientProof::from_settings("bridge", None, Some(key), &context()).map(Option::unwrap)
}

/// Returns the assertion of a form, after a check of the other field.
fn assertion(proof: &ClientProof) -> String {
    let fields = proof.form_fields(AUDIENCE).unwrap();
    let [(kind, jwt_bearer), (name, assertion)] = fields.as_slice() else { panic!("{} fields", fields.len()) };
    assert_eq!((*kind, *name), ("client_assertion_type", "client_assertion"));
    assert_eq!(jwt_bearer, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assertion.clone()
}

#[test]
fn assertion_is_verified_by_the_public_jwk() {
    use AssertionAlgorithm::{Es256, Ps256, Rs256};
    let (rsa, ec) = (pem(&PKCS_RSA_SHA256), pem(&PKCS_ECDSA_P256_SHA256));
    for (pem, setting, id, algorithm) in [
        (&rsa, None, None, Algorithm::RS256),
        (&rsa, Some(Rs256), Some("k-1"), Algorithm::RS256),
        (&rsa, Some(Ps256), None, Algorithm::PS256),
        (&ec, None, None, Algorithm::ES256),
        (&ec, Some(Es256), Some("k-2"), Algorithm::ES256),
    ] {
        let key = key(pem, setting, id);
        let proof = proof(&key).unwrap();
        let (one, two) = (assertion(&proof), assertion(&proof));
        let header = decode_header(&one).unwrap();
        assert_eq!((header.alg, header.kid.as_deref()), (algorithm, id));
        let jwk = key.public_jwk().unwrap();
        assert_eq!((jwk["kid"].as_str(), jwk["use"].as_str()), (id, Some("sig")));
        assert!(["d", "p", "q"].iter().all(|private| jwk.get(private).is_none()), "{jwk}");
        let jwk: Jwk = serde_json::from_value(jwk).unwrap();
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_exp = false;
        let claims = [one, two].map(|assertion| {
            decode::<Value>(&assertion, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).unwrap().claims
        });
        for own in &claims {
            assert_eq!((&own["iss"], &own["sub"], &own["aud"]), (&"bridge".into(), &"bridge".into(), &AUDIENCE.into()));
            assert!((1..=60).contains(&(own["exp"].as_i64().unwrap() - NOW)), "{own}");
            assert_eq!(own.as_object().unwrap().len(), 5);
        }
        assert_ne!(claims[0]["jti"], claims[1]["jti"]);
    }
}

#[test]
fn unusable_key_is_misconfigured_and_hidden() {
    use AssertionAlgorithm::{Es256, Ps256, Rs256};
    let (rsa, ec) = (pem(&PKCS_RSA_SHA256), pem(&PKCS_ECDSA_P256_SHA256));
    let broken = Secret::new("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----");
    for (pem, algorithm) in [
        (&rsa, Some(Es256)),
        (&ec, Some(Rs256)),
        (&ec, Some(Ps256)),
        (&pem(&PKCS_ECDSA_P384_SHA384), None),
        (&pem(&PKCS_ED25519), None),
        (&broken, None),
        (&Secret::new("hunter2"), None),
    ] {
        let error = proof(&key(pem, algorithm, None)).unwrap_err();
        assert_eq!((error.kind(), error.hint().is_some()), (ErrorKind::Misconfigured, true));
        assert!(error.message().starts_with("`private_key` is "), "{error:?}");
        let shown = everything(&error);
        assert!(!shown.contains("hunter2") && !shown.contains(pem.expose()), "{shown}");
    }
}

#[test]
fn settings_select_one_proof() {
    let (secret, pem) = (Secret::new("hunter2"), pem(&PKCS_ECDSA_P256_SHA256));
    let key = key(&pem, None, None);
    let with_certificate = || {
        let certificate = ClientCertificate { chain_pem: Vec::new(), key_pem: Secret::new("x") };
        let outbound = OutboundPolicy { client_certificate: Some(certificate), ..OutboundPolicy::default() };
        ConnectorContext { outbound, ..context() }
    };
    for (secret, key, context, names) in [
        (Some(&secret), None, context(), Some(&["client_secret"][..])),
        (Some(&secret), None, with_certificate(), Some(&["client_secret"])),
        (None, Some(&key), context(), Some(&["client_assertion_type", "client_assertion"])),
        (None, Some(&key), with_certificate(), Some(&["client_assertion_type", "client_assertion"])),
        (None, None, with_certificate(), Some(&[])),
        (None, None, context(), None),
    ] {
        let proof = ClientProof::from_settings("bridge", secret, key, &context).unwrap();
        let fields = proof.map(|proof| proof.form_fields(AUDIENCE).unwrap());
        let fields = fields.map(|fields| fields.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        assert_eq!(fields.as_deref(), names);
    }
    let error = ClientProof::from_settings("bridge", Some(&secret), Some(&key), &context()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.hint().is_some_and(|hint| hint.contains("keep `private_key_file`")), "{error:?}");
}

#[test]
fn settings_of_a_missing_key_are_misconfigured() {
    assert!(PrivateKey::from_settings(None, None, None).unwrap().is_none());
    for (algorithm, id, setting) in
        [(Some(AssertionAlgorithm::Rs256), None, "`private_key_algorithm`"), (None, Some("k"), "`private_key_id`")]
    {
        let error = PrivateKey::from_settings(None, algorithm, id).unwrap_err();
        assert_eq!((error.kind(), error.hint().is_some()), (ErrorKind::Misconfigured, true));
        assert!(error.message().starts_with(setting), "{error:?}");
    }
}
