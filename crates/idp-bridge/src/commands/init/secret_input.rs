//! Reads the password or token of an administrator.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use idp_bridge_core::Secret;

use crate::config::{MAX_SECRET, Problem, read_text};

/// Returns the secret in a file, else the one that is typed in a terminal without being shown.
pub(super) fn read_secret(what: &str, file: Option<&Path>, option: &str, prompt: &str) -> Result<Secret, Problem> {
    if let Some(path) = file {
        let text = read_text(path, MAX_SECRET)
            .map_err(|error| Problem::new(format!("`{}` cannot be read: {error}", path.display())))?;
        return Ok(Secret::new(text.trim_end_matches(['\r', '\n'])));
    }
    let unreadable = |reason: &str| {
        Problem::new(format!("the {what} cannot be typed: {reason}"))
            .with_hint(format!("give `{option}`, a file with the {what}, or run `idp-bridge init` in a terminal"))
    };
    if !io::stdin().is_terminal() {
        return Err(unreadable("standard input is not a terminal"));
    }
    rpassword::prompt_password(prompt).map(Secret::new).map_err(|error| unreadable(&error.to_string()))
}
