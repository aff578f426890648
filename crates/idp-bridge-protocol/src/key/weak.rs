//! Checks for keys that give no protection: published keys, and public keys with forgeable signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::KeyError;

const VECTORS: &str = "the test vectors of idp-bridge";

/// Public keys with a published private key, each with its source.
const PUBLISHED_PUBLIC: [(&str, &str); 14] = [
    // https://www.rfc-editor.org/rfc/rfc8032#section-7.1, and the first one again in RFC 8037, appendix A.
    ("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "RFC 8032"),
    ("PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=", "RFC 8032"),
    ("/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=", "RFC 8032"),
    ("J4EX/BRMcjQPZ9DyMW6Dhs7/vyskKMnFH+98WX8dQm4=", "RFC 8032"),
    ("7Bcrk61eVjv0kyxw4SRQNMNUZ+8u/U1k6/gZaDRn4r8=", "RFC 8032"),
    // https://www.rfc-editor.org/rfc/rfc8032#section-7.2
    ("38lCXk+Wj38MKfAlnPX5rtaFHCu0rYv7hgz+4KskgpI=", "RFC 8032"),
    ("Dx0SdJQ7kUFYiRUuiT2A6TJ1ofwLZf1xtLDdoQrX13I=", "RFC 8032"),
    // https://www.rfc-editor.org/rfc/rfc8410#section-10
    ("Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=", "RFC 8410"),
    // https://www.rfc-editor.org/rfc/rfc9421#appendix-B.1.4
    ("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=", "RFC 9421"),
    // Typical seeds of examples: 32 zero bytes, and the bytes from 0 to 31.
    ("O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=", "examples"),
    ("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=", "examples"),
    // examples/clients/vectors.json
    ("djmgS21vC7kADN+fVaRweCQylG2w9glUeVjvSet76hk=", VECTORS),
    ("biD2op15vuyz0uc+1JWJM3weGjeY7/Fj6DlXBJWIO7A=", VECTORS),
    ("5F2cu7hwvZd5yrCOxclI5bBsg+Hzs30+GQj539zkJs8=", VECTORS),
];

/// Shared keys in documentation, each with its source.
const PUBLISHED_SHARED: [(&str, &str); 5] = [
    // https://github.com/standard-webhooks/standard-webhooks: the README and the tests of all libraries. Svix's
    // documentation of verification has the first one too, and the pages of many platforms that send with Svix.
    ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "the documentation of Standard Webhooks"),
    ("C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "the documentation of Standard Webhooks"),
    // examples/clients/vectors.json
    ("q0TEB28tLLUE0cXOb6l2foTbWlEIWRFJ", VECTORS),
    ("mBj9HF2z5dlkIRm6NkGh2sxsywod9tTJQQK22AaAff36MKi1ljeRtpZ7Ol4kE1YGWQ7qMSjOZiYe6PY/4W/U4Q==", VECTORS),
    ("bXd32xElQ7/15fviea0VfDNk/+1C9j0rgcVy753B65Q=", VECTORS),
];

/// The y coordinates of all points of small order, without the sign bit of x. Two are not reduced modulo p = 2^255 - 19.
///
/// The order of each divides 8, so one signature verifies for about every eighth message.
/// The same list: https://github.com/jedisct1/libsodium, `ge25519_has_small_order`.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    ends(0x01, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    ends(0xec, 0xff, 0x7f),
    ends(0xed, 0xff, 0x7f),
    ends(0xee, 0xff, 0x7f),
];

/// Returns a number of 32 bytes, least significant first, with equal bytes between the first and the last.
const fn ends(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    let [start, .., end] = &mut bytes;
    (*start, *end) = (first, last);
    bytes
}

/// Rejects a public key of small order, one that is not canonical, and a published one.
pub(super) fn check_public(key: &[u8; 32]) -> Result<(), KeyError> {
    let mut y = *key;
    let [.., last] = &mut y;
    *last &= 0x7f;
    if SMALL_ORDER.contains(&y) {
        return Err(KeyError::SmallOrder);
    }
    if is_not_reduced(&y) {
        return Err(KeyError::NotCanonical);
    }
    check_published(&PUBLISHED_PUBLIC, key)
}

