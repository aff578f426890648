//! Tests of the program against the real servers of `cargo xtask lab`.

// `cfg(test)` is always true here. It allows `unwrap` in helper functions for clippy.
#[cfg(test)]
mod browser;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod chromium;
#[cfg(test)]
mod cognito_federation;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod federation;
#[cfg(test)]
mod federation_browser;
#[cfg(test)]
mod federation_openid;
#[cfg(test)]
mod init;
#[cfg(test)]
mod keycloak;
#[cfg(test)]
mod lab;
#[cfg(test)]
mod mails;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod playground;
#[cfg(test)]
mod schemathesis;
#[cfg(test)]
mod settings;
#[cfg(test)]
#[expect(dead_code, reason = "the tests without a lab use the rest of it")]
#[path = "../support/mod.rs"]
mod support;
