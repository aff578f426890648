//! Tests of forged, altered and malformed tokens.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_core::ErrorKind;
use idp_bridge_http::oidc::{Algorithm, Rules};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::issuer::{Issuer, NOW};
use super::keys::{Key, b64};
use crate::server::scope;

#[tokio::test]
async fn every_algorithm_is_accepted() {
    for (key, algorithms) in [
        (Key::rsa(), &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..]),
        (Key::p256(), &["ES256"]),
        (Key::p384(), &["ES384"]),
        (Key::ed(), &["EdDSA", "Ed25519"]),
    ] {
        let issuer = Issuer::start(key).await;
        for algorithm in algorithms {
            let token = issuer.key.token(&json!({"alg": algorithm, "kid": "k-1", "typ": "JWT"}), &issuer.claims());
            let claims = issuer.verify(&token).await.unwrap();
            assert_eq!((claims.text("sub"), claims.check_client(|id| id == "shop").unwrap()), (Some("u-1"), "shop"));
        }
        // The document and the keys are fetched once.
        assert_eq!(issuer.server.received().len(), 2);
    }
}

#[tokio::test]
async fn algorithm_must_match_the_key() {
    let issuer = Issuer::start(Key::rsa()).await;
    let claims = issuer.claims();
    let body = |header: Value| format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
    for none in ["none", "None", "NONE", "nOnE", ""] {
        for signature in ["", "AA"] {
            issuer.refusal(&format!("{}.{signature}", body(json!({"alg": none, "kid": "k-1", "typ": "JWT"})))).await;
        }
    }
    // The public key is used as an HMAC secret.
    for (name, algorithm) in [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        let secrets = [issuer.key.public_der(), issuer.key.jwk("k-1")["n"].as_str().unwrap().into(), Vec::new()];
        for secret in secrets {
            let body = body(json!({"alg": name, "kid": "k-1", "typ": "JWT"}));
            let tag = hmac::sign(&hmac::Key::new(algorithm, &secret), body.as_bytes());
            issuer.refusal(&format!("{body}.{}", b64(tag))).await;
        }
    }
    for other in ["ES256", "ES384", "EdDSA", "PS256", "RS512", "RS257"] {
        let signed = body(json!({"alg": other, "kid": "k-1", "typ": "JWT"}));
        issuer.refusal(&issuer.key.sign(&signed, "RS256")).await;
    }
    for odd in [json!(null), json!(["RS256"]), json!(256), json!({"alg": "RS256"})] {
        issuer.refusal(&issuer.key.sign(&body(json!({"alg": odd, "kid": "k-1", "typ": "JWT"})), "RS256")).await;
    }
    issuer.refusal(&issuer.key.sign(&body(json!({"kid": "k-1", "typ": "JWT"})), "RS256")).await;
    // The key allows the algorithm, but the rules do not.
    let rules = Rules { algorithms: vec![Algorithm::Es256], ..Rules::access_token() };
    let error = issuer.provider.verify(&scope(), &issuer.token(), &rules).await.unwrap_err();
    assert!(error.message().contains("alg"), "{error}");
}

#[tokio::test]
async fn keys_in_tokens_are_ignored() {
    let issuer = Issuer::start(Key::rsa()).await;
    let own = Key::rsa();
    let elsewhere = Issuer::start(Key::rsa()).await;
    let url = format!("{}/jwks", elsewhere.server.base());
    for (name, value) in [
        ("jwk", own.jwk("k-1")),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!([b64("certificate")])),
        ("x5t", json!("AAAA")),
    ] {
        for kid in [json!("k-1"), json!("k-2")] {
            let mut header = json!({"alg": "RS256", "kid": kid, "typ": "at+jwt"});
            header[name] = value.clone();
            assert_rejected(&issuer, &own.token(&header, &issuer.claims())).await;
            let mut header = issuer.header();
            header[name] = value.clone();
            assert!(issuer.verify(&issuer.key.token(&header, &issuer.claims())).await.is_ok(), "{name} is not read");
        }
    }
    assert!(elsewhere.server.received().is_empty());
    for kid in [
        json!("../../dev/null"),
        json!("k-1' OR '1'='1"),
        json!("K-1"),
        json!(""),
        json!(url),
        json!("k-1\u{0}"),
        json!(["k-1"]),
        json!(null),
        json!(1),
    ] {
        let header = json!({"alg": "RS256", "kid": kid, "typ": "JWT"});
        assert_rejected(&issuer, &issuer.key.token(&header, &issuer.claims())).await;
    }
}

