//! The connector of idp-bridge for a tenant's own users table in PostgreSQL or SQLite.
//!
//! The settings have one SQL statement for each call. Values are bound to its named parameters and never become part of its text.
//! [`Sql`] runs the statements below [`Directory`](idp_bridge_core::Directory), so that a statement cannot break the rules that all
//! products share: exact matches, ambiguity, service accounts, marks and mails.
//!
//! - A read runs in a read-only transaction with the deadline of its call.
//! - A write changes exactly one row, or nothing.
//! - Errors contain no values of rows or parameters.

mod columns;
mod config;
mod database;
mod diagnose;
mod lexer;
mod mail;
mod map;
mod postgres;
mod preset;
mod provider;
mod sqlite;
mod statement;
mod store;
mod user_database;

pub use config::{EpochUnit, MailConfig, SqlConfig, Statements};
pub use preset::Preset;
pub use provider::Sql;
pub use user_database::UserDatabase;