/// Rejects a shared key of zero bytes, and a published one.
pub(super) fn check_shared(key: &[u8]) -> Result<(), KeyError> {
    if key.iter().all(|byte| *byte == 0) {
        return Err(KeyError::Published("examples"));
    }
    check_published(&PUBLISHED_SHARED, key)
}

fn check_published(published: &[(&str, &'static str)], key: &[u8]) -> Result<(), KeyError> {
    let text = STANDARD.encode(key);
    match published.iter().find(|(known, _)| *known == text) {
        Some((_, source)) => Err(KeyError::Published(source)),
        None => Ok(()),
    }
}

/// Returns whether a y coordinate is p or greater.
fn is_not_reduced(y: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = y;
    *first >= 0xed && middle.iter().all(|byte| *byte == 0xff) && *last == 0x7f
}

#[cfg(test)]
mod tests {
    use super::super::{SigningKey, VerifyingKey};
    use super::*;

    /// The seeds of the published keys, in their order and from their sources.
    const SEEDS: [&str; 14] = [
        "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=",
        "TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=",
        "xaqN9D+fg3vtt0QvMdy3sWbThTUHbwlLhc46LgtEWPc=",
        "9eV2fPFTMZUXYw8iaHa4bIFgzFg7wBN0TGvyVfXMDuU=",
        "gz/mJAkje51i7HdYdSCRHpp1nOwdGXVbfakBuW3KPUI=",
        "AwUzTjga948UHLZm9hmfV7w0lTNaJWqVvSpVv1RmY/Y=",
        "q5woU84pfdq4XJk7OuFLytObLGgr6rwn1tTrIHEdZWA=",
        "1O5y2/kTWErVttjx92n4rTr+fCjL8dT74Jeoj0R1WEI=",
        "n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "RDis8CvKAl3mMqoxWW5WMSEFbHCuk7FP2cCQF4rbEpw=",
        "v1msHndCYXpZJPW3svWzt/vmZYsuDoQft+0acrrravk=",
        "3YOT06qDwkTsaIwhFw3dFBN1g6B7iR8+dVXXgR6dgws=",
    ];

    fn public(bytes: &[u8; 32]) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::parse(&format!("whpk_{}", STANDARD.encode(bytes)))
    }

    #[test]
    fn published_pairs_are_rejected() {
        for (seed, (key, source)) in SEEDS.iter().zip(PUBLISHED_PUBLIC) {
            let seed = format!("whsk_{seed}");
            let pair = SigningKey::parse_unchecked(&seed).unwrap();
            assert_eq!(pair.to_verifying_text().expose(), format!("whpk_{key}"), "the list has the key of the seed");
            assert_eq!(SigningKey::parse(&seed).unwrap_err(), KeyError::Published(source));
            assert_eq!(VerifyingKey::parse(&format!("whpk_{key}")), Err(KeyError::Published(source)));
        }
    }

    #[test]
    fn published_shared_keys_are_rejected() {
        let zeros = [24, 32, 64].map(|length| STANDARD.encode(vec![0; length]));
        for key in PUBLISHED_SHARED.iter().map(|(key, _)| *key).chain(zeros.iter().map(String::as_str)) {
            for text in [format!("whsec_{key}"), format!(" whsec_{}\n", key.trim_end_matches('='))] {
                assert!(matches!(VerifyingKey::parse(&text), Err(KeyError::Published(_))), "{text}");
                assert!(matches!(SigningKey::parse(&text), Err(KeyError::Published(_))), "{text}");
            }
        }
    }

    #[test]
    fn keys_of_small_order_are_rejected() {
        for y in SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut key = y;
                key[31] |= sign;
                assert_eq!(public(&key), Err(KeyError::SmallOrder), "{key:x?}");
            }
        }
    }

    #[test]
    fn keys_that_are_not_canonical_are_rejected() {
        for first in 0xef..=0xff {
            for last in [0x7f, 0xff] {
                assert_eq!(public(&ends(first, 0xff, last)), Err(KeyError::NotCanonical), "{first:x} {last:x}");
            }
        }
        assert!(public(&ends(0xeb, 0xff, 0x7f)).is_ok());
    }
}
