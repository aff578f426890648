//! Prompts for values that the command line does not have.

use std::io::{self, BufRead as _, Write as _};

use crate::config::Problem;

/// Prompts on standard error, and reads lines from standard input.
pub(super) struct Prompts(io::StdinLock<'static>);

impl Prompts {
    pub(super) fn new() -> Self {
        Self(io::stdin().lock())
    }

    /// Returns the value of an option, else the answer to a prompt, else the default.
    pub(super) fn value(
        &mut self,
        given: Option<&str>,
        option: &str,
        question: &str,
        default: Option<&str>,
    ) -> Result<String, Problem> {
        if let Some(given) = given {
            return Ok(given.to_owned());
        }
        let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
        // A failed write of a question shows as a missing answer.
        let _ = write!(io::stderr(), "{question}{shown}: ");
        let mut line = String::new();
        let read = self.0.read_line(&mut line).unwrap_or(0);
        let answer = line.trim();
        match default {
            _ if !answer.is_empty() => Ok(answer.to_owned()),
            Some(default) if read > 0 => Ok(default.to_owned()),
            _ => Err(Problem::new(format!("there is no answer for {question}"))
                .with_hint(format!("give `{option}`, or run `idp-bridge init` in a terminal"))),
        }
    }
}
