//! The few lines elsewhere that make a connector part of the program.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::name::Name;
use super::template;

const ROOT: &str = "Cargo.toml";
const PROGRAM: &str = "crates/idp-bridge/Cargo.toml";
const CONNECTORS: &str = "crates/idp-bridge/src/connectors.rs";
const EXAMPLE: &str = "docs/configuration.example.toml";

/// The files that have such lines.
pub(super) const FILES: [&str; 4] = [ROOT, PROGRAM, CONNECTORS, EXAMPLE];

/// What these files are with the connector in them; nothing is written.
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
    ])
}

fn in_workspace(text: &str, name: &Name) -> Result<String> {
    let manifest: toml::Table = toml::from_str(text)?;
    let package = manifest.get("workspace").and_then(|workspace| workspace.get("package"));
    let version = package.and_then(|package| package.get("version")).and_then(toml::Value::as_str);
    let (package, version) = (name.package(), version.context("its packages have no common version")?);
    let line = format!("{package} = {{ path = \"crates/{package}\", version = \"{version}\" }}");
    insert(text, &line, |line| line.starts_with("idp-bridge-connector-"))
}

fn in_program(text: &str, name: &Name) -> Result<String> {
    let (package, feature) = (name.package(), name.kebab());
    if text.lines().any(|line| line.starts_with(&format!("{feature} = "))) {
        bail!("it has a feature `{feature}` already; hint: choose another name");
    }
    let text = insert(text, &format!("{feature} = [\"dep:{package}\"]"), |line| {
        line.contains(" = [\"dep:idp-bridge-connector-")
    })?;
    let text = insert(&text, &format!("{package} = {{ workspace = true, optional = true }}"), |line| {
        line.starts_with("idp-bridge-connector-") && line.contains("optional = true")
    })?;
    in_default(&text, feature)
}

/// Adds a feature to the default ones.
fn in_default(text: &str, feature: &str) -> Result<String> {
    const START: &str = "default = [";
    let line = text.lines().find(|line| line.starts_with(START) && line.ends_with(']'));
    let line = line.with_context(|| format!("no line of it is `{START}…]`"))?;
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

/// Adds a tenant to the configuration that shows every key, before the one of the demo.
fn in_example(text: &str, name: &Name) -> Result<String> {
    const NEXT: &str = "[tenants.demo]\n";
    let (before, after) = text.split_once(NEXT).with_context(|| format!("no line of it is `{}`", NEXT.trim()))?;
    Ok([before, &template::example(name), NEXT, after].concat())
}

/// Inserts a line among those like it, which are sorted.
fn insert(text: &str, line: &str, is_like: impl Fn(&str) -> bool) -> Result<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let like = || lines.iter().enumerate().filter(|(_, other)| is_like(other));
    let next = like().find(|(_, other)| **other > line).map(|(at, _)| at);
    let at = next.or_else(|| like().last().map(|(at, _)| at + 1));
    lines.insert(at.with_context(|| format!("no line of it is like `{}`", line.trim()))?, line);
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    /// The lines that are in one text and not in the other.
    fn added<'a>(before: &str, after: &'a str) -> Vec<&'a str> {
        after.lines().filter(|line| !before.lines().any(|old| old == *line)).collect()
    }

    #[test]
    fn a_connector_is_registered_by_five_lines_of_this_workspace_and_an_example() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let edited = register(&root, &name("ory-kratos")).unwrap();
        let mut lines = Vec::new();
        for (path, after) in &edited {
            let before = std::fs::read_to_string(root.join(path)).unwrap();
            if path == EXAMPLE {
                assert!(
                    after.contains("\n\n[tenants.ory-kratos]\n") && after.contains("\n\n[tenants.demo]\n"),
                    "{after}"
                );
            } else {
                lines.extend(added(&before, after));
            }
        }
        lines.retain(|line| !line.starts_with("default = "));
        assert_eq!(
            lines,
            [
                r#"idp-bridge-connector-ory-kratos = { path = "crates/idp-bridge-connector-ory-kratos", version = "0.1.0" }"#,
                r#"ory-kratos = ["dep:idp-bridge-connector-ory-kratos"]"#,
                "idp-bridge-connector-ory-kratos = { workspace = true, optional = true }",
                r#"    "ory-kratos" => idp_bridge_connector_ory_kratos::OryKratos,"#,
            ]
        );
    }

    #[test]
    fn the_line_goes_to_its_sorted_place() {
        let text = "[x]\nb = 1\nd = 1\n\n[y]\nz = 2\n";
        let is_like = |line: &str| line.ends_with("= 1");
        assert_eq!(insert(text, "a = 1", is_like).unwrap(), "[x]\na = 1\nb = 1\nd = 1\n\n[y]\nz = 2\n");
        assert_eq!(insert(text, "c = 1", is_like).unwrap(), "[x]\nb = 1\nc = 1\nd = 1\n\n[y]\nz = 2\n");
        assert_eq!(insert(text, "e = 1", is_like).unwrap(), "[x]\nb = 1\nd = 1\ne = 1\n\n[y]\nz = 2\n");
        assert!(insert("", "e = 1", is_like).is_err());
    }

    #[test]
    fn the_program_is_built_with_it_by_default() {
        let text = "default = [\"keycloak\", \"memory\"]\nlab = []\n";
        let expected = "default = [\"keycloak\", \"memory\", \"okta\"]\nlab = []\n";
        assert_eq!(in_default(text, "okta").unwrap(), expected);
        assert!(in_default("default = [\n", "okta").is_err());
    }

    #[test]
    fn a_feature_that_means_something_else_is_not_taken() {
        let error = in_program("lab = []\n", &name("lab")).unwrap_err();
        assert!(error.to_string().contains("`lab` already"), "{error}");
    }
}