/// Checks that a token is invalid, or has an unknown key shortly after a refresh.
async fn assert_rejected(issuer: &Issuer, token: &str) {
    let error = issuer.verify(token).await.expect_err(token);
    assert!(matches!(error.kind(), ErrorKind::InvalidToken | ErrorKind::Unavailable), "{error:?} for {token}");
}

#[tokio::test]
async fn critical_headers_are_rejected() {
    let issuer = Issuer::start(Key::p256()).await;
    for (name, value) in [("crit", json!(["exp"])), ("crit", json!([])), ("crit", json!(null)), ("b64", json!(false))] {
        let mut header = issuer.header();
        header[name] = value;
        issuer.refusal(&issuer.key.token(&header, &issuer.claims())).await;
    }
}

#[tokio::test]
async fn type_must_match_the_rules() {
    let issuer = Issuer::start(Key::p256()).await;
    let typed = |typ: Value| {
        let mut header = issuer.header();
        header["typ"] = typ;
        issuer.key.token(&header, &issuer.claims())
    };
    let mut untyped = issuer.header();
    untyped.as_object_mut().unwrap().remove("typ");
    let untyped = issuer.key.token(&untyped, &issuer.claims());
    for (rules, taken, refused) in [
        (
            Rules::access_token(),
            &["JWT", "jwt", "at+jwt", "application/at+JWT"][..],
            &["logout+jwt", "", "dpop+jwt"][..],
        ),
        (Rules::rfc9068(), &["at+jwt", "AT+JWT"], &["JWT", "application/application/at+jwt", "at+jwt "]),
        (Rules::with_types(&["logout+jwt"]), &["logout+jwt"], &["at+jwt", "JWT"]),
    ] {
        for typ in taken {
            assert!(issuer.provider.verify(&scope(), &typed(json!(typ)), &rules).await.is_ok(), "{typ}");
        }
        for typ in refused {
            assert!(issuer.provider.verify(&scope(), &typed(json!(typ)), &rules).await.is_err(), "{typ}");
        }
        assert_eq!(issuer.provider.verify(&scope(), &untyped, &rules).await.is_ok(), rules.allow_untyped);
    }
    issuer.refusal(&typed(json!(null))).await;
    issuer.refusal(&typed(json!(["JWT"]))).await;
}

