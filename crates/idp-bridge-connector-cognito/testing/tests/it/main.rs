//! The connector against its fake: behaviour that is specific to Cognito, beside the conformance suite.

// `cfg(test)` is always true here. It lets clippy accept `unwrap` in helpers, too.
#[cfg(test)]
mod bench;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod diagnosis;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod federation;
#[cfg(test)]
mod index;
#[cfg(test)]
mod lookups;
#[cfg(test)]
mod mails;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod throttling;
#[cfg(test)]
mod writes;
