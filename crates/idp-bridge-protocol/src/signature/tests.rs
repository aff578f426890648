//! Tests with published vectors, an independent implementation, and malformed headers.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_700_000_000;
const SHARED: &str = "whsec_MSRjPPxLmJtpK9OVH8KDqggkVjFnu0Oevow4dEoKvE0=";

fn ring(keys: &[&str]) -> KeyRing {
    KeyRing::new(keys.iter().map(|key| VerifyingKey::parse_unchecked(key).unwrap()).collect()).unwrap()
}

fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
    let value = |text: &str| HeaderValue::from_str(text).unwrap();
    HeaderMap::from_iter([(ID, value(id)), (TIMESTAMP, value(timestamp)), (SIGNATURE, value(signature))])
}

fn signed(body: &[u8]) -> HeaderMap {
    let signature = sign(&[SigningKey::parse(SHARED).unwrap()], "msg_1", NOW, body);
    headers("msg_1", &NOW.to_string(), &signature)
}

#[test]
fn published_vectors_are_valid() {
    // Standard Webhooks, libraries/rust and libraries/go; the third was computed with an independent Ed25519.
    let vectors = [
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
            "msg_ed25519vector1",
            1_767_323_045,
            r#"{"type":"ping","timestamp":"2026-01-02T03:04:05Z","tenant":"acme","data":{}}"#,
            "v1a,3B66nugDK6XWo3Iwyy4IfnwnH0eCSBCFFEJToGXFE/ghwRyk4z5wUU+QpDYzIVvwkLFq62CGJXZJozmzaPE1Bw==",
        ),
    ];
    for (key, id, timestamp, body, signature) in vectors {
        let headers = headers(id, &timestamp.to_string(), signature);
        assert_eq!(ring(&[key]).verify(&headers, body.as_bytes(), timestamp), Ok(id));
        assert_eq!(
            ring(&[key]).verify(&headers, format!("{body} ").as_bytes(), timestamp),
            Err(SignatureError::Invalid)
        );
    }
}

#[test]
fn signing_reproduces_the_ed25519_vector() {
    let mut seed = [0; 32];
    (0_u8..).zip(seed.iter_mut()).for_each(|(value, byte)| *byte = value);
    let key = SigningKey::from_seed(seed).unwrap();
    assert_eq!(key.to_verifying_text().expose(), "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=");
    let body = br#"{"type":"ping","timestamp":"2026-01-02T03:04:05Z","tenant":"acme","data":{}}"#;
    assert_eq!(
        sign(&[key], "msg_ed25519vector1", 1_767_323_045, body),
        "v1a,3B66nugDK6XWo3Iwyy4IfnwnH0eCSBCFFEJToGXFE/ghwRyk4z5wUU+QpDYzIVvwkLFq62CGJXZJozmzaPE1Bw=="
    );
}

#[test]
fn any_key_and_any_token_is_accepted() {
    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let public = SigningKey::from_seed([5; 32]).unwrap();
    let public_text = public.to_verifying_text();
    let both = sign(&[SigningKey::parse(SHARED).unwrap(), public], "msg_1", NOW, b"{}");
    let eight = format!("  {}{},  ", "v9,AAAA ".repeat(6), both);
    let headers = headers("msg_1", &NOW.to_string(), &eight);
    for keys in [&[SHARED][..], &[public_text.expose()], &[other, SHARED], &[other, public_text.expose()]] {
        assert_eq!(ring(keys).verify(&headers, b"{}", NOW), Ok("msg_1"));
    }
    assert_eq!(ring(&[other]).verify(&headers, b"{}", NOW), Err(SignatureError::Invalid));
    assert_eq!(KeyRing::empty().verify(&headers, b"{}", NOW), Err(SignatureError::Invalid));
}

#[test]
fn malformed_tokens_are_ignored() {
    let good = sign(&[SigningKey::parse(SHARED).unwrap()], "msg_1", NOW, b"{}");
    let text = good.strip_prefix("v1,").unwrap();
    let filler = ["v2,AAAA"; 8].join(" ");
    for bad in [
        format!("v1a,{text}"),
        format!("v1,{}", text.strip_suffix('=').unwrap()),
        format!("v1,{text}AAAA"),
        text.to_owned(),
        "v1".to_owned(),
        "v1,".to_owned(),
        String::new(),
        format!("{filler} {good}"),
        format!("{good} {filler}"),
    ] {
        let headers = headers("msg_1", &NOW.to_string(), &bad);
        assert_eq!(ring(&[SHARED]).verify(&headers, b"{}", NOW), Err(SignatureError::Invalid), "{bad}");
    }
}

/// Returns headers with one well-formed, invalid token per version.
fn invalid_tokens(versions: &[&str]) -> HeaderMap {
    let token = |version: &&str| {
        let length = if *version == "v1a" { 64 } else { 32 };
        format!("{version},{}", STANDARD.encode(vec![7; length]))
    };
    headers("msg_1", &NOW.to_string(), &versions.iter().map(token).collect::<Vec<_>>().join(" "))
}

