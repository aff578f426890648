//! The SQL connector keeps the contract on PostgreSQL and on SQLite.

mod harness;

use idp_bridge_conformance::Suites;

fn main() -> std::process::ExitCode {
    Suites::new(env!("CARGO_TARGET_TMPDIR"))
        .add("postgresql", harness::postgres::PostgresHarness::start())
        .add("sqlite", harness::sqlite::SqliteHarness::start())
        .add("serve-sqlite", harness::sqlite::SqliteHarness::start_own())
        .run()
}
