//! What the black box tests need: the built program, a bridge that runs, raw HTTP, and an independent signer.

pub(crate) mod bridge;
pub(crate) mod http;
pub(crate) mod program;
pub(crate) mod sign;
