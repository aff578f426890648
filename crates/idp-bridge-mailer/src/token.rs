//! The tokens in the links of mails, and the signatures of webhooks.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_core::jiff::{SignedDuration, Timestamp};
use idp_bridge_core::{
    Clock, ConnectorContext, Email, Error, ErrorKind, MailKind, MailToken, MailTokens, Random, Result, Secret,
    TenantId, UserId, UserRecord,
};
use idp_bridge_protocol::{KeyError, SigningKey, VerifyingKey, signature};
use serde::{Deserialize, Serialize};

/// The maximum length of a token in bytes.
const MAX_TOKEN: usize = 2048;

/// The lifetime of a token of a password reset.
const RESET: SignedDuration = SignedDuration::from_hours(1);
/// The lifetime of all other tokens.
const LONG: SignedDuration = SignedDuration::from_hours(24);

/// Signs webhooks and tokens with the tenant's key.
pub struct Signer {
    key: [SigningKey; 1],
    verifying_key: VerifyingKey,
    tenant: TenantId,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// The identity of a mail, and its token.
pub struct Ticket {
    /// The id of the mail, which is also the id of its webhook.
    pub id: String,
    /// The time of issue.
    pub issued: Timestamp,
    /// The end of the token.
    pub expires: Timestamp,
    /// The token in the link of the mail.
    pub token: String,
}

/// The purpose of a token.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload<'a> {
    kind: Cow<'a, str>,
    tenant: Cow<'a, str>,
    id: Cow<'a, str>,
    email: Cow<'a, str>,
}

impl Signer {
    /// Parses the key.
    pub fn new(key: &Secret, context: &ConnectorContext) -> Result<Self> {
        let invalid = |error: KeyError| {
            Error::misconfigured(format!("`mail.signing_key` is not a key: {error}"))
                .with("setting", "mail")
                .with_hint("`idp-bridge keys new` prints one")
        };
        let key = SigningKey::parse(key.expose()).map_err(invalid)?;
        let verifying_key = VerifyingKey::parse(key.to_verifying_text().expose()).map_err(invalid)?;
        if context.webhook_key_digests.contains(&verifying_key.digest()) {
            return Err(Error::misconfigured("`mail.signing_key` is the key of one of `webhook_keys`")
                .with("setting", "mail")
                .with_hint("`idp-bridge keys new` prints another one, so that no token of a mail signs a call"));
        }
        let (tenant, clock, random) = (context.tenant.clone(), context.clock.clone(), context.random.clone());
        Ok(Self { key: [key], verifying_key, tenant, clock, random })
    }

    /// Returns the tenant.
    pub(crate) fn tenant(&self) -> &str {
        self.tenant.as_str()
    }

    /// Returns the identity of a webhook without a token.
    pub(crate) fn ticket(&self) -> Result<Ticket> {
        let now = self.clock.now();
        Ok(Ticket { id: format!("mail_{}", self.random.word()?), issued: now, expires: now, token: String::new() })
    }

