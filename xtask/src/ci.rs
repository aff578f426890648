//! `cargo xtask ci`: everything that CI runs, quick steps first.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::workspace::{EVERYTHING, Workspace};
use crate::{
    bench, book, codegen, dependencies, features, new_connector, out_of_tree, package, process, publish, status, test,
    tidy,
};

/// A name and a function.
type Step<'a> = (&'static str, &'a dyn Fn() -> Result<()>);

/// Runs every step, even after one failed, and reports at the end which failed.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let cargo = |arguments: &[&str]| process::run(&mut workspace.cargo(arguments));
    let [packages, features] = EVERYTHING;
    let clippy = ["clippy", packages, features, "--all-targets", "--", "--deny", "warnings"];
    let doc = ["doc", packages, features, "--no-deps"];
    run_steps(&[
        ("format", &|| cargo(&["fmt", "--all", "--check"])),
        ("tidy", &|| tidy::run(workspace)),
        ("dependencies", &|| dependencies::check(workspace)),
        ("packages of crates", &|| publish::check(workspace)),
        ("manifests", &|| package::check(workspace)),
        ("clippy", &|| cargo(&clippy)),
        ("site", &|| book::build(workspace)),
        ("documentation", &|| process::run(workspace.cargo(&doc).env("RUSTDOCFLAGS", "--deny warnings"))),
        ("test", &|| test::run(workspace)),
        // After the tests: the support matrix shows their results.
        ("generated files", &|| codegen::check(workspace)),
        ("instructions of a call", &|| bench::check_instructions(workspace)),
        // Last, since these build with other features.
        ("new connector", &|| new_connector::lint(workspace)),
        ("example out of tree", &|| out_of_tree::check(workspace)),
        ("features", &|| features::check(workspace)),
    ])
}

fn run_steps(steps: &[Step<'_>]) -> Result<()> {
    let all_started = Instant::now();
    let mut failed = Vec::new();
    for (name, step) in steps {
        let started = Instant::now();
        status::step("Step", name);
        let result = step();
        process::check_interrupt()?;
        match result {
            Ok(()) => status::step("Passed", format!("{name} in {}", status::elapsed(started.elapsed()))),
            Err(error) => {
                status::error(&error);
                failed.push((*name, error));
            }
        }
    }
    if !failed.is_empty() {
        // Again, since the steps after it may have printed much.
        failed.iter().for_each(|(_, error)| status::error(error));
        let names: Vec<_> = failed.iter().map(|(name, _)| *name).collect();
        bail!("failed: {}", names.join(", "));
    }
    status::step("Finished", format!("all that CI runs in {}", status::elapsed(all_started.elapsed())));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn steps_after_a_failed_one_run() {
        let ran = Cell::new(false);
        let fails = || bail!("broken");
        let passes = || {
            ran.set(true);
            Ok(())
        };
        let error = run_steps(&[("one", &fails), ("two", &passes)]).unwrap_err();
        assert_eq!(error.to_string(), "failed: one");
        assert!(ran.get());
    }
}
