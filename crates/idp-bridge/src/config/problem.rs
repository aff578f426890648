//! Problems of a configuration or a command, with their place, key and next step.

use std::fmt;

use idp_bridge_core::Error;
use serde::Serialize;

/// A problem. It never contains values, which may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The mistake, and the expected value.
    pub(crate) message: String,
    /// The place of the mistake.
    #[serde(flatten)]
    pub(crate) place: Option<Place>,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

/// A file, or a position in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Place {
    /// The path of the file, as given.
    pub(crate) file: String,
    /// The position, unless the problem is about the whole file.
    #[serde(flatten)]
    pub(crate) position: Option<Position>,
}

/// A line and a column, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, key: None, hint: None }
    }

    /// Creates a problem from an error and its hint.
    pub(crate) fn from_error(error: &Error) -> Self {
        Self { hint: error.hint().map(str::to_owned), ..Self::new(error.to_string()) }
    }

    /// Sets the next step.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the place to a whole file.
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

/// Returns the name with the smallest edit distance, if that is small enough for a typing mistake.
pub(crate) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let max_distance = (name.chars().count() / 3).clamp(1, 4);
    names
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= max_distance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Formats names as `` `a`, `b` and `c` ``.
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
    fn only_misspelt_names_have_a_nearest_one() {
        let names = ["webhook_keys", "webhook_keys_file", "deadline", "customer", "url"];
        assert_eq!(nearest("webhok_keys", names), Some("webhook_keys"));
        assert_eq!(nearest("webhook_key_file", names), Some("webhook_keys_file"));
        assert_eq!(nearest("dead_line", names), Some("deadline"));
        assert_eq!(nearest("ulr", names), Some("url"));
        assert_eq!(nearest("zzz", names), None);
    }

    #[test]
    fn problem_is_displayed_without_colour() {
        let place = Place { file: "a.toml".into(), position: Some(Position { line: 3, column: 1 }) };
        let problem = Problem { place: Some(place), key: Some("server.lisen".into()), ..Problem::new("unknown key") };
        assert_eq!(
            problem.with_hint("did you mean `listen`?").to_string(),
            "error: unknown key\n   at: a.toml:3:1, key `server.lisen`\n hint: did you mean `listen`?"
        );
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
