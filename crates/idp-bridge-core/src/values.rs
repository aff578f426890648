//! Validated ids, email addresses and customer ids.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::Secret;

/// The reason why a string is not a valid value. Does not contain the string, which may be personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidValue {
    /// The expected value: `id`, `email`, `customer`, `session`, `token` or `tenant`.
    what: &'static str,
    reason: &'static str,
}

impl InvalidValue {
    /// Returns the fault of the value.
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.what, self.reason)
    }
}

impl std::error::Error for InvalidValue {}

/// The rule for every value of a call.
fn opaque(text: &str, max: usize) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() > max {
        return Err("is too long");
    }
    if text.chars().any(char::is_control) {
        return Err("has a control character");
    }
    if text == "." || text == ".." {
        return Err("is `.` or `..`, which URLs fold");
    }
    Ok(())
}

fn id_rule(text: &str) -> Result<(), &'static str> {
    opaque(text, 256)
}

fn email_rule(text: &str) -> Result<(), &'static str> {
    opaque(text, 320)?;
    let Some((local, domain)) = text.split_once('@') else {
        return Err("has no `@`");
    };
    if local.is_empty() || domain.is_empty() {
        return Err("has an empty side of its `@`");
    }
    if domain.contains('@') {
        return Err("has more than one `@`");
    }
    Ok(())
}

fn tenant_rule(text: &str) -> Result<(), &'static str> {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    if !first {
        return Err("must begin with a letter or digit");
    }
    if text.len() > 128 {
        return Err("is longer than 128 characters");
    }
    if bytes.any(|b| !b.is_ascii_alphanumeric() && b != b'_' && b != b'-') {
        return Err("may hold only letters, digits, `_` and `-`");
    }
    Ok(())
}

/// RFC 6750, section 2.1, with a length that fits into a request's headers.
fn token_rule(text: &str) -> Result<(), &'static str> {
    if text.len() > 8192 {
        return Err("is longer than 8192 characters");
    }
    let start = text.trim_end_matches('=');
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    if start.is_empty() || !start.bytes().all(is_plain) {
        return Err("is not a bearer token");
    }
    Ok(())
}

macro_rules! value {
    ($(#[$doc:meta])* $name:ident, $what:literal, id = $example:literal) => {
        value!(
            $(#[$doc])*
            $name,
            $what,
            id_rule,
            (
                "minLength" = 1,
                "maxLength" = 256,
                "pattern" = r"^[^\x00-\x1f\x7f-\x9f]+$",
                "not" = {"enum": [".", ".."]},
                "examples" = [$example]
            )
        );
    };
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:path, $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(extend $schema)]
        pub struct $name(String);

        impl $name {
            /// Creates the value from a valid string, without changing it.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
                let text = text.into();
                match $rule(&text) {
                    Ok(()) => Ok(Self(text)),
                    Err(reason) => Err(InvalidValue { what: $what, reason }),
                }
            }

            /// Returns the string.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

value!(
    /// The platform's id of a tenant: `[A-Za-z0-9][A-Za-z0-9_-]{0,127}`.
    TenantId,
    "tenant",
    tenant_rule,
    ("pattern" = "^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$", "examples" = ["acme"])
);

value!(
    /// An identity provider's id of a user: 1 to 256 bytes without control characters, not `.` or `..`.
    ///
    /// Opaque: compared byte for byte, without trimming or case folding. `Debug` hides it.
    UserId,
    "id",
    id = "u-1"
);

value!(
    /// The tenant's identifier for a customer. Has the rule of [`UserId`].
    CustomerId,
    "customer",
    id = "cust-1"
);

value!(
    /// An email address: 3 to 320 bytes with one `@` between two non-empty sides, without control characters.
    ///
    /// Two addresses match if they differ only in ASCII case: [`Email::matches`]. `Debug` hides it.
    Email,
    "email",
    email_rule,
    (
        "minLength" = 3,
        "maxLength" = 320,
        "pattern" = r"^[^@\x00-\x1f\x7f-\x9f]+@[^@\x00-\x1f\x7f-\x9f]+$",
        "examples" = ["ada@acme.example"]
    )
);

value!(
    /// An identity provider's id of a login (`sid`, Cognito's `origin_jti`). Has the rule of [`UserId`].
    SessionId,
    "session",
    id = "s-1"
);

/// A bearer token (RFC 6750, section 2.1): 1 to 8192 characters. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(Secret);

impl AccessToken {
    /// Creates a token from a valid string, without changing it.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
        let text = text.into();
        match token_rule(&text) {
            Ok(()) => Ok(Self(Secret::new(text))),
            Err(reason) => Err(InvalidValue { what: "token", reason }),
        }
    }

    /// Returns the token, to check, hash or send it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Returns whether it has the three parts of a signed JWT.
    pub fn is_jwt(&self) -> bool {
        self.expose().split('.').count() == 3
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(<hidden>)")
    }
}

impl Email {
    /// Returns whether both addresses are equal, ignoring ASCII case only.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! hidden_debug {
    ($($name:ident),*) => {$(
        /// Prints only the length, to keep the value out of logs.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "(<{} bytes>)"), self.0.len())
            }
        }
    )*};
}

