//! The registration of a new connector in the files of the workspace.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::name::Name;
use super::template;
use crate::workspace::Workspace;

const ROOT: &str = "Cargo.toml";
const PROGRAM: &str = "crates/idp-bridge/Cargo.toml";
const CONNECTORS: &str = "crates/idp-bridge/src/connectors.rs";
const EXAMPLE: &str = "docs/configuration.example.toml";
const BOOK: &str = "docs/SUMMARY.md";

/// The files that registration changes.
pub(super) const FILES: [&str; 5] = [ROOT, PROGRAM, CONNECTORS, EXAMPLE, BOOK];

/// Returns the changed text of these files, without writing it.
pub(super) fn register(root: &Path, name: &Name) -> Result<Vec<(String, String)>> {
    let edit = |path: &str, edit: &dyn Fn(&str) -> Result<String>| -> Result<(String, String)> {
        let text = std::fs::read_to_string(root.join(path)).with_context(|| format!("cannot read `{path}`"))?;
        let edited = edit(&text).with_context(|| format!("cannot register the connector in `{path}`"))?;
        Ok((path.to_owned(), edited))
    };
    Ok(vec![
        edit(ROOT, &|text| in_workspace(text, name))?,
        edit(PROGRAM, &|text| in_program(text, name))?,
        edit(CONNECTORS, &|text| in_registry(text, name))?,
        edit(EXAMPLE, &|text| in_example(text, name))?,
        edit(BOOK, &|text| in_book(text, name))?,
    ])
}

fn in_workspace(text: &str, name: &Name) -> Result<String> {
    let (package, version) = (name.package(), Workspace::version(text)?);
    let line = format!("{package} = {{ path = \"crates/{package}\", version = \"{version}\" }}");
    insert(text, &line, |line| line.starts_with("idp-bridge-connector-"))
}

fn in_program(text: &str, name: &Name) -> Result<String> {
    let (package, feature) = (name.package(), name.kebab());
    if text.lines().any(|line| line.starts_with(&format!("{feature} = "))) {
        bail!("a feature `{feature}` exists already; hint: choose another name");
    }
    let text = insert(text, &format!("{feature} = [\"dep:{package}\"]"), |line| {
        line.contains(" = [\"dep:idp-bridge-connector-")
    })?;
    let text = insert(&text, &format!("{package} = {{ workspace = true, optional = true }}"), |line| {
        line.starts_with("idp-bridge-connector-") && line.contains("optional = true")
    })?;
    in_default(&text, feature)
}

/// Adds a feature to the default features.
fn in_default(text: &str, feature: &str) -> Result<String> {
    const START: &str = "default = [";
    let line = text.lines().find(|line| line.starts_with(START) && line.ends_with(']'));
    let line = line.with_context(|| format!("no line is `{START}…]`"))?;
    let own = format!("\"{feature}\"");
    let mut features: Vec<&str> = line.trim_start_matches(START).trim_end_matches(']').split(", ").collect();
    features.push(&own);
    features.sort_unstable();
    Ok(text.replacen(line, &format!("{START}{}]", features.join(", ")), 1))
}

fn in_registry(text: &str, name: &Name) -> Result<String> {
    let line = format!("    \"{}\" => idp_bridge_connector_{}::{},", name.kebab(), name.snake(), name.pascal());
    insert(text, &line, |line| line.contains("\" => idp_bridge_connector_"))
}

/// Adds a tenant to the example configuration, before the tenant of the demo.
fn in_example(text: &str, name: &Name) -> Result<String> {
    const NEXT: &str = "[tenants.demo]\n";
    let (before, after) = text.split_once(NEXT).with_context(|| format!("no line is `{}`", NEXT.trim()))?;
    Ok([before, &template::example(name)?, NEXT, after].concat())
}

/// Adds the connector's page to the table of contents of the book, among the pages of products.
fn in_book(text: &str, name: &Name) -> Result<String> {
    let line = format!("- [{}](connectors/{}.md)", name.pascal(), name.kebab());
    insert(text, &line, |line| line.contains("](connectors/") && !line.contains("/new.md"))
}

/// Inserts a line among similar lines, which are sorted.
fn insert(text: &str, line: &str, is_similar: impl Fn(&str) -> bool) -> Result<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let similar = || lines.iter().enumerate().filter(|(_, other)| is_similar(other));
    let next = similar().find(|(_, other)| **other > line).map(|(at, _)| at);
    let at = next.or_else(|| similar().last().map(|(at, _)| at + 1));
    lines.insert(at.with_context(|| format!("no line is similar to `{}`", line.trim()))?, line);
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_inserted_in_order() {
        let text = "[x]\nb = 1\nd = 1\n\n[y]\nz = 2\n";
        let is_similar = |line: &str| line.ends_with("= 1");
        assert_eq!(insert(text, "a = 1", is_similar).unwrap(), "[x]\na = 1\nb = 1\nd = 1\n\n[y]\nz = 2\n");
        assert_eq!(insert(text, "c = 1", is_similar).unwrap(), "[x]\nb = 1\nc = 1\nd = 1\n\n[y]\nz = 2\n");
        assert_eq!(insert(text, "e = 1", is_similar).unwrap(), "[x]\nb = 1\nd = 1\ne = 1\n\n[y]\nz = 2\n");
        assert!(insert("", "e = 1", is_similar).is_err());
    }

    #[test]
    fn the_feature_becomes_a_default() {
        let text = "default = [\"keycloak\", \"memory\"]\nlab = []\n";
        let expected = "default = [\"keycloak\", \"memory\", \"okta\"]\nlab = []\n";
        assert_eq!(in_default(text, "okta").unwrap(), expected);
        assert!(in_default("default = [\n", "okta").is_err());
    }

    #[test]
    fn the_page_is_listed_among_products() {
        let text = "- [Keycloak](connectors/keycloak.md)\n- [Write](connectors/new.md)\n";
        let listed = in_book(text, &Name::parse("okta").unwrap()).unwrap();
        assert_eq!(listed.lines().nth(1), Some("- [Okta](connectors/okta.md)"));
    }

    #[test]
    fn a_taken_feature_is_rejected() {
        let error = in_program("lab = []\n", &Name::parse("lab").unwrap()).unwrap_err();
        assert!(error.to_string().contains("`lab` exists already"), "{error}");
    }
}
