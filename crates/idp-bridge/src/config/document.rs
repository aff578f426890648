//! Configuration files as TOML documents with the position of each key.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::path::{KeyPath, Step};
use super::problem::{Place, Position, Problem};
use super::regular::{MAX_FILE, read_text};

/// The text of a configuration file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    text: String,
}

impl File {
    /// Returns the text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Problem> {
        match read_text(path, MAX_FILE) {
            Ok(text) => Ok(Self { path: path.to_owned(), text }),
            Err(error) => Err(Problem::new(format!("the configuration cannot be read: {error}")).in_file(path)),
        }
    }

    /// Creates a file from a text.
    #[cfg(test)]
    pub(crate) fn from_text(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// Returns the folder that relative paths start from.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new(""))
    }

    /// Converts TOML errors into problems. The repeated keys of a repeated table are left out.
    fn syntax_problems(&self, errors: &[toml::de::Error]) -> Vec<Problem> {
        let mut repeated = None;
        let mut problems = Vec::new();
        for error in errors {
            let span = error.span();
            let explained = match &span {
                Some(span) if error.message() == "duplicate key" => {
                    let header = self.header_before(span.start);
                    if header.is_some() && header == repeated {
                        continue;
                    }
                    let is_header = header.is_some_and(|start| !self.since(start, span.start).contains('\n'));
                    repeated = header.filter(|_| is_header);
                    self.repetition_problem(span, repeated)
                }
                _ => Problem::new(format!("the file is not TOML: {}", error.message().replace('\n', ", "))),
            };
            problems.push(Problem { place: Some(self.place(span)), ..explained });
        }
        problems
    }

    /// Returns the offset of the last line with a table header up to this offset.
    fn header_before(&self, offset: usize) -> Option<usize> {
        let line_end = self.text.get(offset..)?.find('\n').map_or(self.text.len(), |length| offset + length);
        let mut start = 0;
        let mut header = None;
        for line in self.text.get(..line_end)?.split_inclusive('\n') {
            if line.trim_start().starts_with('[') {
                header = Some(start);
            }
            start += line.len();
        }
        header
    }

    fn since(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// Returns the problem of a repeated table, whose header begins at an offset, or of a repeated key.
    fn repetition_problem(&self, key: &Range<usize>, header: Option<usize>) -> Problem {
        let Some(start) = header else {
            let message = format!("the file is not TOML: the key `{}` is repeated", self.since(key.start, key.end));
            return Problem::new(message).with_hint("keep one of them");
        };
        let line = self.since(start, self.text.len()).lines().next().unwrap_or_default();
        let header = line.find(']').and_then(|end| line.get(..=end)).unwrap_or(line).trim();
        let first = self.text.lines().position(|line| line.trim().starts_with(header)).map_or(1, |index| index + 1);
        Problem::new(format!("the file is not TOML: the table `{header}` is repeated"))
            .with_hint(format!("it begins at line {first}: move all of its keys there, or rename one of the two"))
    }

    fn place(&self, span: Option<Range<usize>>) -> Place {
        let position = span.and_then(|span| self.text.get(..span.start)).map(|before| Position {
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
        });
        Place { file: self.path.display().to_string(), position }
    }
}

/// A parsed configuration file.
#[derive(Debug)]
pub(crate) struct Document<'f> {
    pub(crate) file: &'f File,
    root: DeValue<'f>,
    /// The begin of the parsed part in the file.
    offset: usize,
}

impl<'f> Document<'f> {
    /// Parses a file and returns all of its syntax errors.
    pub(crate) fn parse(file: &'f File) -> Result<Self, Vec<Problem>> {
        Self::parse_part(file, 0..file.text.len()).map_err(|errors| file.syntax_problems(&errors))
    }

    /// Parses a part of a file. Positions are those in the whole file, except in errors.
    pub(crate) fn parse_part(file: &'f File, part: Range<usize>) -> Result<Self, Vec<toml::de::Error>> {
        let offset = part.start;
        let (root, errors) = DeTable::parse_recoverable(file.text.get(part).unwrap_or_default());
        if errors.is_empty() { Ok(Self { file, root: DeValue::Table(root.into_inner()), offset }) } else { Err(errors) }
    }

    /// Converts the values to JSON.
    pub(crate) fn to_json(&self) -> Value {
        to_json(&self.root)
    }

