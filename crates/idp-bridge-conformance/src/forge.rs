//! What an attacker can make of a good token without a key of the identity provider.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use idp_bridge_core::AccessToken;
use serde_json::{Value, json};

use crate::Staged;
use crate::fake::SigningKey;
use crate::proxy::Proxy;

/// A signed token, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    text: String,
}

impl Jwt {
    /// Takes a compact JWT apart.
    pub(crate) fn read(token: &AccessToken) -> Staged<Self> {
        let text = token.expose().to_owned();
        let mut parts = text.split('.').map(|part| -> Staged<Value> {
            let bytes = URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| "the token is no JWT, and `Need::SignedToken` is not declared")?;
            Ok(serde_json::from_slice(&bytes)?)
        });
        let (header, claims) = (parts.next().ok_or("no header")??, parts.next().ok_or("no claims")??);
        Ok(Self { header, claims, text })
    }

    /// The claims with this one changed; `null` removes it.
    pub(crate) fn with(&self, claim: &str, value: Value) -> Value {
        changed(&self.claims, claim, value)
    }

    /// Other claims under the same header and signature.
    pub(crate) fn altered(&self, claims: &Value) -> String {
        let signature = self.text.rsplit('.').next().unwrap_or_default();
        format!("{}.{}.{signature}", part(&self.header), part(claims))
    }

    /// The same claims under an algorithm that signs nothing.
    pub(crate) fn unsigned(&self, algorithm: &str) -> String {
        format!("{}.{}.", part(&changed(&self.header, "alg", json!(algorithm))), part(&self.claims))
    }

    fn with_hmac(&self, (name, algorithm): (&str, hmac::Algorithm), secret: &[u8]) -> String {
        let input = format!("{}.{}", part(&changed(&self.header, "alg", json!(name))), part(&self.claims));
        let tag = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The same claims signed by somebody else, with these parts of the header changed.
    fn forged(&self, key: &SigningKey, changes: &[(&str, Value)]) -> Staged<String> {
        let algorithm = ("alg", json!(key.algorithm()));
        let changes = std::iter::once(&algorithm).chain(changes);
        let header = changes.fold(self.header.clone(), |header, (name, value)| changed(&header, name, value.clone()));
        Ok(key.sign(&header, &self.claims)?)
    }
}

/// The member of an object; `null` if there is none.
pub(crate) fn member<'a>(object: &'a Value, name: &str) -> &'a Value {
    object.get(name).unwrap_or(&Value::Null)
}

/// The JWKS document among the answers that the proxy has recorded.
pub(crate) fn recorded_keys(proxy: &Proxy) -> Staged<Vec<u8>> {
    let has_keys =
        |body: &Bytes| serde_json::from_slice::<Value>(body).is_ok_and(|json| member(&json, "keys").is_array());
    let document = proxy.recorded().into_iter().find(has_keys);
    Ok(document.ok_or("no answer with keys was seen at the base URL that the provider was given")?.to_vec())
}

/// An object with this member changed; `null` removes it.
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

