//! Time and randomness as parts that a test can replace.

use std::fmt;

use jiff::Timestamp;

use crate::{Error, ErrorKind, Result};

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Now, as wall-clock time.
    fn now(&self) -> Timestamp;
}

/// Gives random bytes that nobody can foresee.
pub trait Random: fmt::Debug + Send + Sync + 'static {
    /// Fills the buffer; an error if the system has no randomness to give.
    fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()>;

    /// A word of 32 hexadecimal digits that nobody had before.
    fn word(&self) -> Result<String> {
        let mut bytes = [0; 16];
        self.fill(&mut bytes).map_err(|error| {
            Error::ours(ErrorKind::Unexpected, "the system has no randomness to give").with_source(error)
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
    fn a_word_is_another_one_each_time() {
        let words = [SystemRandom.word().unwrap(), SystemRandom.word().unwrap()];
        assert_ne!(words[0], words[1]);
        assert!(words.iter().all(|word| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }

    #[test]
    fn without_randomness_there_is_no_word() {
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
