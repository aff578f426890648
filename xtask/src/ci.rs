//! `cargo xtask ci`: all that CI runs, in the order in which it is quickest to know what is wrong.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::interrupt::Interrupt;
use crate::workspace::Workspace;
use crate::{codegen, dependencies, environment, features, new_connector, out_of_tree, process, status, test, tidy};

/// A step and how to run it.
type Step<'a> = (&'static str, Box<dyn Fn() -> Result<()> + 'a>);

/// Runs every step, even after one failed, and says at the end which did.
pub(crate) fn run(workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let started = Instant::now();
    let mut failed = Vec::new();
    for (name, step) in steps(workspace, interrupt) {
        let began = Instant::now();
        status::step("Step", name);
        let result = step();
        interrupt.check()?;
        match result {
            Ok(()) => status::step("Passed", format!("{name} in {}", status::elapsed(began.elapsed()))),
            Err(error) => {
                status::error(&error);
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    status::step("Finished", format!("all that CI runs in {}", status::elapsed(started.elapsed())));
    Ok(())
}

fn steps<'a>(workspace: &'a Workspace, interrupt: &'a Interrupt) -> Vec<Step<'a>> {
    let cargo = move |arguments: &'static [&'static str]| -> Box<dyn Fn() -> Result<()> + 'a> {
        Box::new(move || process::run(&mut cargo_command(workspace, arguments), interrupt))
    };
    vec![
        ("format", cargo(&["fmt", "--all", "--check"])),
        ("tidy", Box::new(|| tidy::run(workspace))),
        ("dependencies", Box::new(|| dependencies::check(workspace, interrupt))),
        ("clippy", cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "--deny", "warnings"])),
        ("new connector", Box::new(|| new_connector::lint(workspace, interrupt))),
        ("example out of tree", Box::new(|| out_of_tree::check(workspace, interrupt))),
        ("features", Box::new(|| features::check(workspace, interrupt))),
        ("documentation", cargo(&["doc", "--workspace", "--no-deps", "--all-features"])),
        ("test", Box::new(|| test::run(workspace, interrupt))),
        // Last, since the support matrix shows what the tests have just proved.
        ("generated files", Box::new(|| codegen::check(workspace, interrupt))),
    ]
}

fn cargo_command(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut command = Command::new(environment::cargo());
    command.current_dir(&workspace.root).args(arguments);
    if arguments.first() == Some(&"doc") {
        command.env("RUSTDOCFLAGS", "--deny warnings");
    }
    command
}
