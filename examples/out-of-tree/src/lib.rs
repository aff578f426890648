//! The connector for Rolodex.

mod client;
mod config;
mod diagnose;
mod error;
mod map;
mod provider;
mod store;

pub use config::RolodexConfig;
pub use provider::Rolodex;
