//! `docs/connectors/definition-reference.md`: all keys of a definition, from the JSON schema of its types.

use anyhow::{Context, Result};
use serde_json::Value;

use super::settings::{Schema, one_line};

const INTRODUCTION: &str = "# Keys of a definition\n\n\
    `cargo xtask codegen` generates this page from the JSON schema of definitions, which `idp-bridge schema definition` prints.\n\
    [definition.md](definition.md) shows the keys in their context.\n";

/// Returns the page for this JSON schema.
pub(super) fn render(schema: &str) -> Result<String> {
    let root: Value = serde_json::from_str(schema).context("the schema of definitions is not JSON")?;
    let mut page = INTRODUCTION.to_owned();
    let mut types = vec!["Definition"];
    let mut next = 0;
    while let Some(name) = types.get(next) {
        let own = if next == 0 { Some(&root) } else { root.get("$defs").and_then(|all| all.get(name)) };
        let schema = Schema::new(&root, own.with_context(|| format!("the schema has no type `{name}`"))?);
        section(name, schema, &mut page);
        for found in schema.references() {
            if !types.contains(&found) {
                types.push(found);
            }
        }
        next += 1;
    }
    Ok(page)
}

/// Writes the section of a type that has keys or values.
fn section(name: &str, schema: Schema<'_>, page: &mut String) {
    let meaning = one_line(schema.text("description"));
    if let Some(choices) = schema.tagged_choices() {
        *page += &format!("\n## {name}\n\n{meaning}\n");
        for (tag, choice) in choices {
            *page += &format!("\n### `type = \"{tag}\"`\n\n{}\n", one_line(choice.text("description")));
            keys(choice, page);
        }
    } else if schema.properties().next().is_some() {
        *page += &format!("\n## {name}\n\n{meaning}\n");
        keys(schema, page);
    } else if let Some(values) = schema.documented_values() {
        *page += &format!("\n## {name}\n\n{meaning}\n\n");
        if values.iter().all(|(_, meaning)| meaning.is_empty()) {
            let values: Vec<String> = values.into_iter().map(|(value, _)| value).collect();
            *page += &format!("One of {}.\n", values.join(", "));
            return;
        }
        *page += "| Value | Meaning |\n|---|---|\n";
        for (value, meaning) in values {
            *page += &format!("| {value} | {meaning} |\n");
        }
    }
}

fn keys(table: Schema<'_>, page: &mut String) {
    *page += "\n| Key | Type | Meaning |\n|---|---|---|\n";
    let required = table.required();
    for (key, schema) in table.properties().filter(|(_, schema)| schema.get("const").is_none()) {
        let meaning = one_line(schema.text("description").or_else(|| schema.resolve().text("description")));
        let end = if required.contains(&key) { " Required." } else { "" };
        *page += &format!("| `{key}` | {} | {meaning}{end} |\n", schema.linked_type());
    }
}
