//! The command `users import`: adds users to the file of `--sqlite`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::config::{Problem, read_text};
use crate::report::{CommandResult, Exit, print, print_json};
use crate::sqlite::SqliteUsers;

/// The maximum size of a file in bytes.
const MAX_IMPORT: u64 = 256 * 1024 * 1024;

/// The options of the command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A JSON list of users, as of the connector `memory`, or a file with a JSON object in each line
    file: PathBuf,
    /// The SQLite file, which is created if it is missing
    #[arg(long, value_name = "PATH")]
    sqlite: PathBuf,
    /// Replace users whose id exists
    #[arg(long)]
    replace: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(super) fn run(options: &Options) -> CommandResult {
    let text = read_text(&options.file, MAX_IMPORT).map_err(|error| {
        Problem::new(format!("`{}` cannot be read: {error}", options.file.display()))
            .with_hint("check the path and the permissions of the file")
    })?;
    let count = SqliteUsers::create(&options.sqlite, None)?.import(&text, options.replace)?;
    if options.json {
        print_json(&json!({"imported": count}))?;
    } else {
        let users = if count == 1 { "user" } else { "users" };
        print(&format!("imported {count} {users} into `{}`", options.sqlite.display()))?;
    }
    Ok(Exit::Done)
}