    /// Issues a token for the address of a user, and returns both. A user without an address is `State`.
    ///
    /// It has four parts, separated by dots: its id, its end in seconds since 1970, and a payload and a signature in base64url.
    /// The signature is of all that precedes its dot, as Standard Webhooks signs an id, a timestamp and a body.
    pub fn issue<'a>(&self, kind: MailKind, user: &'a UserRecord) -> Result<(Ticket, &'a Email)> {
        let email = user.email.as_ref().ok_or_else(|| Error::state("the user has no email"))?;
        let ticket = self.ticket()?;
        let lifetime = match kind {
            MailKind::PasswordReset => RESET,
            MailKind::Verification => LONG,
        };
        let unwritable = || Error::ours(ErrorKind::Unexpected, "a token cannot be written");
        let expires = ticket.issued.checked_add(lifetime).map_err(|_| unwritable())?;
        let payload = Payload {
            kind: kind.as_str().into(),
            tenant: self.tenant().into(),
            id: user.id.as_str().into(),
            email: email.as_str().into(),
        };
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&payload).map_err(|_| unwritable())?);
        let signed = self.sign(&ticket.id, expires.as_second(), payload.as_bytes());
        // `v1,` or `v1a,`, and the signature in base64.
        let (_, signed) = signed.split_once(',').ok_or_else(unwritable)?;
        let signed = signed.trim_end_matches('=').replace('+', "-").replace('/', "_");
        let token = format!("{}.{}.{payload}.{signed}", ticket.id, expires.as_second());
        Ok((Ticket { expires, token, ..ticket }, email))
    }

    /// Returns the value of `webhook-signature`.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        signature::sign(&self.key, id, timestamp, body)
    }

    /// Returns the parts of a token with a valid signature, if it has not ended.
    fn open(&self, token: &str) -> Option<(String, Payload<'static>)> {
        let (signed, signed_by) = token.rsplit_once('.').filter(|_| token.len() <= MAX_TOKEN)?;
        let signature = URL_SAFE_NO_PAD.decode(signed_by).ok()?;
        if !self.verifying_key.verifies(signed.as_bytes(), &signature) {
            return None;
        }
        let mut parts = signed.split('.');
        let (id, end, payload) = (parts.next()?, parts.next()?.parse::<i64>().ok()?, parts.next()?);
        if parts.next().is_some() || self.clock.now().as_second() >= end {
            return None;
        }
        let payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        Some((id.to_owned(), payload))
    }
}

impl MailTokens for Signer {
    fn verify(&self, kind: MailKind, token: &str) -> Result<MailToken> {
        let opened =
            self.open(token).filter(|(_, payload)| payload.kind == kind.as_str() && payload.tenant == self.tenant());
        let token = opened.and_then(|(id, Payload { id: user, email, .. })| {
            Some(MailToken { id, user: UserId::new(user).ok()?, email: Email::new(email).ok()? })
        });
        token.ok_or_else(|| Error::invalid_token("the token of a mail is invalid or has ended"))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use idp_bridge_core::UserId;
    use serde_json::{Value, json};

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn signer() -> Signer {
        let key = SigningKey::from_shared(KEY).to_text();
        Signer::new(&key, &ConnectorContext::new(TenantId::new("acme").unwrap())).unwrap()
    }

    fn user(id: &str) -> UserRecord {
        let email = Email::new("ada@acme.example").unwrap();
        UserRecord { email: Some(email), ..UserRecord::new(UserId::new(id).unwrap()) }
    }

    /// Verifies a token by the documented steps.
    fn verify_by_hand(token: &str) -> Option<(i64, Value)> {
        let (signed, signature) = token.rsplit_once('.')?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &KEY);
        hmac::verify(&key, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        let mut parts = signed.split('.').skip(1);
        let end = parts.next()?.parse().ok()?;
        Some((end, serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?))
    }

    #[test]
    fn tokens_are_verified_as_documented() {
        let ada = user("u.1");
        for (kind, hours) in [(MailKind::Verification, 24), (MailKind::PasswordReset, 1)] {
            let (ticket, _) = signer().issue(kind, &ada).unwrap();
            let (end, payload) = verify_by_hand(&ticket.token).unwrap();
            assert_eq!(end - ticket.issued.as_second(), hours * 3600);
            assert_eq!(
                payload,
                json!({"kind": kind.as_str(), "tenant": "acme", "id": "u.1", "email": "ada@acme.example"})
            );
        }
    }

    #[test]
    fn changed_tokens_are_invalid() {
        let issue = |id| signer().issue(MailKind::Verification, &user(id)).unwrap().0.token;
        let (token, other) = (issue("u-1"), issue("u-2"));
        let part = |token: &str, index: usize| token.split('.').nth(index).unwrap().to_owned();
        for index in 0..3 {
            let changed = token.replace(&part(&token, index), &format!("{}1", part(&other, index)));
            assert_eq!(verify_by_hand(&changed), None, "{changed}");
            assert!(signer().verify(MailKind::Verification, &changed).is_err(), "{changed}");
        }
        assert_ne!(part(&token, 0), part(&other, 0));
    }

    /// A clock that does not advance.
    #[derive(Debug)]
    struct At(Timestamp);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    fn signer_with(key: &SigningKey, tenant: &str, after: i64) -> Signer {
        let mut context = ConnectorContext::new(TenantId::new(tenant).unwrap());
        context.clock = Arc::new(At(Timestamp::from_second(1_796_000_000 + after).unwrap()));
        Signer::new(&key.to_text(), &context).unwrap()
    }

    #[test]
    fn own_tokens_are_accepted_until_their_end() {
        for key in [SigningKey::from_shared(KEY), SigningKey::from_seed(KEY).unwrap()] {
            let ada = user("u.1\"é");
            for (kind, lifetime) in [(MailKind::Verification, 24 * 3600), (MailKind::PasswordReset, 3600)] {
                let (ticket, email) = signer_with(&key, "acme", 0).issue(kind, &ada).unwrap();
                let verify = |kind, tenant, after| signer_with(&key, tenant, after).verify(kind, &ticket.token);
                let expected = MailToken { id: ticket.id.clone(), user: ada.id.clone(), email: email.clone() };
                assert_eq!(verify(kind, "acme", lifetime - 1).unwrap(), expected);
                let other =
                    if kind == MailKind::Verification { MailKind::PasswordReset } else { MailKind::Verification };
                for refused in [verify(kind, "acme", lifetime), verify(kind, "hooli", 0), verify(other, "acme", 0)] {
                    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidToken);
                }
            }
        }
    }

