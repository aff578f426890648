//! Applications before the built program before a real Keycloak: whose a token is, and what is left of a login that was ended.

mod logout;
mod stage;
mod tokens;
