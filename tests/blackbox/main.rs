//! Black box tests of the program.

// `cfg(test)` is always true here. It allows `unwrap` in helper functions for clippy.
#[cfg(test)]
mod access_tokens;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod client_certificates;
#[cfg(test)]
mod clients;
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
mod init;
#[cfg(test)]
#[cfg(feature = "auth0")]
mod init_auth0;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod load;
#[cfg(test)]
mod log_secrets;
#[cfg(test)]
#[cfg(feature = "sql")]
mod mails;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod pages;
#[cfg(test)]
#[cfg(all(feature = "http", feature = "keycloak"))]
mod prometheus;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod shared_store;
#[cfg(test)]
mod signals;
#[cfg(test)]
#[cfg(feature = "sql")]
mod sqlite;
#[cfg(test)]
mod streams;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
#[cfg(all(feature = "auth0", feature = "cognito", feature = "keycloak"))]
mod tenants;
#[cfg(test)]
mod tls;
#[cfg(test)]
#[cfg(feature = "http")]
mod traces;
#[cfg(test)]
mod under_load;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod wire;
