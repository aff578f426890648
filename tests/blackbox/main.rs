//! Black box tests of the program.

// Always true here. It lets clippy accept `unwrap` in helpers, too.
#![cfg(test)]

mod access_tokens;
mod audit;
mod client_certificates;
mod clients;
mod commands;
mod configuration;
mod demo;
mod federation;
mod fixture;
mod foreign_clients;
mod init;
#[cfg(feature = "auth0")]
mod init_auth0;
mod isolation;
mod load;
mod log_secrets;
#[cfg(feature = "sql")]
mod mails;
mod nginx;
mod operator;
mod pages;
#[cfg(all(feature = "http", feature = "keycloak"))]
mod prometheus;
mod receiver;
mod reload;
mod rest;
mod shared_store;
mod signals;
#[cfg(feature = "sql")]
mod sqlite;
mod streams;
#[path = "../support/mod.rs"]
mod support;
#[cfg(all(feature = "auth0", feature = "cognito", feature = "keycloak"))]
mod tenants;
mod tls;
#[cfg(feature = "http")]
mod traces;
mod under_load;
mod upstream_requests;
mod verify;
mod wire;
