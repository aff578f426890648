//! SHA-256 digests.

use aws_lc_rs::digest;

/// A SHA-256.
pub(crate) type Digest = [u8; 32];

/// Returns the SHA-256 of these bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    to_array(digest::digest(&digest::SHA256, bytes))
}

/// Returns the SHA-256 of several parts.
///
/// The length of each part is hashed before the part, so that different parts never form equal input.
pub(crate) fn sha256_of_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    to_array(context.finish())
}

fn to_array(digest: digest::Digest) -> [u8; 32] {
    let mut array = [0; 32];
    array.copy_from_slice(digest.as_ref());
    array
}
