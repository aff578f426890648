//! The program between its callers and identity providers with faults: a table of faults, and random schedules.
//!
//! Without options the table and a short schedule run, and `docs/reliability.md` is compared with the table.

// Always true here. It lets clippy accept `unwrap` in helpers, too.
#![cfg(test)]

mod faults;
#[expect(dead_code, reason = "the tests of isolation use the rest of it")]
#[path = "../blackbox/tenants/home.rs"]
mod home;
mod idp;
mod memory;
mod options;
mod page;
mod pulse;
mod seeded;
mod servers;
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../support/mod.rs"]
mod support;
mod surroundings;
mod table;

fn main() -> std::process::ExitCode {
    options::run()
}
