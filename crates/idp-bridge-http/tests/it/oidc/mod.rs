//! Tests of OpenID Providers.

mod discovery;
mod hostile;
mod issuer;
mod keys;
mod oauth;
mod rotation;