#[test]
fn rejected_call_takes_four_checks_with_any_ring() {
    let public = |seed| SigningKey::from_seed([seed; 32]).unwrap().to_verifying_text().expose().to_owned();
    let shared = |byte| SigningKey::from_shared([byte; 32]).to_verifying_text().expose().to_owned();
    let rings = [
        KeyRing::empty(),
        ring(&[&public(1)]),
        ring(&[&shared(1), &public(1)]),
        ring(&[&public(1), &public(2), &public(3), &public(4)]),
        ring(&[&shared(1), &shared(2), &public(1), &public(2)]),
    ];
    for (versions, checks) in [
        (&["v1a"][..], 4),
        (&["v1", "v1a"], 4),
        (&["v1a"; 3], 4),
        (&["v1a"; 8], 4),
        (&["v1", "v1", "v1", "v1", "v1a"], 4),
        (&["v9", "v9"], 0),
        (&[], 0),
        (&["v1a"; 9], 0),
    ] {
        for ring in &rings {
            let headers = invalid_tokens(versions);
            let counted = ring.verify_counted(&headers, b"{}", NOW);
            assert_eq!(counted, (Err(SignatureError::Invalid), checks), "{versions:?} {ring:?}");
        }
    }
}

#[test]
fn key_id_is_the_beginning_of_a_digest() {
    // printf 0123456789abcdef0123456789abcdef | sha256sum
    let shared = VerifyingKey::parse("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap();
    assert_eq!(shared.id(), "3eb1bd43");
}

#[test]
fn at_most_four_pairs_are_checked() {
    let keys: Vec<_> = (1..=4).map(|seed| SigningKey::from_seed([seed; 32]).unwrap()).collect();
    let texts: Vec<_> = keys.iter().map(|key| key.to_verifying_text().expose().to_owned()).collect();
    let ring = |count: usize| ring(&texts.iter().take(count).map(String::as_str).collect::<Vec<_>>());
    let signed = |strangers: usize, by: usize| {
        let mut all: Vec<_> = (0..strangers).map(|n| SigningKey::from_seed([100 + n as u8; 32]).unwrap()).collect();
        all.push(SigningKey::from_seed([by as u8; 32]).unwrap());
        headers("msg_1", &NOW.to_string(), &sign(&all, "msg_1", NOW, b"{}"))
    };
    // The number of keys, of invalid tokens before the valid one, the index of the valid token's key, and the number of checks.
    for (count, before, by, checks) in [(1, 0, 1, 1), (1, 3, 1, 4), (2, 1, 1, 2), (2, 1, 2, 4), (4, 0, 4, 4)] {
        let headers = signed(before, by);
        let counted = ring(count).verify_counted(&headers, b"{}", NOW);
        let signed_by = ring(count).keys()[by - 1].id();
        let verified = Verified { id: "msg_1", key_id: signed_by.into() };
        assert_eq!(counted, (Ok(verified), checks), "{count} {before} {by}");
    }
    for (count, before, by) in [(1, 4, 1), (2, 2, 2), (3, 1, 3)] {
        let headers = signed(before, by);
        let counted = ring(count).verify_counted(&headers, b"{}", NOW);
        assert_eq!(counted, (Err(SignatureError::Invalid), 4), "{count} {before} {by}");
    }
}

#[test]
fn missing_and_repeated_headers_are_rejected() {
    for name in [ID, TIMESTAMP, SIGNATURE] {
        let mut doubled = signed(b"{}");
        let value = doubled[&name].clone();
        doubled.append(&name, value);
        assert_eq!(ring(&[SHARED]).verify(&doubled, b"{}", NOW), Err(SignatureError::Invalid), "{name}");
        let mut missing = signed(b"{}");
        missing.remove(&name);
        assert_eq!(ring(&[SHARED]).verify(&missing, b"{}", NOW), Err(SignatureError::Invalid), "{name}");
    }
    for encoding in ["gzip", "identity"] {
        let mut encoded = signed(b"{}");
        encoded.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        assert_eq!(ring(&[SHARED]).verify(&encoded, b"{}", NOW), Err(SignatureError::Invalid), "{encoding}");
    }
}

#[test]
fn malformed_ids_and_timestamps_are_rejected() {
    let key = || [SigningKey::parse(SHARED).unwrap()];
    for bad in ["a.b", "a b", "ä", "", &"x".repeat(129)] {
        let signature = sign(&key(), bad, NOW, b"{}");
        let Ok(value) = HeaderValue::from_bytes(bad.as_bytes()) else { panic!("not a header value") };
        let mut headers = headers("x", &NOW.to_string(), &signature);
        headers.insert(ID, value);
        assert_eq!(ring(&[SHARED]).verify(&headers, b"{}", NOW), Err(SignatureError::Invalid), "{bad}");
    }
    for bad in ["", "01700000000", "-1", "+1700000000", "1700000000 ", "1.7e9", "1000000000000", "9223372036854775808"]
    {
        assert_eq!(parse_timestamp(bad), None, "{bad}");
    }
    assert_eq!(parse_timestamp("0"), Some(0));
    assert_eq!(parse_timestamp("999999999999"), Some(999_999_999_999));
}

#[test]
fn time_is_checked_after_the_signature() {
    let headers = signed(b"{}");
    for (now, expected) in [
        (NOW + 300, Ok("msg_1")),
        (NOW - 300, Ok("msg_1")),
        (NOW + 301, Err(SignatureError::TimestampOutOfRange)),
        (NOW - 301, Err(SignatureError::TimestampOutOfRange)),
        (i64::MAX, Err(SignatureError::TimestampOutOfRange)),
        (i64::MIN, Err(SignatureError::TimestampOutOfRange)),
    ] {
        assert_eq!(ring(&[SHARED]).verify(&headers, b"{}", now), expected, "{now}");
    }
    assert_eq!(ring(&[SHARED]).verify(&headers, b"{ }", i64::MAX), Err(SignatureError::Invalid));
}

#[test]
fn ring_has_one_to_four_keys() {
    let key = || VerifyingKey::parse(SHARED).unwrap();
    assert!(KeyRing::new(vec![]).is_none());
    assert!(KeyRing::new(vec![key(), key(), key(), key()]).is_some());
    assert!(KeyRing::new(vec![key(), key(), key(), key(), key()]).is_none());
}

proptest! {
    /// Compares with the independent crate `standardwebhooks`.
    #[test]
    fn v1_matches_an_independent_implementation(
        key in proptest::collection::vec(any::<u8>(), 24..=64), id in "[A-Za-z0-9_-]{1,40}", body in ".{0,200}"
    ) {
        let text = format!("whsec_{}", STANDARD.encode(&key));
        let oracle = standardwebhooks::Webhook::new(&text).unwrap();
        let ours = sign(&[SigningKey::parse(&text).unwrap()], &id, NOW, body.as_bytes());
        prop_assert_eq!(&ours, &oracle.sign(&id, NOW, body.as_bytes()).unwrap());
        let headers = headers(&id, &NOW.to_string(), &ours);
        prop_assert_eq!(ring(&[&text]).verify(&headers, body.as_bytes(), NOW), Ok(id.as_str()));
    }

    #[test]
    fn changed_body_is_rejected(position in 0_usize..200, flip in 1_u8..=255) {
        let body = br#"{"type":"users.delete","tenant":"acme","data":{"id":"u-1"}}"#;
        let headers = signed(body);
        let mut changed = body.to_vec();
        let position = position % changed.len();
        changed[position] ^= flip;
        prop_assert_eq!(ring(&[SHARED]).verify(&headers, &changed, NOW), Err(SignatureError::Invalid));
    }

    #[test]
    fn arbitrary_headers_never_panic(id in "\\PC{0,20}", timestamp in "[0-9+-]{0,24}", signature in "\\PC{0,80}") {
        let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).unwrap_or(HeaderValue::from_static(""));
        let headers = HeaderMap::from_iter([(ID, value(&id)), (TIMESTAMP, value(&timestamp)), (SIGNATURE, value(&signature))]);
        prop_assert_eq!(ring(&[SHARED]).verify(&headers, b"{}", NOW), Err(SignatureError::Invalid));
    }
}

#[test]
fn vectors_of_clients_are_reproduced_and_verified() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/clients/vectors.json");
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 6, "{vectors:?}");
    for vector in vectors {
        let text = |member: &str| vector[member].as_str().unwrap();
        let (id, body, timestamp) = (text("webhook_id"), text("body"), vector["webhook_timestamp"].as_i64().unwrap());
        let key = SigningKey::parse_unchecked(text("signing_key")).unwrap();
        assert_eq!(key.to_verifying_text().expose(), text("verifying_key"), "{vector}");
        assert_eq!(sign(&[key], id, timestamp, body.as_bytes()), text("webhook_signature"), "{vector}");
        let (ring, headers) =
            (ring(&[text("verifying_key")]), headers(id, &timestamp.to_string(), text("webhook_signature")));
        assert_eq!(ring.verify(&headers, body.as_bytes(), timestamp), Ok(id), "{vector}");
        assert!(ring.verify(&headers, format!("{body} ").as_bytes(), timestamp).is_err(), "{vector}");
        assert!(SigningKey::parse(text("signing_key")).is_err(), "published keys are refused: {vector}");
        assert!(VerifyingKey::parse(text("verifying_key")).is_err(), "published keys are refused: {vector}");
    }
}
