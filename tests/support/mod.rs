//! Support for black box tests: the program, a running bridge, raw HTTP and an independent signer.

pub(crate) mod bridge;
pub(crate) mod http;
pub(crate) mod keycloak;
pub(crate) mod leaks;
pub(crate) mod load;
pub(crate) mod namespace;
pub(crate) mod program;
pub(crate) mod sign;
