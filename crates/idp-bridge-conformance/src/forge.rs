//! Forged tokens that need no key of the identity provider.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use idp_bridge_core::AccessToken;
use serde_json::{Value, json};

use crate::TestResult;
use crate::fake::SigningKey;
use crate::fixture::decode_jwt;
use crate::proxy::Proxy;

/// The parts of a signed token.
#[derive(Debug, Clone)]
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    text: String,
}

impl Jwt {
    /// Parses a compact JWT, without verifying it.
    pub(crate) fn parse(token: &AccessToken) -> TestResult<Self> {
        let hint = "`Need::SignedToken` is not declared as not applicable";
        let (header, claims) = decode_jwt(token.expose()).map_err(|error| format!("{error}, and {hint}"))?;
        Ok(Self { header, claims, text: token.expose().to_owned() })
    }

    /// Returns the claims with one changed; `null` removes it.
    pub(crate) fn with(&self, claim: &str, value: Value) -> Value {
        changed(&self.claims, claim, value)
    }

    /// Returns a token with other claims, and the original header and signature.
    pub(crate) fn altered(&self, claims: &Value) -> String {
        let signature = self.text.rsplit('.').next().unwrap_or_default();
        format!("{}.{}.{signature}", part(&self.header), part(claims))
    }

    /// Returns a token without a signature, with this algorithm.
    pub(crate) fn unsigned(&self, algorithm: &str) -> String {
        format!("{}.{}.", part(&changed(&self.header, "alg", json!(algorithm))), part(&self.claims))
    }

    fn with_hmac(&self, (name, algorithm): (&str, hmac::Algorithm), secret: &[u8]) -> String {
        let input = format!("{}.{}", part(&changed(&self.header, "alg", json!(name))), part(&self.claims));
        let tag = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// Returns the claims signed with another key, and with changes of the header.
    fn forged(&self, key: &SigningKey, changes: &[(&str, Value)]) -> TestResult<String> {
        let algorithm = ("alg", json!(key.algorithm()));
        let changes = std::iter::once(&algorithm).chain(changes);
        let header = changes.fold(self.header.clone(), |header, (name, value)| changed(&header, name, value.clone()));
        Ok(key.sign(&header, &self.claims)?)
    }
}

/// Returns a member of an object, or `null`.
pub(crate) fn member<'a>(object: &'a Value, name: &str) -> &'a Value {
    object.get(name).unwrap_or(&Value::Null)
}

/// Returns the JWKS document among the recorded responses of the proxy.
pub(crate) fn recorded_keys(proxy: &Proxy) -> TestResult<Vec<u8>> {
    let has_keys =
        |body: &Bytes| serde_json::from_slice::<Value>(body).is_ok_and(|json| member(&json, "keys").is_array());
    let document = proxy.recorded().into_iter().find(has_keys);
    Ok(document.ok_or("no response with keys was recorded by the proxy")?.to_vec())
}

/// Returns an object with one member changed; `null` removes it.
pub(crate) fn changed(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.remove(name);
        if !value.is_null() {
            members.insert(name.to_owned(), value);
        }
    }
    object
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