    #[test]
    fn foreign_tokens_are_refused() {
        let own = signer_with(&SigningKey::from_shared(KEY), "acme", 0);
        let issue =
            |key: SigningKey| signer_with(&key, "acme", 0).issue(MailKind::Verification, &user("u-1")).unwrap().0;
        let token = issue(SigningKey::from_shared(KEY)).token;
        assert!(own.verify(MailKind::Verification, &token).is_ok());
        let (head, signature) = token.rsplit_once('.').unwrap();
        let webhook = own.sign("mail_1", 1_796_000_100, b"{}").replace('+', "-").replace('/', "_");
        let webhook = webhook.trim_start_matches("v1,").trim_end_matches('=');
        for other in [
            String::new(),
            "...".to_owned(),
            head.to_owned(),
            format!("{head}."),
            format!("{head}.{signature}="),
            format!("{head}.x.{signature}"),
            format!(" {token}"),
            token.to_uppercase(),
            "x".repeat(MAX_TOKEN + 1),
            format!("mail_1.1796000100.{{}}.{webhook}"),
            issue(SigningKey::from_shared([8; 32])).token,
            issue(SigningKey::from_seed(KEY).unwrap()).token,
        ] {
            assert!(own.verify(MailKind::Verification, &other).is_err(), "{other}");
        }
    }

    #[test]
    fn keys_of_calls_are_refused() {
        let mut context = ConnectorContext::new(TenantId::new("acme").unwrap());
        let keys = [SigningKey::from_shared(KEY), SigningKey::from_seed(KEY).unwrap()];
        for key in &keys {
            let digest = VerifyingKey::parse(key.to_verifying_text().expose()).unwrap().digest();
            context.webhook_key_digests = vec![[0; 32], digest];
            let is_refused = |key: &SigningKey| Signer::new(&key.to_text(), &context).is_err();
            assert_eq!(keys.each_ref().map(is_refused), keys.each_ref().map(|other| std::ptr::eq(other, key)));
        }
    }

    #[test]
    fn published_and_public_keys_are_refused() {
        let context = ConnectorContext::new(TenantId::new("acme").unwrap());
        for key in ["", "whpk_AAAA", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "secret"] {
            assert!(Signer::new(&Secret::new(key), &context).is_err(), "{key}");
        }
    }
}
