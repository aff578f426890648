//! OpenID Providers: what is believed of a token, of a key, of a document.

mod discovery;
mod hostile;
mod issuer;
mod keys;
mod oauth;
mod rotation;
