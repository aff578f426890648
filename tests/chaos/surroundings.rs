//! The faults of the program's surroundings: its store, its disks, its clocks, its tokens and its name server.

mod disks;
mod names;
mod stage;
mod store;
mod tokens;

use std::sync::Mutex;

use self::stage::Stage;
use crate::idp::Idp;
use crate::pulse::Pulse;

/// A row of the second table.
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    /// The rule to check, as a part of a sentence.
    pub(crate) promise: &'static str,
    run: fn(&Stage<'_>) -> Result<(), String>,
}

/// All rows.
pub(crate) const ROWS: &[Row] = &[
    Row {
        fault: "Redis is paused",
        promise: "reads go on; writes, userinfo and logouts are `overloaded` or `deadline_exceeded`, and succeed within three seconds afterwards",
        run: store::redis_is_paused,
    },
    Row {
        fault: "Redis is killed, and started again",
        promise: "reads go on; writes, userinfo and logouts are `overloaded`, and succeed within three seconds afterwards",
        run: store::redis_is_killed,
    },
    Row {
        fault: "the disk of the store is full",
        promise: "reads go on; a write is `overloaded` without an effect, and succeeds within three seconds afterwards; no logout is lost",
        run: disks::store_is_full,
    },
    Row {
        fault: "the disk of the audit is full",
        promise: "reads go on; a write is `overloaded` without an effect, and succeeds within three seconds afterwards",
        run: disks::audit_is_full,
    },
    Row { fault: "the disk of the log is full", promise: "all requests succeed", run: disks::log_is_full },
    Row {
        fault: "the clock of the caller is six minutes ahead or behind",
        promise: "a call is `timestamp_out_of_range` without an effect; with four minutes it succeeds",
        run: store::clocks_differ,
    },
    Row {
        fault: "the clock of the identity provider is minutes behind, 20 seconds ahead, or minutes ahead",
        promise: "calls about users succeed; userinfo and logouts succeed with tokens that are at most 30 seconds ahead and not expired, and are `invalid_token` with others; no token is accepted after its logout",
        run: tokens::clocks_of_idps_differ,
    },
    Row {
        fault: "the signing keys of the identity provider cannot be fetched, and all else can",
        promise: "calls about users succeed; userinfo and logouts succeed if the keys were fetched before, and are `upstream_unavailable` otherwise, and succeed within three seconds afterwards",
        run: tokens::keys_are_gone,
    },
    Row {
        fault: "the bridge's access tokens expire after two seconds",
        promise: "calls about users succeed",
        run: tokens::tokens_expire,
    },
    Row {
        fault: "the name server never answers",
        promise: "calls of the tenant with the name are `deadline_exceeded` or `upstream_unavailable`, and those of other tenants succeed",
        run: names::name_server_hangs,
    },
];

/// Runs all rows at the same time. Returns the violations.
pub(crate) fn run() -> Vec<String> {
    let (idps, faulty, pulse) = (Idp::start_fakes(), Mutex::new(Idp::start_fakes()), Pulse::start());
    std::thread::scope(|scope| {
        let run = |row: &'static Row| {
            let stage = Stage { idps: &idps, faulty: &faulty, pulse: &pulse };
            (row, scope.spawn(move || (row.run)(&stage)))
        };
        let running: Vec<_> = ROWS.iter().map(run).collect();
        let result = |(row, running): (&Row, std::thread::ScopedJoinHandle<'_, Result<(), String>>)| {
            let ended = running.join().unwrap_or_else(|_| Err("the test panicked".to_owned()));
            Some(format!("{}: {}", row.fault, ended.err()?))
        };
        running.into_iter().filter_map(result).collect()
    })
}
