//! Translates serde's error messages into terms of the configuration, without values, which may be secrets.

use super::problem::{list, nearest};

/// A translated message with the next step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Explained {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// The unknown key, which serde's path does not include.
    pub(crate) key: Option<String>,
}

/// Translates a message of serde.
pub(crate) fn explain(text: &str) -> Explained {
    let plain = |message: String| Explained { message, hint: None, key: None };
    if let Some((found, expected)) = parse_mismatch(text) {
        return plain(format!("expected {}, found {}", expected_kind(expected), found_kind(found)));
    }
    if let Some(rest) = text.strip_prefix("unknown variant ") {
        let (found, expected) = quoted_names(rest);
        let near = nearest(&found, expected.iter().map(String::as_str));
        return Explained {
            hint: near.map(|near| format!("did you mean `{near}`?")),
            ..plain(format!("expected one of {}", list(expected.iter().map(String::as_str))))
        };
    }
    if let Some(rest) = text.strip_prefix("unknown field ") {
        let (found, expected) = quoted_names(rest);
        let hint = match nearest(&found, expected.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys of this table are {}", list(expected.iter().map(String::as_str))),
        };
        return Explained { message: format!("unknown key `{found}`"), hint: Some(hint), key: Some(found) };
    }
    if let Some(field) = text.strip_prefix("missing field ") {
        return plain(format!("missing key {field}"));
    }
    // Deserializers of single keys put the next step on a second line.
    let (message, hint) = text.split_once('\n').map_or((text, None), |(message, hint)| (message, Some(hint)));
    Explained { hint: hint.map(str::to_owned), ..plain(message.to_owned()) }
}

fn parse_mismatch(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: "))?;
    rest.rsplit_once(", expected ")
}

/// Returns the kind of the value that was found, without the value itself.
fn found_kind(found: &str) -> &'static str {
    match found.split(' ').next().unwrap_or_default() {
        "string" | "character" => "a text",
        "integer" | "floating" => "a number",
        "boolean" => "`true` or `false`",
        "map" => "a table",
        "sequence" => "a list",
        _ => "something else",
    }
}

fn expected_kind(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list",
        "a map" => "a table",
        "a boolean" => "`true` or `false`",
        "a string" | "path string" => "a text",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

/// Returns the name that was found and those that were expected. serde quotes all of them in backticks.
fn quoted_names(text: &str) -> (String, Vec<String>) {
    let mut quoted = text.split('`').skip(1).step_by(2).map(str::to_owned);
    (quoted.next().unwrap_or_default(), quoted.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_named_by_kind_and_never_shown() {
        let message = |text: &str| explain(text).message;
        assert_eq!(
            message("invalid type: string \"hunter2, expected\", expected a boolean"),
            "expected `true` or `false`, found a text"
        );
        assert_eq!(message("invalid type: map, expected a sequence"), "expected a list, found a table");
        assert_eq!(message("invalid value: integer `7`, expected struct Rest"), "expected a table, found a number");
        assert_eq!(message("missing field `realm`"), "missing key `realm`");
        let explained = explain("unknown variant `rejct`, expected `reject` or `use_id`");
        assert_eq!(explained.message, "expected one of `reject` and `use_id`");
        assert_eq!(explained.hint.unwrap(), "did you mean `reject`?");
        let explained = explain("unknown field `ulr`, expected one of `url`, `realm`");
        assert_eq!((explained.message.as_str(), explained.key.as_deref()), ("unknown key `ulr`", Some("ulr")));
    }
}
