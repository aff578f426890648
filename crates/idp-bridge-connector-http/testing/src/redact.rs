//! Removes secrets and personal data from the answers that a failed case shows.

use serde_json::{Map, Value};

/// The length of a shown body that is not JSON.
const SHOWN: usize = 200;
/// Parts of the names of members with values that are never shown.
const PRIVATE: [&str; 9] = ["password", "secret", "token", "hash", "salt", "link", "key", "cookie", "session"];

/// Returns a body in which addresses, ids, tokens and the values of private members are replaced by `…`.
///
/// Error codes and short words stay, because rules of a definition are about them.
pub fn redact(body: &str) -> String {
    match serde_json::from_str(body) {
        Ok(value) => redact_value(value).to_string(),
        Err(_) => redact_text(&body.chars().take(SHOWN).collect::<String>()),
    }
}

fn redact_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(redact_text(&text)),
        Value::Array(elements) => Value::Array(elements.into_iter().map(redact_value).collect()),
        Value::Object(members) => Value::Object(members.into_iter().map(redact_member).collect::<Map<_, _>>()),
        other => other,
    }
}

fn redact_member((name, value): (String, Value)) -> (String, Value) {
    let lower = name.to_lowercase();
    let is_private = value.is_string() && PRIVATE.iter().any(|part| lower.contains(part));
    let value = if is_private { "…".into() } else { redact_value(value) };
    (name, value)
}

/// Replaces words with `@` and long words with a digit.
fn redact_text(text: &str) -> String {
    let is_separator = |c: char| c.is_whitespace() || "\"'<>(){}[],;&?=/".contains(c);
    let shown = |word: &str| {
        let is_long = word.chars().count() >= 15 && word.contains(|c: char| c.is_ascii_digit());
        if word.contains('@') || word.contains("%40") || is_long { "…".to_owned() } else { word.to_owned() }
    };
    let mut redacted = String::new();
    for part in text.split_inclusive(is_separator) {
        let end = part.chars().next_back().filter(|last| is_separator(*last));
        redacted.push_str(&shown(part.trim_end_matches(is_separator)));
        redacted.extend(end);
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_values_are_replaced() {
        for (body, shown) in [
            (r#"{"code":"USER_NOT_FOUND","status":404}"#, r#"{"code":"USER_NOT_FOUND","status":404}"#),
            (r#"{"email":"ada@acme.example"}"#, r#"{"email":"…"}"#),
            (r#"[{"id":"5f6c1f0a-93ab-4c3e-8f0e-0a1b2c3d4e5f"}]"#, r#"[{"id":"…"}]"#),
            (r#"{"access_token":"short","n":null}"#, r#"{"access_token":"…","n":null}"#),
            ("<p>ada@acme.example is unknown</p>", "<p>… is unknown</p>"),
            ("/users/abcdefghij0123456789?x=1", "/users/…?x=1"),
            ("filter=email+eq+ada%40acme.example", "filter=…"),
        ] {
            assert_eq!(redact(body), shown);
        }
    }

    #[test]
    fn long_pages_are_cut() {
        assert!(redact(&"x ".repeat(5_000)).chars().count() <= SHOWN);
    }
}
