//! What the JSON schema of a type says: which keys a table may have, which of them are secrets, which are paths.

use idp_bridge_core::Secret;
use serde_json::{Map, Value};

/// The schema of one value, with `$ref`s followed and `null` left aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'s> {
    root: &'s Value,
    own: &'s Map<String, Value>,
}

/// What kind of value a key has, as far as the configuration treats it in a special way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A secret: a value, a file or an environment variable.
    Secret,
    /// A list of secrets.
    Secrets,
    /// A path of a file, relative to the configuration's.
    Path,
    /// Anything else.
    Plain,
}

/// The endings of the keys that a secret may be given as.
pub(crate) const FORMS: [&str; 3] = ["", "_file", "_env"];

impl<'s> Shape<'s> {
    /// The shape of a whole schema.
    pub(crate) fn of(schema: &'s Value) -> Option<Self> {
        Self { root: schema, own: schema.as_object()? }.resolve()
    }

    /// The keys that a table of this shape has, with their kinds.
    pub(crate) fn keys(self) -> impl Iterator<Item = (&'s str, Kind)> {
        self.properties().into_iter().flatten().map(move |(key, schema)| (key.as_str(), self.kind(schema)))
    }

    /// What kind of value this key has.
    pub(crate) fn kind_of(self, key: &str) -> Option<Kind> {
        self.properties()?.get(key).map(|schema| self.kind(schema))
    }

    /// The shape of this key's value.
    pub(crate) fn key(self, key: &str) -> Option<Self> {
        let named = self.properties().and_then(|properties| properties.get(key));
        self.at(named.or_else(|| self.own.get("additionalProperties"))?)
    }

    /// The shape of the elements.
    pub(crate) fn elements(self) -> Option<Self> {
        self.at(self.own.get("items")?)
    }

    /// Whether it is a table with keys of its own.
    pub(crate) fn is_table(self) -> bool {
        self.properties().is_some()
    }

    /// Whether a table of this shape may have no other keys.
    pub(crate) fn is_closed(self) -> bool {
        self.own.get("additionalProperties") == Some(&Value::Bool(false))
    }

    /// The keys that a table of this shape must have.
    pub(crate) fn required(self) -> impl Iterator<Item = &'s str> {
        self.own.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// The first sentence of this key's documentation.
    pub(crate) fn summary(self, key: &str) -> Option<String> {
        let text = self.properties()?.get(key)?.get("description")?.as_str()?;
        let first = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        Some(first.split_inclusive(". ").next().unwrap_or_default().trim().to_owned())
    }

    fn properties(self) -> Option<&'s Map<String, Value>> {
        self.own.get("properties")?.as_object()
    }

    fn at(self, schema: &'s Value) -> Option<Self> {
        Self { root: self.root, own: schema.as_object()? }.resolve()
    }

    /// Follows `$ref`, and `anyOf` with `null`, which is how an optional value is written.
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
