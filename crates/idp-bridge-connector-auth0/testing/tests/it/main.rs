//! The connector against its fake: behaviour that is specific to Auth0, beside the conformance suite.

// `cfg(test)` is always true here. It lets clippy accept `unwrap` in helpers, too.
#[cfg(test)]
mod bench;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod diagnosis;
#[cfg(test)]
mod logout;
#[cfg(test)]
mod mails;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod writes;
