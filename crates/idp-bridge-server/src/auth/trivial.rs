//! Detects guessable REST tokens by their digests.

use super::static_token::RestToken;
use crate::digest::sha256;

/// Tokens of test setups. `printf %s "$TOKEN"` prints the empty one if `TOKEN` is not set.
const TOKENS: [&str; 49] = [
    "",
    " ",
    "0",
    "00000000",
    "1",
    "1234",
    "12345",
    "123456",
    "1234567",
    "12345678",
    "123456789",
    "1234567890",
    "abc",
    "abc123",
    "admin",
    "api-key",
    "apikey",
    "bar",
    "bearer",
    "bridge",
    "change-me",
    "change_me",
    "changeme",
    "default",
    "demo",
    "example",
    "foo",
    "foobar",
    "hello",
    "hunter2",
    "idp-bridge",
    "key",
    "letmein",
    "null",
    "ops",
    "pass",
    "passw0rd",
    "password",
    "qwerty",
    "root",
    "secret",
    "support",
    "sys",
    "test",
    "testing",
    "token",
    "undefined",
    "xxx",
    "$TOKEN",
];

impl RestToken {
    /// Returns whether this is the digest of a guessable token, such as `test` or the empty one.
    ///
    /// Ignores capitals and a newline at the end (`echo test | sha256sum`).
    pub fn is_trivial(digest: &[u8; 32]) -> bool {
        let mut tokens = TOKENS.iter().flat_map(|token| spellings(token));
        tokens.any(|token| sha256(token.as_bytes()) == *digest)
    }
}

fn spellings(token: &str) -> impl Iterator<Item = String> {
    let mut letters = token.chars();
    let capital = letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str());
    let spellings = [token.to_owned(), capital.unwrap_or_default(), token.to_ascii_uppercase()];
    spellings.into_iter().flat_map(|token| [format!("{token}\n"), token])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_trivial(token: &str) -> bool {
        RestToken::is_trivial(&sha256(token.as_bytes()))
    }

    #[test]
    fn guessable_tokens_are_trivial() {
        for token in ["", "\n", "test", "test\n", "Test", "TEST\n", "password", "secret", "changeme", "$TOKEN"] {
            assert!(is_trivial(token), "{token:?}");
        }
    }

    #[test]
    fn random_tokens_are_not_trivial() {
        assert!(!is_trivial("5f0c1de2b7a94836815f0a3c6d2e9b47c8d1f6a05b3e7249"));
    }
}
