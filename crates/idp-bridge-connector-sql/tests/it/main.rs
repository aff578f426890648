//! The connector on real databases: outages, statements that do not fit, and hostile values.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "for tests only")]

mod doctor;
mod hostile;
mod mail;
mod outages;
mod presets;
mod sqlite;
mod support;
mod tls;
