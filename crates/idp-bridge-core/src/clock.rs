//! Sources of time and randomness, which tests replace.

use std::fmt;

use jiff::Timestamp;

use crate::{Error, ErrorKind, Result};

/// A source of wall-clock time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

/// A source of cryptographically secure random bytes.
pub trait Random: fmt::Debug + Send + Sync + 'static {
    /// Fills the buffer. Fails if the system's random generator does.
    fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()>;

    /// Returns 32 random hexadecimal digits.
    fn word(&self) -> Result<String> {
        let mut bytes = [0; 16];
        self.fill(&mut bytes).map_err(|error| {
            Error::ours(ErrorKind::Unexpected, "the system's random generator failed").with_source(error)
        })?;
        Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
    }
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The system's random generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        getrandom::fill(buffer).map_err(std::io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_words_differ() {
        let words = [SystemRandom.word().unwrap(), SystemRandom.word().unwrap()];
        assert_ne!(words[0], words[1]);
        assert!(words.iter().all(|word| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }

    #[test]
    fn a_failed_generator_is_an_error() {
        #[derive(Debug)]
        struct Dry;
        impl Random for Dry {
            fn fill(&self, _: &mut [u8]) -> std::io::Result<()> {
                Err(std::io::Error::other("dry"))
            }
        }
        assert_eq!(Dry.word().unwrap_err().kind(), ErrorKind::Unexpected);
    }
}
