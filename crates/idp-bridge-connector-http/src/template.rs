//! Texts with placeholders: parsed once, filled in for each call.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_core::{Error, Result};
use idp_bridge_http::quote::double_quoted;
use serde::Deserialize;

use crate::values::Values;

/// A text with placeholders such as `{id}` and `{email|lower|quoted}`. A brace is written twice: `{{` and `}}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder { name: Name, functions: Vec<Function> },
}

/// The value of a placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    /// `{id}`: the id of the call or of the user.
    Id,
    /// `{email}`: the address of the search, or the user's own.
    Email,
    /// `{customer}`: the customer of the search.
    Customer,
    /// `{cursor}`: the cursor of a page after the first.
    Cursor,
    /// `{session}`: the login to end.
    Session,
    /// `{step.x}`: a value that an earlier step captured.
    Step(String),
    /// `{detail.x}`: a value of the user, from `[user.detail]`.
    Detail(String),
    /// `{x}`: a setting of the tenant. `{stage.x}`: a value of the stage.
    Setting(String),
}

impl Name {
    fn parse(text: &str) -> Result<Self, String> {
        let (group, own) = text.split_once('.').map_or(("", text), |(group, own)| (group, own));
        if own.is_empty() || !own.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            return Err(format!("`{{{text}}}` is not a placeholder: names have small letters, digits and `_`"));
        }
        match (group, own) {
            ("", "id") => Ok(Self::Id),
            ("", "email") => Ok(Self::Email),
            ("", "customer") => Ok(Self::Customer),
            ("", "cursor") => Ok(Self::Cursor),
            ("", "session") => Ok(Self::Session),
            ("", own) => Ok(Self::Setting(own.to_owned())),
            ("step", own) => Ok(Self::Step(own.to_owned())),
            ("detail", own) => Ok(Self::Detail(own.to_owned())),
            ("stage", _) => Ok(Self::Setting(text.to_owned())),
            _ => Err(format!("`{{{text}}}` is not a placeholder: groups are `step.`, `detail.` and `stage.`")),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id => f.write_str("id"),
            Self::Email => f.write_str("email"),
            Self::Customer => f.write_str("customer"),
            Self::Cursor => f.write_str("cursor"),
            Self::Session => f.write_str("session"),
            Self::Step(own) => write!(f, "step.{own}"),
            Self::Detail(own) => write!(f, "detail.{own}"),
            Self::Setting(own) => f.write_str(own),
        }
    }
}

/// Writes a value so that it stays one value in a filter or another language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    /// In double quotes, with `\` before `"` and `\`: SCIM, Okta, Lucene, PocketBase.
    Quoted,
    /// In single quotes, which are doubled inside: OData.
    Odata,
    /// With `\` before `%`, `_` and `\`: SQL `LIKE`.
    Like,
    /// As an LDAP filter value (RFC 4515, section 3).
    Ldap,
    /// As a literal part of a regular expression within a JSON text: Parse Server, MongoDB.
    Regex,
    /// As one token of a JSON pointer (RFC 6901, section 3).
    Pointer,
    /// As base64.
    Base64,
    /// In lower case (ASCII). Not for texts with other parts.
    Lower,
}

impl Function {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "quoted" => Self::Quoted,
            "odata" => Self::Odata,
            "like" => Self::Like,
            "ldap" => Self::Ldap,
            "regex" => Self::Regex,
            "pointer" => Self::Pointer,
            "base64" => Self::Base64,
            "lower" => Self::Lower,
            _ => {
                return Err(format!(
                    "unknown function `{text}`: there are quoted, odata, like, ldap, regex, pointer, base64 and lower"
                ));
            }
        })
    }

    fn is_quoting(self) -> bool {
        self != Self::Lower
    }

    fn apply(self, value: &str) -> String {
        match self {
            Self::Quoted => double_quoted(value),
            Self::Odata => format!("'{}'", value.replace('\'', "''")),
            Self::Like => escaped(value, |c| matches!(c, '%' | '_' | '\\').then(|| format!("\\{c}"))),
            Self::Ldap => escaped(value, |c| {
                matches!(c, '*' | '(' | ')' | '\\' | '\0').then(|| format!("\\{:02x}", u32::from(c)))
            }),
            // The JSON needs a second `\` for that of the expression, and a third one before `"` and `\`.
            Self::Regex => escaped(value, |c| match c {
                '"' | '\\' => Some(format!("\\\\\\{c}")),
                c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(format!("\\\\{c}")),
                _ => None,
            }),
            Self::Pointer => value.replace('~', "~0").replace('/', "~1"),
            Self::Base64 => STANDARD.encode(value),
            Self::Lower => value.to_ascii_lowercase(),
        }
    }
}

/// Applies the functions from left to right.
fn apply_all(functions: &[Function], value: String) -> String {
    functions.iter().fold(value, |value, function| function.apply(&value))
}

