//! The options, and what they run.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::faults::FAULTS;
use crate::{page, seeded, surroundings, table};

/// The seed and the duration of the random schedule that belongs to the tests.
const TESTED: (u64, Duration) = (13, Duration::from_secs(15));

/// The page with the table of faults.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reliability.md");

/// The options. Those of the test harness of Rust are ignored.
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

/// Runs what the options select.
pub(crate) fn run() -> ExitCode {
    let options = Options::parse();
    let violations = match options.seed {
        Some(seed) => seeded::run(seed, Duration::from_secs(60 * options.minutes)),
        None => {
            let mut violations = run_table(&options);
            if !options.table {
                violations.extend(seeded::run(TESTED.0, TESTED.1));
            }
            violations
        }
    };
    eprintln!("chaos: {} violations", violations.len());
    // Last, where they are seen.
    for violation in &violations {
        eprintln!("violation: {violation}");
    }
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