hidden_debug!(UserId, CustomerId, Email, SessionId);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unsafe_ids_are_rejected() {
        for bad in ["", ".", "..", "a\nb", "a\u{7f}", "a\u{85}b", &"x".repeat(257)] {
            assert!(UserId::new(bad).is_err(), "{bad:?}");
            assert!(CustomerId::new(bad).is_err(), "{bad:?}");
        }
        for good in ["u-1", "a/b", "a\\b", "...", " x ", "ÄÖ", "auth0|1", &"x".repeat(256)] {
            assert_eq!(UserId::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn email_has_one_at_sign_between_two_parts() {
        for bad in ["", "a", "@", "a@", "@b", "a@b@c", "a@b\r", &format!("{}@b", "x".repeat(319))] {
            assert!(Email::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a@b", "a+tag@b.c", "ivän@exämple.com", &format!("{}@b", "x".repeat(318))] {
            assert!(Email::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_token_has_bearer_syntax() {
        for bad in ["", "=", "a b", "a\n", "ä", "a=b", "\"a\"", &"x".repeat(8193)] {
            assert!(AccessToken::new(bad).is_err(), "{bad:?}");
        }
        for (good, is_jwt) in [("a", false), ("a==", false), ("a.b.c-_", true), ("a.b.c.d.e", false), ("a+/~", false)] {
            let token = AccessToken::new(good).unwrap();
            assert_eq!((token.expose(), token.is_jwt()), (good, is_jwt));
            assert_eq!(format!("{token:?}"), "AccessToken(<hidden>)");
        }
    }

    #[test]
    fn emails_match_ignoring_only_ascii_case() {
        let email = |text: &str| Email::new(text).unwrap();
        assert!(email("Ada@Acme.Example").matches(&email("ada@acme.example")));
        assert!(!email("ä@b").matches(&email("Ä@b")));
        assert!(!email("ada@acme.example").matches(&email(" ada@acme.example")));
    }

    #[test]
    fn a_tenant_id_is_alphanumeric() {
        for bad in ["", "-a", "_a", "a b", "a/b", "ä", "a.b", &"x".repeat(129)] {
            assert!(TenantId::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "9", "acme_EU-1", &"x".repeat(128)] {
            assert!(TenantId::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn debug_hides_personal_values() {
        let shown = format!("{:?} {:?}", Email::new("ada@acme.example").unwrap(), UserId::new("u-1").unwrap());
        assert_eq!(shown, "Email(<16 bytes>) UserId(<3 bytes>)");
    }

    proptest! {
        #[test]
        fn an_accepted_value_is_unchanged(text in "\\PC{1,64}") {
            if let Ok(id) = UserId::new(text.clone()) {
                prop_assert_eq!(id.as_str(), text.as_str());
                let json = serde_json::to_string(&id).unwrap();
                prop_assert_eq!(serde_json::from_str::<UserId>(&json).unwrap(), id);
            }
        }
    }
}
