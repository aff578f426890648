//! The source of a new connector: the example `examples/out-of-tree`, with its names replaced.

use anyhow::{Context, Result};

use super::name::Name;

macro_rules! example {
    ($path:literal) => {
        ($path, include_str!(concat!("../../../examples/out-of-tree/", $path)))
    };
}

/// The copied files of the example's crate.
const CRATE: [(&str, &str); 11] = [
    example!("src/client.rs"),
    example!("src/config.rs"),
    example!("src/diagnose.rs"),
    example!("src/error.rs"),
    example!("src/lib.rs"),
    example!("src/map.rs"),
    example!("src/provider.rs"),
    example!("src/store.rs"),
    example!("tests/conformance.rs"),
    example!("tests/harness/fake.rs"),
    example!("tests/harness/mod.rs"),
];

/// The example's manifest.
const MANIFEST: &str = example!("Cargo.toml").1;

/// The page for people who set up a tenant.
const PAGE: &str = example!("rolodex.md").1;

/// The packages that only the example needs: that of its program, and one that speeds up its build.
const OWN: [&str; 2] = ["idp-bridge", "idp-bridge-test-features"];

/// Returns the files of the connector, with their paths in the workspace.
pub(super) fn files(name: &Name) -> Result<Vec<(String, String)>> {
    let folder = format!("crates/{}", name.package());
    let mut files = vec![
        (format!("{folder}/Cargo.toml"), manifest(name)?),
        (format!("{folder}/README.md"), readme(name)),
        (page(name), renamed(PAGE, name)),
    ];
    files.extend(CRATE.iter().map(|(path, text)| (format!("{folder}/{path}"), unverified(&renamed(text, name)))));
    Ok(files)
}

/// Returns the connector's part of the example configuration.
pub(super) fn example(name: &Name) -> Result<String> {
    let block = configuration(PAGE).context("the page of the example has no configuration")?;
    let tenant = renamed(block, name).replace("tenants.acme", &format!("tenants.{}", name.kebab()));
    let heading = format!("\n# The keys of the connector for {}: {}.\n[tenants", name.pascal(), page(name));
    Ok(tenant.replacen("\n[tenants", &heading, 1) + "\n")
}

/// Returns the path of the connector's page.
pub(super) fn page(name: &Name) -> String {
    format!("docs/connectors/{}.md", name.kebab())
}

/// Returns whether the files contain this word, so that no type can have this name.
pub(super) fn has_word(word: &str) -> bool {
    CRATE.iter().any(|(_, text)| text.split(|letter: char| !letter.is_alphanumeric()).any(|own| own == word))
}

/// Returns the first TOML block of a page.
fn configuration(page: &str) -> Option<&str> {
    Some(page.split_once("```toml\n")?.1.split_once("```")?.0)
}

/// Returns the manifest, with the example's dependencies from the workspace.
fn manifest(name: &Name) -> Result<String> {
    let example: toml::Table = toml::from_str(MANIFEST)?;
    let inherited = |table: &str| {
        let packages = example.get(table).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
        let lines = packages
            .filter(|package| !OWN.contains(&package.as_str()))
            .map(|package| format!("{package}.workspace = true\n"));
        format!("[{table}]\n{}\n", lines.collect::<String>())
    };
    let keys = ["version", "edition", "rust-version", "license", "repository", "keywords", "categories"];
    Ok(format!(
        "[package]\nname = \"{}\"\ndescription = \"The {} connector of idp-bridge.\"\n{}\n[lints]\nworkspace = true\n\n\
         {}{}[[test]]\nname = \"conformance\"\nharness = false\n",
        name.package(),
        name.pascal(),
        keys.map(|key| format!("{key}.workspace = true\n")).concat(),
        inherited("dependencies"),
        inherited("dev-dependencies"),
    ))
}

fn readme(name: &Name) -> String {
    format!(
        "# {}\n\nThe {} connector of idp-bridge.\n\n[{page}](../../{page}) describes its setup, settings and capabilities.\n\
         `tests/harness/` has a fake identity provider, and the harness of the conformance suite.\n",
        name.package(),
        name.pascal(),
        page = page(name)
    )
}

/// Marks the reasons in the harness as open, so that the suite fails until each is verified.
fn unverified(text: &str) -> String {
    text.replace(
        "Some(reason.to_owned())",
        "Some(format!(\"not written yet: verify that {reason}, and remove this mark\"))",
    )
}

fn renamed(text: &str, name: &Name) -> String {
    text.replace("rolodex_bridge", &format!("idp_bridge_connector_{}", name.snake()))
        .replace("rolodex", name.kebab())
        .replace("ROLODEX", &name.snake().to_uppercase())
        .replace("Rolodex", &name.pascal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_contains_the_examples_name() {
        let name = Name::parse("ory-kratos").unwrap();
        let example = ("the example".to_owned(), example(&name).unwrap());
        for (path, text) in files(&name).unwrap().into_iter().chain([example]) {
            assert!(!text.to_lowercase().contains("rolodex") && !path.contains("rolodex"), "{path}:\n{text}");
        }
    }

    #[test]
    fn the_guide_shows_the_configuration() {
        let guide = include_str!("../../../docs/connectors/new.md");
        let expected = renamed(configuration(PAGE).unwrap(), &Name::parse("toyidp").unwrap());
        assert_eq!(configuration(guide).unwrap(), expected);
    }
}