/// The means of an attacker.
pub(crate) struct Attacker {
    /// A valid token.
    pub(crate) token: Jwt,
    /// A claim, and the value that the attacker sets.
    pub(crate) wanted_claim: (&'static str, Value),
    /// The public JWKS document of the identity provider.
    pub(crate) jwks: Vec<u8>,
    /// The URL of the attacker's own keys.
    pub(crate) key_url: String,
    /// The attacker's key.
    pub(crate) key: SigningKey,
}

impl Attacker {
    /// Returns whether the token names one of the keys in the identity provider's document.
    ///
    /// A token with an unknown key may be signed with a new key until the next refresh of the keys.
    pub(crate) fn names_known_key(&self, token: &str) -> bool {
        let header = token.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let header = header.and_then(|header| serde_json::from_slice::<Value>(&header).ok()).unwrap_or_default();
        let document = serde_json::from_slice::<Value>(&self.jwks).unwrap_or_default();
        let mut keys = member(&document, "keys").as_array().into_iter().flatten();
        keys.any(|key| member(key, "kid") == member(&header, "kid"))
    }
}

/// The name of a case, and a function that forges tokens for it.
pub(crate) type Forgery = (&'static str, fn(&Attacker) -> TestResult<Vec<String>>);

/// The forgeries.
pub(crate) const FORGERIES: [Forgery; 8] = [
    ("an_altered_token", altered),
    ("a_token_with_another_signature", other_signatures),
    ("an_unsigned_token", unsigned),
    ("a_token_with_a_public_hmac_secret", public_secrets),
    ("a_token_of_an_unknown_key", unknown_keys),
    ("a_token_with_an_embedded_key", own_keys),
    ("a_token_with_a_key_url", key_addresses),
    ("a_token_with_a_critical_extension", critical),
];

fn altered(attacker: &Attacker) -> TestResult<Vec<String>> {
    let (claim, value) = &attacker.wanted_claim;
    let token = &attacker.token;
    Ok(vec![
        token.altered(&token.with(claim, value.clone())),
        token.altered(&token.with("exp", json!(4_000_000_000_u64))),
        token.altered(&token.with("customer_id", json!("cust-of-somebody-else"))),
    ])
}

fn other_signatures(attacker: &Attacker) -> TestResult<Vec<String>> {
    let (input, signature) = attacker.token.text.rsplit_once('.').ok_or("the token has no signature")?;
    let mut bytes = URL_SAFE_NO_PAD.decode(signature)?;
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
    let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
    let all = [bytes.as_slice(), half, &[], &[0; 256], &[0; 64]];
    Ok(all.iter().map(|signature| format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))).collect())
}

fn unsigned(attacker: &Attacker) -> TestResult<Vec<String>> {
    Ok(["none", "None", "nOnE", ""].iter().map(|algorithm| attacker.token.unsigned(algorithm)).collect())
}

fn public_secrets(attacker: &Attacker) -> TestResult<Vec<String>> {
    let document: Value = serde_json::from_slice(&attacker.jwks)?;
    let kid = member(&attacker.token.header, "kid");
    let keys = member(&document, "keys").as_array().ok_or("the JWKS document has no keys")?;
    let key =
        keys.iter().find(|key| member(key, "kid") == kid).ok_or("the JWKS document lacks the key of a good token")?;
    let number =
        |name: &str| URL_SAFE_NO_PAD.decode(member(key, name).as_str().unwrap_or_default()).unwrap_or_default();
    let texts = ["n", "x", "kid"].map(|name| member(key, name).as_str().unwrap_or_default().as_bytes().to_vec());
    let mut secrets = vec![attacker.jwks.clone(), key.to_string().into_bytes(), number("n"), number("x"), Vec::new()];
    secrets.extend(texts);
    secrets.extend(public_pem(&number("n"), &number("e")));
    let algorithms = [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)];
    let pairs = algorithms.iter().flat_map(|algorithm| secrets.iter().map(move |secret| (*algorithm, secret)));
    Ok(pairs.map(|(algorithm, secret)| attacker.token.with_hmac(algorithm, secret)).collect())
}

/// Returns the key as PEM and DER, which a careless verifier may use as the secret of an HMAC.
fn public_pem(n: &[u8], e: &[u8]) -> Vec<Vec<u8>> {
    /// The DER prefix of an RSA key.
    const RSA: [u8; 15] = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let integer = |bytes: &[u8]| der(2, &[&[0], bytes].concat());
    let exponent = der(2, e);
    let key = der(0x30, &[integer(n), exponent].concat());
    let info = der(0x30, &[RSA.to_vec(), der(3, &[&[0], key.as_slice()].concat())].concat());
    let text = base64::engine::general_purpose::STANDARD.encode(&info);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"));
    vec![pem.clone().into_bytes(), format!("{pem}\n").into_bytes(), info]
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    let length: &[u8] = match content.len() {
        0..128 => &[low],
        128..256 => &[0x81, low],
        _ => &[0x82, high, low],
    };
    [&[tag], length, content].concat()
}

