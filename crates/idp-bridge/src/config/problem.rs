//! What is wrong with a configuration: where, which key, what was expected, and the next step.

use std::fmt;

use idp_bridge_core::Error;
use serde::Serialize;

/// One thing that is wrong. It shows no value, since that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// What is wrong, and what was expected.
    pub(crate) message: String,
    /// Where.
    #[serde(flatten)]
    pub(crate) place: Option<Place>,
    /// Which key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

/// A place in a file; line and column count from one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Place {
    /// The file, as it was given.
    pub(crate) file: String,
    /// The line, if it is about a part of the file.
    #[serde(flatten)]
    pub(crate) position: Option<Position>,
}

/// A line and a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, key: None, hint: None }
    }

    /// An error with its own hint.
    pub(crate) fn of(error: &Error) -> Self {
        Self { hint: error.hint().map(str::to_owned), ..Self::new(error.to_string()) }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same about a file as a whole.
    #[must_use]
    pub(crate) fn in_file(mut self, file: &std::path::Path) -> Self {
        self.place = Some(Place { file: file.display().to_string(), position: None });
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match (&self.place, &self.key) {
            (Some(place), Some(key)) => write!(f, "\n   at: {place}, key `{key}`")?,
            (Some(place), None) => write!(f, "\n   at: {place}")?,
            (None, Some(key)) => write!(f, "\n   at: key `{key}`")?,
            (None, None) => {}
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        match self.position {
            Some(Position { line, column }) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

/// The name that was probably meant: the one that is the fewest slips of the finger away, if there are few.
pub(crate) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (name.chars().count() / 3).clamp(1, 4);
    names
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(slips, _)| *slips <= most)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// Names as a person lists them: `` `a`, `b` and `c` ``.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match (names.pop(), names.is_empty()) {
        (None, _) => "none".to_owned(),
        (Some(last), true) => last,
        (Some(last), false) => format!("{} and {last}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_has_a_nearest_one_and_a_foreign_name_has_none() {
        let names = ["webhook_keys", "webhook_keys_file", "deadline", "customer", "url"];
        assert_eq!(nearest("webhok_keys", names), Some("webhook_keys"));
        assert_eq!(nearest("webhook_key_file", names), Some("webhook_keys_file"));
        assert_eq!(nearest("dead_line", names), Some("deadline"));
        assert_eq!(nearest("ulr", names), Some("url"));
        assert_eq!(nearest("zzz", names), None);
    }

    #[test]
    fn a_problem_reads_without_colour() {
        let place = Place { file: "a.toml".into(), position: Some(Position { line: 3, column: 1 }) };
        let problem = Problem { place: Some(place), key: Some("server.lisen".into()), ..Problem::new("unknown key") };
        assert_eq!(
            problem.hint("did you mean `listen`?").to_string(),
            "error: unknown key\n   at: a.toml:3:1, key `server.lisen`\n hint: did you mean `listen`?"
        );
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
