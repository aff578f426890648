//! The options, and what they run.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use libtest_mimic::{Arguments, Trial};

use crate::faults::FAULTS;
use crate::{memory, page, seeded, surroundings, table};

/// The seed and the duration of the random schedule that belongs to the tests.
const TESTED: (u64, Duration) = (13, Duration::from_secs(15));

/// The page with the table of faults.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reliability.md");

/// The options of `cargo xtask chaos`. Those of `cargo test` are ignored.
#[derive(Debug, Parser)]
#[command(ignore_errors = true)]
struct Options {
    /// Run the table alone, and write the page.
    #[arg(long)]
    table: bool,
    /// Print the cells of the table as JSON.
    #[arg(long)]
    json: bool,
    /// Run the random schedule of this seed.
    #[arg(long)]
    seed: Option<u64>,
    /// The duration of the random schedule.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
}

/// Runs what the options select. Without options of its own it is a test program with two tests.
pub(crate) fn run() -> ExitCode {
    let options = Options::parse();
    memory::keep_folders_in_memory();
    let violations = match options.seed {
        Some(seed) => seeded::run(seed, Duration::from_secs(60 * options.minutes)),
        None if options.table => run_table(&options),
        None => return run_tests(),
    };
    eprintln!("chaos: {} violations", violations.len());
    // Last, where they are seen.
    for violation in &violations {
        eprintln!("violation: {violation}");
    }
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the table and a short random schedule one after the other, with the arguments of `cargo test`.
fn run_tests() -> ExitCode {
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let trial = |name, run: fn() -> Vec<String>| {
        Trial::test(name, move || match run() {
            violations if violations.is_empty() => Ok(()),
            violations => Err(violations.join("\n").into()),
        })
    };
    let table = || run_table(&Options { table: false, json: false, seed: None, minutes: 0 });
    let tests = vec![
        trial("chaos::table_of_faults", table),
        trial("chaos::random_schedule", || seeded::run(TESTED.0, TESTED.1)),
    ];
    libtest_mimic::run(&arguments, tests).exit_code()
}

/// Runs the table. If there are no violations, writes the page or compares it.
fn run_table(options: &Options) -> Vec<String> {
    let (cells, around) = std::thread::scope(|scope| {
        let around = scope.spawn(surroundings::run);
        (table::run(FAULTS), around.join().unwrap())
    });
    if options.json {
        println!("{}", serde_json::to_string(&cells).unwrap());
    }
    let (mut violations, page) = (table::violations(&cells), page::render());
    violations.extend(around);
    if options.table && violations.is_empty() {
        std::fs::write(PAGE, page).unwrap();
    } else if !options.table && !std::fs::read_to_string(PAGE).is_ok_and(|text| text == page) {
        violations.push("`docs/reliability.md` is not current; hint: run `cargo xtask chaos`".to_owned());
    }
    violations
}
