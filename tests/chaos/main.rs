//! The program between its callers and identity providers with faults: a table of faults, and random schedules.
//!
//! Without options the table and a short schedule run, and `docs/reliability.md` is compared with the table.

// `cfg(test)` is always true here. It allows `unwrap` in helper functions for clippy.
#[cfg(test)]
mod faults;
#[cfg(test)]
#[expect(dead_code, reason = "the tests of isolation use the rest of it")]
#[path = "../blackbox/tenants/home.rs"]
mod home;
#[cfg(test)]
mod idp;
#[cfg(test)]
mod options;
#[cfg(test)]
mod page;
#[cfg(test)]
mod pulse;
#[cfg(test)]
mod seeded;
#[cfg(test)]
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod table;

fn main() -> std::process::ExitCode {
    options::run()
}
