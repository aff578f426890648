//! The connector on a real OpenLDAP: outages, rights, hostile values and servers.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "for tests only")]

mod doctor;
mod fake;
mod hostile_servers;
mod hostile_values;
mod outages;
mod pages;
mod referrals;
mod support;
mod tls;
mod writes;
