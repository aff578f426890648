//! `docs/settings.md`: all keys of the configuration with their types and defaults, from its JSON schema.

use anyhow::{Context, Result};
use serde_json::{Map, Value};

const INTRODUCTION: &str = "# Settings\n\n\
    `cargo xtask codegen` generates this page from the JSON schema of the configuration, which `idp-bridge schema config` prints.\n\
    [configuration.example.toml](configuration.example.toml) has the keys in their context, and [limits.md](limits.md) describes the limits.\n\n\
    - Unknown keys are errors. `idp-bridge check` validates a configuration without network access.\n\
    - A *secret* `name` is given in one of three ways: `name`, `name_file` with the path of a file, or `name_env` with an environment variable.\n\
    - A *path* is relative to the folder of the configuration.\n\
    - In a file of one tenant, such as `acme.toml`, the keys have no prefix `tenants.acme.`.\n";

/// The suffixes of the other forms of a secret.
const FORMS: [&str; 2] = ["_file", "_env"];

/// A schema, and the document with its definitions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema<'s> {
    root: &'s Value,
    own: &'s Value,
}

/// Returns the page for this JSON schema.
pub(super) fn render(schema: &str) -> Result<String> {
    let root: Value = serde_json::from_str(schema).context("the schema of the configuration is not JSON")?;
    let root = Schema { root: &root, own: &root };
    let mut page = INTRODUCTION.to_owned();
    for (name, schema) in root.properties() {
        section(name, schema.resolve(), &mut page);
    }
    Ok(page)
}

/// Writes the section of a table, and then those of the tables in it.
fn section(path: &str, table: Schema<'_>, page: &mut String) {
    if let Some(choices) = table.tagged_choices() {
        for (tag, choice) in choices {
            keys(path, &format!("`[{path}]` with `type = \"{tag}\"`"), choice, page);
        }
    } else if let Some(elements) = table.table_elements() {
        section(&format!("{path}.<id>"), elements, page);
    } else {
        keys(path, &format!("`[{path}]`"), table, page);
    }
}

/// Writes the heading and the keys of a table.
fn keys(path: &str, heading: &str, table: Schema<'_>, page: &mut String) {
    *page += &format!("\n## {heading}\n\n{}\n\n", one_line(table.text("description")));
    *page += "| Key | Type | Default | Meaning |\n|---|---|---|---|\n";
    let required = table.required();
    let mut tables = Vec::new();
    for (key, schema) in table.properties().filter(|(key, _)| !is_secret_form(table, key)) {
        let resolved = schema.resolve();
        if resolved.is_section() {
            tables.push((format!("{path}.{key}"), resolved));
        }
        let default = if required.contains(&key) { "required".to_owned() } else { schema.default() };
        let meaning = one_line(schema.text("description").or_else(|| resolved.text("description")));
        *page += &format!("| `{key}` | {} | {default} | {meaning} |\n", schema.type_name());
    }
    for (path, table) in tables {
        section(&path, table, page);
    }
}

/// Returns whether a key is the `_file` or `_env` form of a secret.
fn is_secret_form(table: Schema<'_>, key: &str) -> bool {
    let names = FORMS.iter().filter_map(|form| key.strip_suffix(form));
    names.into_iter().any(|name| table.properties().any(|(other, schema)| other == name && schema.has_secret()))
}

impl<'s> Schema<'s> {
    /// Creates the schema of a part of a document.
    pub(super) fn new(root: &'s Value, own: &'s Value) -> Self {
        Self { root, own }
    }

    fn at(self, own: &'s Value) -> Self {
        Self { own, ..self }
    }

