//! Black box tests of the built program: what a platform, an operator and a stranger see of it.

// `cfg(test)` is always true here; clippy reads it as leave for the helpers, too, to unwrap.
#[cfg(test)]
mod access_tokens;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod federation;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod load;
#[cfg(test)]
mod log_secrets;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod signals;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod wire;