    /// Creates a problem at the position of a key, or of the nearest table above it if the key is missing.
    pub(crate) fn problem(&self, path: &KeyPath, message: impl Into<String>) -> Problem {
        let key = path.to_string();
        Problem {
            place: Some(self.file.place(self.span(path))),
            key: (!key.is_empty()).then_some(key),
            ..Problem::new(message)
        }
    }

    /// Returns whether the file has this key.
    pub(crate) fn has(&self, path: &KeyPath) -> bool {
        self.find(path).1 == path.0.len()
    }

    fn span(&self, path: &KeyPath) -> Option<Range<usize>> {
        self.find(path).0.map(|span| span.start + self.offset..span.end + self.offset)
    }

    /// Returns the position of the key, or of the nearest table above it, and the number of steps of the path that exist.
    fn find(&self, path: &KeyPath) -> (Option<Range<usize>>, usize) {
        let (mut here, mut span) = (&self.root, None);
        for (number, step) in path.0.iter().enumerate() {
            let next = match (here, step) {
                (DeValue::Table(table), Step::Key(key)) => entry(table, key),
                (DeValue::Array(array), Step::Index(index)) => array.get(*index).map(|value| (value.span(), value)),
                _ => None,
            };
            let Some((place, value)) = next else { return (span, number) };
            (here, span) = (value.get_ref(), Some(place));
        }
        (span, path.0.len())
    }
}

/// Returns the entry with this key, which may be given as `key`, `key_file` or `key_env`.
fn entry<'a, 'f>(table: &'a DeTable<'f>, key: &str) -> Option<(Range<usize>, &'a Spanned<DeValue<'f>>)> {
    ["", "_file", "_env"].iter().find_map(|form| {
        let mut entries = table.iter();
        let (own, value) = entries.find(|(own, _)| own.get_ref().strip_prefix(key) == Some(form))?;
        Some((own.span(), value))
    })
}

fn to_json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::String(number.as_str().to_owned()), Value::from),
        DeValue::Float(number) => {
            number.as_str().parse::<f64>().map_or_else(|_| Value::String(number.as_str().to_owned()), Value::from)
        }
        DeValue::Boolean(boolean) => (*boolean).into(),
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(array) => array.iter().map(|value| to_json(value.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(key, value)| (key.get_ref().to_string(), to_json(value.get_ref()))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = r#"
[server]
listen = "127.0.0.1:1" # ä

[tenants.acme]
customer.missing = "use_id"
since = 2026-01-02T03:04:05Z
big = 0xff
rest.tokens = [
  { name = "ä", sha256 = "x" },
  { name = "b" },
]
"#;

    fn position(path: &str) -> Option<(usize, usize)> {
        let file = File::from_text("a.toml", TEXT);
        let document = Document::parse(&file).unwrap();
        let place = document.problem(&KeyPath::default().join(path), "").place.unwrap();
        place.position.map(|position| (position.line, position.column))
    }

    #[test]
    fn missing_key_is_placed_at_its_table() {
        assert_eq!(position("server"), Some((2, 2)));
        assert_eq!(position("server.listen"), Some((3, 1)));
        assert_eq!(position("tenants.acme.customer.missing"), Some((6, 10)));
        assert_eq!(position("tenants.acme.rest.tokens[1].name"), Some((11, 5)));
        assert_eq!(position("tenants.acme.rest.tokens[1].sha256"), Some((11, 3)));
        assert_eq!(position("tenants.acme.connector.url"), Some((5, 10)));
        assert_eq!(position("outbound"), None);
    }

    #[test]
    fn values_become_json() {
        let file = File::from_text("a.toml", TEXT);
        let values = Document::parse(&file).unwrap().to_json();
        assert_eq!(values["tenants"]["acme"]["customer"], json!({"missing": "use_id"}));
        assert_eq!(values["tenants"]["acme"]["since"], "2026-01-02T03:04:05Z");
        assert_eq!(values["tenants"]["acme"]["big"], 255);
        assert_eq!(values["tenants"]["acme"]["rest"]["tokens"][0]["name"], "ä");
    }

    #[test]
    fn syntax_errors_are_reported_without_text() {
        let file = File::from_text("a.toml", "a = \"hunter2\nb = = 1\n");
        let problems = Document::parse(&file).unwrap_err();
        assert!(problems.len() > 1, "{problems:?}");
        assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
        let lines: Vec<_> =
            problems.iter().map(|problem| problem.place.as_ref().unwrap().position.unwrap().line).collect();
        assert!(lines.contains(&1) && lines.contains(&2), "{problems:?}");
    }
}