/// What an attacker has.
pub(crate) struct Attacker {
    /// A good token.
    pub(crate) token: Jwt,
    /// A claim worth changing, and what the attacker would rather have there.
    pub(crate) wish: (&'static str, Value),
    /// The identity provider's JWKS document, which is public.
    pub(crate) jwks: Vec<u8>,
    /// A place where the attacker's own keys are published.
    pub(crate) elsewhere: String,
    /// A key of the attacker's.
    pub(crate) key: SigningKey,
}

impl Attacker {
    /// Returns whether the token names none of the keys in the identity provider's document.
    ///
    /// Keys are refreshed at most once in an interval. Until the next refresh such a token may be one of a new key.
    pub(crate) fn names_no_known_key(&self, token: &str) -> bool {
        let header = token.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let header = header.and_then(|header| serde_json::from_slice::<Value>(&header).ok()).unwrap_or_default();
        let document = serde_json::from_slice::<Value>(&self.jwks).unwrap_or_default();
        let mut keys = member(&document, "keys").as_array().into_iter().flatten();
        !keys.any(|key| member(key, "kid") == member(&header, "kid"))
    }
}

/// A way to forge, by the name of its case.
pub(crate) type Forgery = (&'static str, fn(&Attacker) -> Staged<Vec<String>>);

/// All of them.
pub(crate) const FORGERIES: [Forgery; 8] = [
    ("an_altered_token", altered),
    ("a_token_with_another_signature", other_signatures),
    ("an_unsigned_token", unsigned),
    ("a_token_signed_with_public_knowledge", public_secrets),
    ("a_token_of_an_unknown_key", unknown_keys),
    ("a_token_that_brings_its_own_key", own_keys),
    ("a_token_that_says_where_its_key_is", key_addresses),
    ("a_token_with_an_extension_that_must_be_understood", critical),
];

fn altered(attacker: &Attacker) -> Staged<Vec<String>> {
    let (claim, value) = &attacker.wish;
    let token = &attacker.token;
    Ok(vec![
        token.altered(&token.with(claim, value.clone())),
        token.altered(&token.with("exp", json!(4_000_000_000_u64))),
        token.altered(&token.with("customer_id", json!("cust-of-somebody-else"))),
    ])
}

fn other_signatures(attacker: &Attacker) -> Staged<Vec<String>> {
    let (input, signature) = attacker.token.text.rsplit_once('.').ok_or("the token has no signature")?;
    let mut bytes = URL_SAFE_NO_PAD.decode(signature)?;
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
    let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
    let all = [bytes.as_slice(), half, &[], &[0; 256], &[0; 64]];
    Ok(all.iter().map(|signature| format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))).collect())
}

fn unsigned(attacker: &Attacker) -> Staged<Vec<String>> {
    Ok(["none", "None", "nOnE", ""].iter().map(|algorithm| attacker.token.unsigned(algorithm)).collect())
}

fn public_secrets(attacker: &Attacker) -> Staged<Vec<String>> {
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

/// The key as the PEM text that libraries read, which is what a careless verifier takes for the secret.
fn public_pem(n: &[u8], e: &[u8]) -> Vec<Vec<u8>> {
    /// What says in DER that an RSA key follows.
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

fn unknown_keys(attacker: &Attacker) -> Staged<Vec<String>> {
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

fn own_keys(attacker: &Attacker) -> Staged<Vec<String>> {
    let own = attacker.key.jwk();
    let kid = json!(attacker.key.kid());
    Ok(vec![
        attacker.token.forged(&attacker.key, &[("jwk", own.clone())])?,
        attacker.token.forged(&attacker.key, &[("jwk", own), ("kid", kid.clone())])?,
        attacker.token.forged(&attacker.key, &[("x5c", json!([attacker.key.public_pem()?])), ("kid", kid)])?,
    ])
}

fn key_addresses(attacker: &Attacker) -> Staged<Vec<String>> {
    let (kid, at) = (json!(attacker.key.kid()), json!(attacker.elsewhere));
    let forge = |name: &'static str| attacker.token.forged(&attacker.key, &[(name, at.clone()), ("kid", kid.clone())]);
    let mut forged = vec![forge("jku")?, forge("x5u")?, forge("iss")?];
    forged.push(attacker.token.forged(&attacker.key, &[("kid", at.clone())])?);
    Ok(forged)
}

fn critical(attacker: &Attacker) -> Staged<Vec<String>> {
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
            token: Jwt::read(&AccessToken::new(token).unwrap()).unwrap(),
            wish: ("sub", json!("u-2")),
            jwks: crate::fake::jwks([&key]).to_string().into_bytes(),
            elsewhere: "http://127.0.0.1:1/jwks".to_owned(),
            key: SigningKey::rs256("attacker").unwrap(),
        }
    }

    #[test]
    fn every_forgery_is_a_token_that_a_caller_may_present_and_none_is_the_good_one() {
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
    fn the_public_pem_made_of_a_jwk_is_the_one_of_the_key() {
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
