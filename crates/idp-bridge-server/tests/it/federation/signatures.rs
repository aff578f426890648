//! Spellings of a signed token with different signatures: a logout of one rejects all.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_conformance::fake::{FakeServer, SigningKey};
use idp_bridge_core::{CallScope, OutboundPolicy};
use idp_bridge_http::Client;
use idp_bridge_http::oidc::{OpenIdProvider, OpenIdSettings, Rules};
use idp_bridge_server::FederationRules;
use serde_json::json;

use super::idp::Idp;
use super::{bridge, logout, refused, rules, userinfo};
use crate::clock::{BEGIN, TestClock};

/// The order of P-256 (SEC 2, section 2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

struct Issuer {
    server: FakeServer<SigningKey>,
    provider: OpenIdProvider,
}

impl Issuer {
    async fn start() -> Self {
        let server = FakeServer::start(SigningKey::es256("k-1").unwrap()).await.unwrap();
        let policy = OutboundPolicy::default();
        let mut settings = OpenIdSettings::new(server.url(), &policy);
        settings.jwks = Some(format!("{}/keys", server.url()).parse().unwrap());
        let client = Client::new(&policy).unwrap();
        let provider = OpenIdProvider::new(client, settings, Arc::new(TestClock::default())).unwrap();
        Self { server, provider }
    }

    fn token(&self) -> String {
        let claims = json!({"iss": self.server.url(), "sub": "ada", "iat": BEGIN - 60, "exp": BEGIN + 3540});
        self.server.with(|key| key.sign(&key.header("at+jwt"), &claims)).unwrap()
    }

    async fn takes(&self, token: &str) -> bool {
        let scope = CallScope::new("r-1", Duration::from_secs(10));
        self.provider.verify(&scope, token, &Rules::access_token()).await.is_ok()
    }
}

/// Replaces the signature (r, s) of an ES256 token by (r, n − s).
fn twin(token: &str) -> String {
    let (content, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrow = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER).rev() {
        let difference = i16::from(order) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Sets a bit of the last character of a part that no byte of the part uses.
fn with_trailing_bit(part: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (start, last) = part.split_at(part.len() - 1);
    let index = ALPHABET.iter().position(|byte| byte == &last.as_bytes()[0]).unwrap();
    format!("{start}{}", char::from(ALPHABET[index ^ 1]))
}

/// Returns Ada's token without a session, so that only the token itself can be revoked.
fn sessionless(idp: &Idp, token: &str) {
    idp.token(token, |user| user.identity.session = None);
}

#[tokio::test]
async fn twin_signature_does_not_escape_a_logout() {
    let issuer = Issuer::start().await;
    let token = issuer.token();
    let twin = twin(&token);
    assert!(issuer.takes(&token).await && issuer.takes(&twin).await && token != twin);
    for cache in [0, 60] {
        let idp = Idp::new();
        sessionless(&idp, &token);
        sessionless(&idp, &twin);
        let cache = Some(Duration::from_secs(cache));
        let bridge = bridge(&idp, FederationRules { cache, ..rules() }).await;
        for token in [&token, &twin] {
            assert_eq!(bridge.send(&userinfo(token)).await.status, 200);
        }
        assert_eq!(bridge.send(&logout(&token)).await.status, 204);
        for token in [&token, &twin] {
            assert!(refused(&bridge.send(&userinfo(token)).await), "{cache:?}");
        }
    }
}

#[tokio::test]
async fn other_encodings_do_not_escape_a_logout() {
    let issuer = Issuer::start().await;
    let token = issuer.token();
    let (content, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = content.split_once('.').unwrap();
    let of_signature = [
        format!("{token}="),
        format!("{token}=="),
        format!("{content}.{}", with_trailing_bit(signature)),
        format!("{content}.A{signature}"),
    ];
    let of_content = [
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{}.{payload}.{signature}", with_trailing_bit(header)),
        format!("{header}.{}.{signature}", with_trailing_bit(payload)),
    ];
    for other in of_signature.iter().chain(&of_content) {
        assert!(!issuer.takes(other).await, "the signature does not cover this text: {other}");
    }
    // A less strict identity provider accepts other spellings of the signature.
    let idp = Idp::new();
    sessionless(&idp, &token);
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(bridge.send(&logout(&token)).await.status, 204);
    for other in &of_signature {
        sessionless(&idp, other);
        assert!(refused(&bridge.send(&userinfo(other)).await), "{other}");
    }
}

#[tokio::test]
async fn cached_answer_needs_the_validated_signature() {
    let idp = Idp::new();
    idp.ada("a.d.a");
    let bridge = bridge(&idp, FederationRules { cache: Some(Duration::from_secs(60)), ..rules() }).await;
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
    assert!(refused(&bridge.send(&userinfo("a.d.forged")).await));
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
}