    pub(super) fn get(self, key: &str) -> Option<&'s Value> {
        self.own.get(key)
    }

    pub(super) fn text(self, key: &str) -> Option<&'s str> {
        self.get(key)?.as_str()
    }

    fn list(self, key: &str) -> impl Iterator<Item = &'s Value> + use<'s> {
        self.get(key).and_then(Value::as_array).into_iter().flatten()
    }

    pub(super) fn properties(self) -> impl Iterator<Item = (&'s str, Self)> {
        let properties = self.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter);
        properties.map(move |(key, schema)| (key.as_str(), self.at(schema)))
    }

    /// Returns the keys that a table must have. A required secret is one of three keys.
    pub(super) fn required(self) -> Vec<&'s str> {
        let one_of_three = self.list("allOf").filter_map(|rule| rule.pointer("/oneOf/0/required/0"));
        self.list("required").chain(one_of_three).filter_map(Value::as_str).collect()
    }

    /// Resolves `$ref`, and `anyOf` with `null`, which is the schema of an optional value.
    pub(super) fn resolve(self) -> Self {
        if let Some(name) = self.reference() {
            return self.root.get("$defs").and_then(|all| all.get(name)).map_or(self, |found| self.at(found).resolve());
        }
        let mut some = self.list("anyOf").filter(|choice| choice.get("type").is_none_or(|name| name != "null"));
        match (some.next(), some.next()) {
            (Some(only), None) => self.at(only).resolve(),
            _ => self,
        }
    }

    fn reference(self) -> Option<&'s str> {
        self.text("$ref")?.strip_prefix("#/$defs/")
    }

    /// Returns whether the value is a secret or a list of secrets.
    fn has_secret(self) -> bool {
        let is_secret = |schema: &Self| schema.reference() == Some("Secret");
        let inner = self.list("anyOf").chain(self.get("items")).map(|inner| self.at(inner));
        std::iter::once(self).chain(inner).any(|schema| is_secret(&schema))
    }

    /// Returns the values of a key `type` with the tables that they select.
    pub(super) fn tagged_choices(self) -> Option<Vec<(&'s str, Self)>> {
        let choices = self.list("oneOf").map(|choice| {
            let tag = choice.pointer("/properties/type/const")?.as_str()?;
            Some((tag, self.at(choice)))
        });
        choices.collect::<Option<Vec<_>>>().filter(|choices| !choices.is_empty())
    }

    /// Returns the schema of the tables in a table with free keys.
    fn table_elements(self) -> Option<Self> {
        let elements = self.at(self.get("additionalProperties")?).resolve();
        elements.is_section().then_some(elements)
    }

    /// Returns whether the keys of the value have a section of their own.
    fn is_section(self) -> bool {
        self.get("properties").is_some() || self.tagged_choices().is_some() || self.table_elements().is_some()
    }

    /// Returns the type for people.
    fn type_name(self) -> String {
        let resolved = self.resolve();
        if self.has_secret() {
            return if self.get("items").is_some() { "list of secrets".into() } else { "secret".into() };
        }
        if let Some(value) = resolved.get("const") {
            return code(value);
        }
        let constants: Vec<String> = resolved
            .list("oneOf")
            .filter_map(|choice| choice.get("const"))
            .chain(resolved.list("enum"))
            .map(code)
            .collect();
        if !constants.is_empty() {
            return constants.join(", ");
        }
        if resolved.is_section() {
            return "table".into();
        }
        match resolved.plain_type() {
            Some("array") => resolved.collection("list", "items", Self::type_name),
            Some("object") => resolved.collection("table", "additionalProperties", Self::type_name),
            Some("integer") => resolved.integer(),
            Some("string") if resolved.text("format") == Some("path") => "path".into(),
            Some("string") => {
                let examples: Vec<_> = resolved.list("examples").map(code).collect();
                if examples.is_empty() { "string".into() } else { format!("string, such as {}", examples.join(", ")) }
            }
            Some(other) => other.to_owned(),
            None => "see its page".into(),
        }
    }

    /// Returns the names of all types that the schema refers to, in their order.
    pub(super) fn references(self) -> Vec<&'s str> {
        let mut found = Vec::new();
        collect_references(self.own, &mut found);
        found
    }

    /// Returns the values or the keys of which one is given, each with its meaning.
    pub(super) fn documented_values(self) -> Option<Vec<(String, String)>> {
        let mut values = Vec::new();
        for choice in self.list("oneOf").chain(self.list("anyOf")).chain([self.own]).map(|choice| self.at(choice)) {
            // Values without a meaning of their own are in one list.
            let meaning = if choice.own == self.own { String::new() } else { one_line(choice.text("description")) };
            let constants = choice.get("const").into_iter().chain(choice.list("enum")).map(code);
            values.extend(constants.map(|value| (value, meaning.clone())));
            if choice.own != self.own {
                values.extend(choice.properties().map(|(key, _)| (format!("`{key}`"), meaning.clone())));
            }
        }
        (!values.is_empty()).then_some(values)
    }

    /// Returns the type for people, with links to the sections of types.
    pub(super) fn linked_type(self) -> String {
        if let Some(name) = self.reference() {
            let resolved = self.resolve();
            return match resolved.is_section() || resolved.documented_values().is_some() {
                true => format!("[{name}](#{})", name.to_lowercase()),
                false => resolved.linked_type(),
            };
        }
        let some: Vec<Self> = self.list("anyOf").map(|choice| self.at(choice)).collect();
        if !some.is_empty() {
            let names =
                some.iter().filter(|choice| choice.text("type") != Some("null")).map(|choice| choice.linked_type());
            return names.collect::<Vec<_>>().join(" or ");
        }
        match self.plain_type() {
            Some("array") => self.collection("list", "items", Self::linked_type),
            Some("object") => self.collection("table", "additionalProperties", Self::linked_type),
            _ if self.own == &Value::Bool(true)
                || self.own.as_object().is_some_and(|own| !own.contains_key("type")) =>
            {
                "any value".into()
            }
            _ => self.type_name(),
        }
    }

    /// Returns the type of a list or table, with that of its elements in the schema of this key.
    fn collection(self, name: &str, key: &str, type_name: impl Fn(Self) -> String) -> String {
        let elements = self.get(key).filter(|elements| elements.is_object());
        let elements = elements.map_or_else(|| "value".into(), |elements| type_name(self.at(elements)));
        format!("{name} of {}", plural(&elements))
    }

    fn plain_type(self) -> Option<&'s str> {
        let listed = self.list("type").filter_map(Value::as_str).find(|name| *name != "null");
        self.text("type").or(listed)
    }

    fn integer(self) -> String {
        let limit = |key: &str| self.get(key).map(ToString::to_string);
        match (limit("minimum"), limit("maximum")) {
            (Some(least), Some(most)) => format!("integer, {least} to {most}"),
            (Some(least), None) => format!("integer, at least {least}"),
            (None, Some(most)) => format!("integer, at most {most}"),
            (None, None) => "integer".into(),
        }
    }

    /// Returns the default for people. The defaults of a table are those of its keys.
    fn default(self) -> String {
        match self.get("default") {
            _ if self.resolve().is_section() => "those of its keys".into(),
            None | Some(Value::Null) => "none".into(),
            Some(value) => code(value),
        }
    }
}

fn collect_references<'s>(schema: &'s Value, found: &mut Vec<&'s str>) {
    match schema {
        Value::Array(elements) => elements.iter().for_each(|element| collect_references(element, found)),
        Value::Object(members) => {
            let name = members.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/"));
            found.extend(name);
            members.iter().filter(|(key, _)| *key != "$defs").for_each(|(_, member)| collect_references(member, found));
        }
        _ => {}
    }
}

fn code(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), |text| format!("\"{text}\""));
    format!("`{}`", text.replace('|', "\\|"))
}

/// Returns the plural of a type, such as `strings, such as …` or `lists of strings`. Constants and links have none.
fn plural(name: &str) -> String {
    let end = name.find([' ', ',']).unwrap_or(name.len());
    let (first, rest) = name.split_at(end);
    if first.starts_with(['`', '[']) { name.to_owned() } else { format!("{first}s{rest}") }
}

/// Returns a text as one line of a table.
pub(super) fn one_line(text: Option<&str>) -> String {
    text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