#[tokio::test]
async fn issuer_and_times_are_checked() {
    let issuer = Issuer::start(Key::ed()).await;
    let base = issuer.server.base();
    let with = |name: &str, value: Value| {
        let mut claims = issuer.claims();
        claims[name] = value;
        issuer.key.token(&issuer.header(), &claims)
    };
    for other in [
        json!(format!("{base}/")),
        json!(base.to_uppercase()),
        json!(format!(" {base}")),
        json!([base]),
        json!("https://evil.example"),
        json!(""),
        json!(null),
    ] {
        issuer.refusal(&with("iss", other)).await;
    }
    assert!(issuer.server.received().is_empty(), "tokens of other issuers cost no request");
    for (name, bad) in [
        ("exp", json!(NOW)),
        ("exp", json!(NOW - 1)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("exp", json!(format!("{}", NOW + 60))),
        ("exp", json!(u64::MAX)),
        ("exp", json!(1e300)),
        ("nbf", json!(NOW + 31)),
        ("nbf", json!("soon")),
        ("iat", json!(NOW + 31)),
        ("iat", json!(null)),
        ("iat", json!([NOW])),
    ] {
        issuer.refusal(&with(name, bad)).await;
    }
    for (name, good) in
        [("exp", json!(NOW + 1)), ("exp", json!(NOW as f64 + 1.5)), ("nbf", json!(NOW + 30)), ("iat", json!(NOW + 30))]
    {
        assert!(issuer.verify(&with(name, good.clone())).await.is_ok(), "{name} {good}");
    }
    for name in ["iss", "exp"] {
        let mut claims = issuer.claims();
        claims.as_object_mut().unwrap().remove(name);
        issuer.refusal(&issuer.key.token(&issuer.header(), &claims)).await;
    }
    let day = std::time::Duration::from_secs(86_400);
    let late = Rules::access_token().with_expiry_tolerance(day);
    for (exp, taken) in [(NOW - 86_399, true), (NOW - 86_400, false)] {
        let token = with("exp", json!(exp));
        assert_eq!(issuer.provider.verify(&scope(), &token, &late).await.is_ok(), taken, "{exp}");
    }
}

#[tokio::test]
async fn malformed_tokens_cost_no_request() {
    let issuer = Issuer::start(Key::p256()).await;
    let token = issuer.token();
    let parts: Vec<&str> = token.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let twice = b64(r#"{"alg":"ES256","kid":"k-1","alg":"ES256"}"#);
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "a.b.c".into(),
        format!("{header}.{claims}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.a.b"),
        format!("{token}.a.b.c.d.e.f"),
        format!("{header}=.{claims}.{signature}"),
        format!("{}.{claims}.{signature}", b64("[]")),
        format!("{}.{claims}.{signature}", b64("{}")),
        format!("{twice}.{claims}.{signature}"),
        format!("{}.{claims}.{signature}", header.replace('e', "é")),
        format!("{token}{}", "A".repeat(20_000)),
    ] {
        issuer.refusal(&bad).await;
    }
    assert!(issuer.server.received().is_empty());
}

#[tokio::test]
async fn other_encodings_are_rejected() {
    let issuer = Issuer::start(Key::p256()).await;
    let token = issuer.token();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    // Another encoding of a token has another hash, so a list of revoked hashes would not contain it.
    for other in [
        format!("{token}="),
        format!("{token}=="),
        format!("{signed}.{}", signature.replace('-', "+").replace('_', "/") + "+"),
        format!("{signed}.{signature}A"),
        format!("{signed}.{}", &signature[..signature.len() - 1]),
        format!("{signed}.{signature}\n"),
        format!(" {token}"),
        format!("{signed}."),
        format!("{signed}.{}", b64([0; 64])),
    ] {
        issuer.refusal(&other).await;
    }
    // The last character encodes four unused bits. Only one of the sixteen values is valid.
    let last = signature.chars().last().unwrap();
    for other in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).filter(|other| *other != last) {
        issuer.refusal(&format!("{signed}.{}{other}", &signature[..signature.len() - 1])).await;
    }
    let twice = r#"{"sub":"u-1","sub":"u-2"}"#
        .replace("}", &format!(r#","iss":"{}","exp":{}}}"#, issuer.server.base(), NOW + 9));
    let signed = format!("{}.{}", b64(issuer.header().to_string()), b64(twice));
    assert!(issuer.refusal(&issuer.key.sign(&signed, "ES256")).await.message().contains("claims"));
    for no_object in ["[]", "null", "\"x\"", "{", "{} {}"] {
        let signed = format!("{}.{}", b64(issuer.header().to_string()), b64(no_object));
        issuer.refusal(&issuer.key.sign(&signed, "ES256")).await;
    }
}

/// Returns false if the header of a token is readable and does not name the issuer's key.
fn names_the_key(token: &str) -> bool {
    let header = token.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header = header.and_then(|header| serde_json::from_slice::<Value>(&header).ok());
    header.is_none_or(|header| header["kid"] == "k-1")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn changed_tokens_are_rejected(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9._=+/ -]") {
        thread_local! {
            static BENCH: (tokio::runtime::Runtime, Issuer) = {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let issuer = runtime.block_on(Issuer::start(Key::p256()));
                (runtime, issuer)
            };
        }
        BENCH.with(|(runtime, issuer)| {
            let token = issuer.token();
            let at = at.index(token.len());
            let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
            if changed == token {
                return;
            }
            if names_the_key(&changed) {
                runtime.block_on(issuer.refusal(&changed));
            } else {
                // Until the next refresh, the key may be a new one.
                let error = runtime.block_on(issuer.verify(&changed)).expect_err(&changed);
                let waits = error.kind() == ErrorKind::Unavailable && error.retry_after().is_some();
                assert!(waits || error.kind() == ErrorKind::InvalidToken, "{error:?} for {changed}");
            }
        });
    }
}