fn escaped(value: &str, escape: impl Fn(char) -> Option<String>) -> String {
    let mut escaped = String::with_capacity(value.len() + 8);
    for character in value.chars() {
        match escape(character) {
            Some(text) => escaped.push_str(&text),
            None => escaped.push(character),
        }
    }
    escaped
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else if let Some((inner, after)) = from.strip_prefix('{').and_then(|from| from.split_once('}')) {
                let mut words = inner.split('|');
                let name = words.next().unwrap_or_default();
                let functions = words.map(Function::parse).collect::<Result<_, _>>()?;
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                parts.push(Part::Placeholder { name: Name::parse(name)?, functions });
                rest = after;
            } else {
                return Err("a brace without its pair: write `{{` or `}}` for the character".to_owned());
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        let template = Self(parts);
        template.check_quoting()?;
        Ok(template)
    }
}

impl Template {
    /// Returns the placeholders.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.0.iter().filter_map(|part| match part {
            Part::Placeholder { name, .. } => Some(name),
            Part::Text(_) => None,
        })
    }

    /// Checks that no value of a call can change the meaning of the text around it.
    fn check_quoting(&self) -> Result<(), String> {
        if self.0.len() < 2 {
            return Ok(());
        }
        let unquoted = self.0.iter().find_map(|part| match part {
            Part::Placeholder { name: Name::Setting(_), .. } | Part::Text(_) => None,
            Part::Placeholder { functions, .. } if functions.last().is_some_and(|last| last.is_quoting()) => None,
            Part::Placeholder { name, .. } => Some(name),
        });
        match unquoted {
            None => Ok(()),
            Some(name) => Err(format!(
                "`{{{name}}}` is beside other text: add the function that quotes it there, such as `{{{name}|quoted}}`"
            )),
        }
    }

    /// Replaces the placeholders of settings by their values.
    pub(crate) fn bind(self, setting: impl Fn(&str) -> Option<String>) -> Self {
        let mut bound: Vec<Part> = Vec::with_capacity(self.0.len());
        for part in self.0 {
            let part = match part {
                Part::Placeholder { name: Name::Setting(name), functions } => match setting(&name) {
                    Some(value) => Part::Text(apply_all(&functions, value)),
                    None => Part::Placeholder { name: Name::Setting(name), functions },
                },
                part => part,
            };
            match (bound.last_mut(), part) {
                (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
                (_, part) => bound.push(part),
            }
        }
        Self(bound)
    }

    /// Returns the text with the values of settings, or `None` if there is another placeholder.
    pub(crate) fn resolve(&self, setting: impl Fn(&str) -> Option<String>) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Placeholder { name: Name::Setting(name), functions } => {
                    text.push_str(&apply_all(functions, setting(name)?));
                }
                Part::Placeholder { .. } => return None,
            }
        }
        Some(text)
    }

    /// Returns the text if no placeholder is left.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Returns whether the text is a JSON pointer: it begins with `/`, or is empty.
    pub(crate) fn is_pointer(&self) -> bool {
        match self.0.first() {
            None => true,
            Some(Part::Text(text)) => text.starts_with('/'),
            Some(Part::Placeholder { .. }) => false,
        }
    }

    /// Returns the placeholder if the text consists of one placeholder.
    pub(crate) fn as_name(&self) -> Option<&Name> {
        match self.0.as_slice() {
            [Part::Placeholder { name, functions }] if functions.is_empty() => Some(name),
            _ => None,
        }
    }

    /// Returns the text with the values of a call, or `None` if a value is absent.
    pub(crate) fn fill(&self, values: &Values<'_>) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Placeholder { name, functions } if functions.is_empty() => text.push_str(&values.get(name)?),
                Part::Placeholder { name, functions } => {
                    text.push_str(&apply_all(functions, values.get(name)?.into_owned()));
                }
            }
        }
        Some(text)
    }

    /// Like [`fill`](Self::fill), for a place that needs the text.
    pub(crate) fn require(&self, values: &Values<'_>) -> Result<String> {
        self.fill(values).ok_or_else(|| Error::state("the user lacks a value that this call sends"))
    }
}

impl schemars::JsonSchema for Template {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A text with placeholders: `{id}`, `{email}`, `{customer}`, `{cursor}`, `{step.x}`, `{detail.x}` and `{setting}`, each with a function that quotes it, such as `{email|quoted}`."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_keep_one_value() {
        for (function, value, written) in [
            ("quoted", r#"a"\"#, r#""a\"\\""#),
            ("odata", "O'Neil", "'O''Neil'"),
            ("like", r"50%_\", r"50\%\_\\"),
            ("ldap", "a*(b)", r"a\2a\28b\29"),
            ("regex", r#"a.b+é\E""#, r#"a\\.b\\+é\\\\E\\\""#),
            ("pointer", "a/~b", "a~1~0b"),
            ("base64", "cust-1", "Y3VzdC0x"),
            ("lower", "Ada", "ada"),
        ] {
            assert_eq!(Function::parse(function).unwrap().apply(value), written, "{function}");
        }
        let literal: String = serde_json::from_str(&format!("\"{}\"", Function::Regex.apply(r#"a.\E""#))).unwrap();
        assert_eq!(literal, r#"a\.\\E\""#);
    }
}
