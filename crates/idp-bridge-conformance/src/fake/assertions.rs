//! The check of client assertions (`private_key_jwt`, RFC 7523).

use std::collections::BTreeSet;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;

/// The type of an assertion in a form.
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest lifetime in seconds.
const LIFETIME: u64 = 60;

/// The expected contents of an assertion.
#[derive(Debug, Clone, Copy)]
pub struct AssertionRules<'a> {
    /// The client.
    pub client_id: &'a str,
    /// Its public key, with the `alg` that it must use.
    pub jwk: &'a Value,
    /// The only audience.
    pub audience: &'a str,
}

/// The ids of the assertions so far, each of which may be used once.
#[derive(Debug, Clone, Default)]
pub struct UsedAssertions(BTreeSet<String>);

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: u64,
    jti: String,
}

impl UsedAssertions {
    /// Returns whether the fields `client_assertion_type` and `client_assertion` prove the client's identity.
    pub fn accept(&mut self, kind: Option<&str>, assertion: &str, rules: AssertionRules<'_>) -> bool {
        let claims = verify(assertion, rules).filter(|_| kind == Some(TYPE));
        let now = jsonwebtoken::get_current_timestamp();
        claims.is_some_and(|claims| {
            claims.iss == rules.client_id
                && claims.sub == rules.client_id
                && claims.aud == rules.audience
                && (now + 1..=now + LIFETIME).contains(&claims.exp)
                && !claims.jti.is_empty()
                && self.0.insert(claims.jti)
        })
    }
}

/// Returns the claims of an assertion with a valid signature. The checks of the claims are not left to the library.
fn verify(assertion: &str, rules: AssertionRules<'_>) -> Option<Claims> {
    let jwk: Jwk = serde_json::from_value(rules.jwk.clone()).ok()?;
    let algorithm: Algorithm = rules.jwk.get("alg")?.as_str()?.parse().ok()?;
    let header = decode_header(assertion).ok()?;
    if header.kid.is_some() && header.kid != jwk.common.key_id {
        return None;
    }
    let mut validation = Validation::new(algorithm);
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation.required_spec_claims.clear();
    decode(assertion, &DecodingKey::from_jwk(&jwk).ok()?, &validation).ok().map(|decoded| decoded.claims)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake::SigningKey;

    #[test]
    fn each_claim_is_checked() {
        let (key, other) = (SigningKey::es256("k-1").unwrap(), SigningKey::es256("k-1").unwrap());
        let jwk = key.jwk();
        let rules = AssertionRules { client_id: "bridge", jwk: &jwk, audience: "https://idp.example" };
        let exp = jsonwebtoken::get_current_timestamp() + 30;
        let right = json!({"iss": "bridge", "sub": "bridge", "aud": "https://idp.example", "exp": exp, "jti": "1"});
        let mut used = UsedAssertions::default();
        let header = key.header("JWT");
        let signed = key.sign(&header, &right).unwrap();
        assert!(!used.accept(None, &signed, rules) && !used.accept(Some("jwt"), &signed, rules));
        assert!(used.accept(Some(TYPE), &signed, rules));
        assert!(!used.accept(Some(TYPE), &signed, rules), "used before");
        for (name, value) in [
            ("iss", json!("other")),
            ("sub", json!("other")),
            ("aud", json!("https://idp.example/")),
            ("aud", json!(["https://idp.example"])),
            ("exp", json!(exp - 31)),
            ("exp", json!(exp + 60)),
            ("jti", json!("")),
            ("jti", json!(null)),
        ] {
            let mut wrong = right.clone();
            wrong["jti"] = json!("2");
            wrong[name] = value;
            assert!(!used.accept(Some(TYPE), &key.sign(&header, &wrong).unwrap(), rules), "{wrong}");
        }
        let mut unused = right;
        unused["jti"] = json!("2");
        assert!(!used.accept(Some(TYPE), &other.sign(&header, &unused).unwrap(), rules), "another key");
        let other_id = json!({"alg": "ES256", "kid": "k-2"});
        assert!(!used.accept(Some(TYPE), &key.sign(&other_id, &unused).unwrap(), rules), "another key id");
        assert!(used.accept(Some(TYPE), &key.sign(&json!({"alg": "ES256"}), &unused).unwrap(), rules));
    }
}