fn unknown_keys(attacker: &Attacker) -> TestResult<Vec<String>> {
    let kids = [
        json!("conformance-unknown"),
        Value::Null,
        json!(""),
        json!(17),
        json!(["a"]),
        json!("../../../../dev/null"),
        json!("' OR '1'='1"),
        json!("k\u{0}k"),
        json!("x".repeat(2000)),
    ];
    let mut forged = vec![attacker.token.forged(&attacker.key, &[])?];
    let es256 = SigningKey::es256("conformance")?;
    forged.push(attacker.token.forged(&es256, &[])?);
    for kid in kids {
        forged.push(attacker.token.forged(&attacker.key, &[("kid", kid)])?);
    }
    Ok(forged)
}

fn own_keys(attacker: &Attacker) -> TestResult<Vec<String>> {
    let own = attacker.key.jwk();
    let kid = json!(attacker.key.kid());
    Ok(vec![
        attacker.token.forged(&attacker.key, &[("jwk", own.clone())])?,
        attacker.token.forged(&attacker.key, &[("jwk", own), ("kid", kid.clone())])?,
        attacker.token.forged(&attacker.key, &[("x5c", json!([attacker.key.public_pem()?])), ("kid", kid)])?,
    ])
}

fn key_addresses(attacker: &Attacker) -> TestResult<Vec<String>> {
    let (kid, at) = (json!(attacker.key.kid()), json!(attacker.key_url));
    let forge = |name: &'static str| attacker.token.forged(&attacker.key, &[(name, at.clone()), ("kid", kid.clone())]);
    let mut forged = vec![forge("jku")?, forge("x5u")?, forge("iss")?];
    forged.push(attacker.token.forged(&attacker.key, &[("kid", at.clone())])?);
    Ok(forged)
}

fn critical(attacker: &Attacker) -> TestResult<Vec<String>> {
    let crit = [("crit", json!(["conformance"])), ("conformance", json!(true))];
    Ok(vec![attacker.token.forged(&attacker.key, &crit)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attacker() -> Attacker {
        let key = SigningKey::rs256("idp-1").unwrap();
        let token = key.sign(&key.header("JWT"), &json!({"sub": "u-1", "exp": 1})).unwrap();
        Attacker {
            token: Jwt::parse(&AccessToken::new(token).unwrap()).unwrap(),
            wanted_claim: ("sub", json!("u-2")),
            jwks: crate::fake::jwks([&key]).to_string().into_bytes(),
            key_url: "http://127.0.0.1:1/jwks".to_owned(),
            key: SigningKey::rs256("attacker").unwrap(),
        }
    }

    #[test]
    fn forgeries_are_well_formed_and_not_the_original() {
        let attacker = attacker();
        for (name, forge) in FORGERIES {
            let forged = forge(&attacker).unwrap();
            assert!(!forged.is_empty(), "{name}");
            for token in forged {
                assert!(AccessToken::new(token.clone()).is_ok_and(|token| token.is_jwt()), "{name}: {token}");
                assert_ne!(token, attacker.token.text, "{name}");
            }
        }
    }

    #[test]
    fn public_pem_of_a_jwk_matches_the_key() {
        let key = SigningKey::rs256("k").unwrap();
        let jwk = key.jwk();
        let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let pems = public_pem(&number("n"), &number("e"));
        assert!(pems.contains(&key.public_pem().unwrap().into_bytes()));
    }

    #[test]
    fn null_removes_a_claim() {
        let token = attacker().token;
        assert_eq!(token.with("sub", Value::Null), json!({"exp": 1}));
    }
}
