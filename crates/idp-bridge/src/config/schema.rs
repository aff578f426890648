//! Queries on the JSON schema of a type: the keys of a table, and which of them are secrets or paths.

use idp_bridge_core::Secret;
use serde_json::{Map, Value};

/// The schema of a value, with `$ref` resolved and `null` removed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'s> {
    root: &'s Value,
    own: &'s Map<String, Value>,
}

/// The kinds of values that are treated differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A secret, given as a value, a file or an environment variable.
    Secret,
    /// A list of secrets.
    Secrets,
    /// The path of a file, relative to the configuration's folder.
    Path,
    /// Any other value.
    Plain,
}

/// The suffixes of the keys that a secret can be given as.
pub(crate) const FORMS: [&str; 3] = ["", "_file", "_env"];

impl<'s> Shape<'s> {
    /// Creates the shape of a whole schema.
    pub(crate) fn new(schema: &'s Value) -> Option<Self> {
        Self { root: schema, own: schema.as_object()? }.resolve()
    }

    /// Returns the keys of a table of this shape, with their kinds.
    pub(crate) fn keys(self) -> impl Iterator<Item = (&'s str, Kind)> {
        self.properties().into_iter().flatten().map(move |(key, schema)| (key.as_str(), self.kind(schema)))
    }

    /// Returns the kind of the key's value.
    pub(crate) fn kind_of(self, key: &str) -> Option<Kind> {
        self.properties()?.get(key).map(|schema| self.kind(schema))
    }

    /// Returns whether each key of the table that has no property of its own is a secret.
    pub(crate) fn has_secrets(self) -> bool {
        self.own.get("additionalProperties").is_some_and(|schema| self.kind(schema) == Kind::Secret)
    }

    /// Returns the shape of the key's value.
    pub(crate) fn key(self, key: &str) -> Option<Self> {
        let named = self.properties().and_then(|properties| properties.get(key));
        self.at(named.or_else(|| self.own.get("additionalProperties"))?)
    }

    /// Returns the shape of an array's elements.
    pub(crate) fn elements(self) -> Option<Self> {
        self.at(self.own.get("items")?)
    }

    /// Returns whether the value is a table.
    pub(crate) fn is_table(self) -> bool {
        self.properties().is_some()
    }

    /// Returns whether a table of this shape rejects unknown keys.
    pub(crate) fn is_closed(self) -> bool {
        self.own.get("additionalProperties") == Some(&Value::Bool(false))
    }

    /// Returns the required keys of a table of this shape.
    pub(crate) fn required(self) -> impl Iterator<Item = &'s str> {
        self.own.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// Returns the first sentence of the key's documentation.
    pub(crate) fn summary(self, key: &str) -> Option<String> {
        let text = self.properties()?.get(key)?.get("description")?.as_str()?;
        let first = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        Some(first.split_inclusive(". ").next().unwrap_or_default().trim().to_owned())
    }

    /// Returns whether the key's value is always a text.
    pub(crate) fn is_text(self, key: &str) -> bool {
        match self.key(key).and_then(|shape| shape.own.get("type")) {
            Some(Value::String(kind)) => kind == "string",
            Some(Value::Array(kinds)) => kinds.iter().all(|kind| kind == "string" || kind == "null"),
            _ => false,
        }
    }

    fn properties(self) -> Option<&'s Map<String, Value>> {
        self.own.get("properties")?.as_object()
    }

    fn at(self, schema: &'s Value) -> Option<Self> {
        Self { root: self.root, own: schema.as_object()? }.resolve()
    }

    /// Resolves `$ref`, and `anyOf` with `null`, which is the schema of an optional value.
    fn resolve(self) -> Option<Self> {
        if let Some(name) = self.definition() {
            return self.at(self.root.get("$defs")?.get(name)?);
        }
        let choices = self.own.get("anyOf").and_then(Value::as_array);
        let mut some = choices.into_iter().flatten().filter(|choice| choice.get("type") != Some(&"null".into()));
        match (some.next(), some.next()) {
            (Some(only), None) => self.at(only),
            _ => Some(self),
        }
    }

    fn definition(self) -> Option<&'s str> {
        self.own.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
    }

    fn kind(self, schema: &Value) -> Kind {
        let is_secret = |schema: &Value| {
            let target = format!("#/$defs/{}", Secret::SCHEMA_NAME);
            let points = |schema: &Value| schema.get("$ref").and_then(Value::as_str) == Some(&target);
            points(schema)
                || schema.get("anyOf").and_then(Value::as_array).is_some_and(|choices| choices.iter().any(points))
        };
        if is_secret(schema) {
            Kind::Secret
        } else if schema.get("items").is_some_and(is_secret) {
            Kind::Secrets
        } else if schema.get("format").and_then(Value::as_str) == Some("path") {
            Kind::Path
        } else {
            Kind::Plain
        }
    }
}
