//! The connector on a real OpenLDAP: outages, rights, hostile values and servers.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "for tests only")]

mod reads;
mod support;
