//! The chain: each line has the SHA-256 of the line before it.

use data_encoding::HEXLOWER;
use serde::Serialize;

use super::entry::AuditEntry;
use crate::digest::sha256;

/// The name of the member with the digest of the line before.
pub(super) const PREVIOUS: &str = "previous";

/// The digest of a line, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineDigest(pub(super) String);

/// A line with its link.
#[derive(Serialize)]
struct Linked<'a> {
    #[serde(flatten)]
    entry: &'a AuditEntry,
    previous: &'a str,
}

impl LineDigest {
    /// Returns the digest that the first line contains.
    pub(super) fn first() -> Self {
        Self("0".repeat(64))
    }

    /// Returns the digest of a line without its line break.
    pub(super) fn from_line(line: &[u8]) -> Self {
        Self(HEXLOWER.encode(&sha256(line)))
    }

    /// Returns the line of an entry after a line with this digest, with a line break.
    pub(super) fn link(&self, entry: &AuditEntry) -> Vec<u8> {
        // Entries always serialize.
        let mut line = serde_json::to_vec(&Linked { entry, previous: &self.0 }).unwrap_or_default();
        line.push(b'\n');
        line
    }
}
