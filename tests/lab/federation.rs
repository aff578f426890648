//! Tests of federation with a real Keycloak.

mod logout;
mod stage;
mod tokens;
