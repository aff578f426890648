//! JSON parsing with errors that name the field and its type, and never contain a value.

use serde::de::DeserializeOwned;
use serde_json::Deserializer;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

/// The reason why a text is not the expected JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct JsonFault {
    /// The place: a field such as `users[0].age`, or line and column.
    pub(crate) place: String,
    /// The expected and the found type.
    pub(crate) reason: String,
}

/// Parses JSON.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonFault> {
    // Most texts are valid. The place of a fault costs as much as the parse, and UTF-8 is checked faster as a whole.
    if let Ok(text) = std::str::from_utf8(text)
        && let Ok(read) = serde_json::from_str(text)
    {
        return Ok(read);
    }
    let mut deserializer = Deserializer::from_slice(text);
    let read = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().clone();
        describe(error.inner(), &path)
    })?;
    deserializer.end().map_err(|error| not_json(&error))?;
    Ok(read)
}

fn describe(error: &serde_json::Error, path: &Path) -> JsonFault {
    match error.classify() {
        Category::Data => JsonFault { place: field(path), reason: explain(&error.to_string()) },
        Category::Syntax | Category::Eof | Category::Io => not_json(error),
    }
}

fn not_json(error: &serde_json::Error) -> JsonFault {
    let reason = if error.is_eof() { "the text ends too early" } else { "the text is not JSON" };
    JsonFault { place: format!("line {} column {}", error.line(), error.column()), reason: reason.into() }
}

/// Formats the path of a field. Unusual names are masked, because a map may have personal data as keys.
fn field(path: &Path) -> String {
    let mut text = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                text.push_str(if text.is_empty() { "" } else { "." });
                text.push_str(if is_plain(key) { key } else { "…" });
            }
            Segment::Unknown => {}
        }
    }
    if text.is_empty() { "the whole".into() } else { text }
}

fn is_plain(name: &str) -> bool {
    name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':'))
}

/// Rewrites serde's message without values and without Rust types.
fn explain(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("missing field ") {
        let name = rest.split('`').nth(1).unwrap_or_default();
        return format!("the field `{name}` is missing");
    }
    if text.starts_with("duplicate field ") {
        return "a field is there twice".into();
    }
    let found = text.strip_prefix("invalid type: ").map(kind);
    let expected = text.rsplit_once(", expected ").and_then(|(_, expected)| wanted(expected));
    match (found, expected) {
        (Some(found), Some(expected)) => format!("expected {expected}, found {found}"),
        (Some(found), None) => format!("{found} is not what is expected"),
        (None, _) => "the value cannot be read".into(),
    }
}

/// Returns the JSON type at the start of serde's message.
fn kind(found: &str) -> &'static str {
    let word = found.split([' ', ',']).next().unwrap_or_default();
    match word {
        "string" | "character" => "a text",
        "integer" | "floating" | "number" => "a number",
        "boolean" => "`true` or `false`",
        "map" => "an object",
        "sequence" => "a list",
        "null" | "unit" | "Option" => "`null`",
        _ => "something else",
    }
}

/// Returns the JSON type that serde expected, or `None` for a custom message.
fn wanted(expected: &str) -> Option<&'static str> {
    let expected = expected.split(" at line ").next().unwrap_or_default();
    Some(match expected {
        "a string" | "a borrowed string" | "a character" => "a text",
        "a boolean" => "`true` or `false`",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize" | "f32"
        | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other if other.starts_with("a tuple") || other.starts_with("an array") => "a list",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Person {
        age: u8,
        #[serde(default)]
        names: Vec<String>,
        #[serde(default)]
        marks: HashMap<String, bool>,
        friend: Option<Box<Person>>,
    }

    #[test]
    fn fault_names_field_and_types() {
        for (text, place, reason) in [
            (r#"[{"age": "ada@acme.example"}]"#, "[0].age", "expected a number, found a text"),
            (r#"[{"age": 1}, {"age": 300}]"#, "[1].age", "the value cannot be read"),
            (r#"[{}]"#, "[0]", "the field `age` is missing"),
            (r#"[{"age": null}]"#, "[0].age", "expected a number, found `null`"),
            (r#"[{"age": 1, "names": "ada"}]"#, "[0].names", "expected a list, found a text"),
            (r#"[{"age": 1, "names": ["a", 7.5]}]"#, "[0].names[1]", "expected a text, found a number"),
            (r#"[{"age": 1, "friend": {"age": {}}}]"#, "[0].friend.age", "expected a number, found an object"),
            (r#"[{"age": 1, "marks": {"a_b": 1}}]"#, "[0].marks.a_b", "expected `true` or `false`, found a number"),
            (
                r#"[{"age": 1, "marks": {"ada@acme.example": []}}]"#,
                "[0].marks.…",
                "expected `true` or `false`, found a list",
            ),
            (r#"["ada@acme.example, expected u8"]"#, "[0]", "expected an object, found a text"),
            (r#"{"error": "ada"}"#, "the whole", "expected a list, found an object"),
            ("<html>", "line 1 column 1", "the text is not JSON"),
            (r#"[{"age": 1}] ada"#, "line 1 column 14", "the text is not JSON"),
            (r#"[{"age": 1"#, "line 1 column 10", "the text ends too early"),
            ("", "line 1 column 0", "the text ends too early"),
        ] {
            let fault = parse::<Vec<Person>>(text.as_bytes()).unwrap_err();
            assert_eq!((fault.place.as_str(), fault.reason.as_str()), (place, reason), "{text}");
        }
    }
}
