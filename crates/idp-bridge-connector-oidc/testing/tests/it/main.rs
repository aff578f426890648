//! Tests of the connector with its fake, for cases that the conformance suite does not have.

// `cfg(test)` is always true here. It lets clippy accept `unwrap` in helpers, too.
#[cfg(test)]
mod bench;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod diagnosis;
#[cfg(test)]
mod logout;
#[cfg(test)]
mod tokens;
