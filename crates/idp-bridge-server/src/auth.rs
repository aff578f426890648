//! The callers of REST and their credentials.

mod access_token;
mod caller;
mod static_token;
mod trivial;

pub use access_token::{AccessTokenSettings, AccessTokens};
pub(crate) use caller::Caller;
pub use caller::Scope;
pub use static_token::RestToken;
