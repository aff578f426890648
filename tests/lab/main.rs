//! Tests of the program against the real servers of `cargo xtask lab`.

// Always true here. It lets clippy accept `unwrap` in helpers, too.
#![cfg(test)]

mod browser;
mod calls;
mod chromium;
mod cognito_federation;
mod doctor;
mod doctor_pocketbase;
mod federation;
mod federation_browser;
mod federation_openid;
mod init;
mod keycloak;
mod lab;
mod mails;
mod outage;
mod playground;
mod schemathesis;
mod settings;
#[expect(dead_code, reason = "the tests without a lab use the rest of it")]
#[path = "../support/mod.rs"]
mod support;
