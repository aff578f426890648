//! `cargo xtask tidy`: checks the rules of this repository that neither the compiler nor clippy checks.

mod arrows;
mod invariants;
mod links;
mod manifests;
mod monitoring;

use std::fmt;

use anyhow::{Result, bail};

use crate::status;
use crate::workspace::Workspace;

/// The number of lines above which a file is noted.
const FILE_AIM: usize = 400;
/// The number of lines of the longest allowed file.
const FILE_LIMIT: usize = 600;

/// A file of the repository.
#[derive(Debug)]
struct Source {
    /// Its path from the root, with `/`.
    path: String,
    text: String,
}

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    path: String,
    /// The line, or `None` for the whole file.
    line: Option<usize>,
    rule: String,
}

impl Problem {
    fn whole(source: &Source, rule: impl Into<String>) -> Self {
        Self { path: source.path.clone(), line: None, rule: rule.into() }
    }

    fn at(source: &Source, line: usize, rule: impl Into<String>) -> Self {
        Self { line: Some(line), ..Self::whole(source, rule) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.path, self.rule),
            None => write!(formatter, "{}: {}", self.path, self.rule),
        }
    }
}

/// Checks every rule, and fails with all places that break one.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let sources = sources(workspace)?;
    let mut problems = arrows::check(workspace)?;
    for source in &sources {
        problems.extend(check_header(source));
        problems.extend(check_length(source));
    }
    problems.extend(invariants::check(&sources, workspace));
    problems.extend(links::check(&sources, &workspace.root));
    problems.extend(manifests::check(&sources, workspace));
    problems.extend(monitoring::check(&sources));
    if !problems.is_empty() {
        let list: Vec<_> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
        bail!("{} places break the rules of this repository{}", problems.len(), list.concat());
    }
    status::step("Tidy", format!("{} files", sources.len()));
    Ok(())
}

/// A Rust file begins with a module comment.
fn check_header(source: &Source) -> Option<Problem> {
    let is_missing = source.is_rust() && !source.text.starts_with("//! ");
    is_missing.then(|| Problem::whole(source, "begin the file with a `//!` comment on what it contains"))
}

/// Limits the length of a Rust file, and notes one that is near the limit.
fn check_length(source: &Source) -> Option<Problem> {
    match source.text.lines().count() {
        lines if !source.is_rust() || lines <= FILE_AIM => None,
        lines if lines <= FILE_LIMIT => {
            status::note(format!("{}: {lines} lines, aim for {FILE_AIM}", source.path));
            None
        }
        lines => Some(Problem::whole(source, format!("{lines} lines, at most {FILE_LIMIT}: split it by topic"))),
    }
}

/// Reads all text files that git tracks or would track.
fn sources(workspace: &Workspace) -> Result<Vec<Source>> {
    let files = Workspace::tracked_files(&workspace.root)?.into_iter();
    // Skips removed files and files that are not text.
    let read = |path: String| Some(Source { text: std::fs::read_to_string(workspace.root.join(&path)).ok()?, path });
    Ok(files.filter_map(read).collect())
}

impl Source {
    #[cfg(test)]
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Returns the lines with their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Returns the lines of code without comments and tests.
    fn shipped_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test_file =
            self.path.ends_with("tests.rs") || self.path.starts_with("tests/") || self.path.contains("/tests/");
        self.lines()
            .take_while(move |(_, line)| !is_test_file && line.trim() != "#[cfg(test)]")
            .filter(|(_, line)| !is_comment(line))
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_code_excludes_comments_and_tests() {
        let source = Source::new("src/a.rs", "//! What.\nfn a() {}\n#[cfg(test)]\nmod tests {}\n");
        assert_eq!(source.shipped_code().collect::<Vec<_>>(), [(2, "fn a() {}")]);
        assert_eq!(Source::new("src/a/tests.rs", "fn a() {}").shipped_code().count(), 0);
        assert_eq!(Source::new("tests/a.rs", "fn a() {}").shipped_code().count(), 0);
    }

    #[test]
    fn long_rust_files_are_problems() {
        let file = |path: &str, lines: usize| Source::new(path, &"//\n".repeat(lines));
        assert_eq!(check_length(&file("a.rs", FILE_LIMIT)), None);
        assert!(check_length(&file("a.rs", FILE_LIMIT + 1)).is_some());
        assert_eq!(check_length(&file("a.json", FILE_LIMIT + 1)), None);
    }

    #[test]
    fn a_rust_file_needs_a_module_comment() {
        assert_eq!(check_header(&Source::new("a.rs", "//! What.\n")), None);
        assert!(check_header(&Source::new("a.rs", "use std::fmt;\n")).is_some());
        assert_eq!(check_header(&Source::new("a.sh", "exit\n")), None);
    }
}
