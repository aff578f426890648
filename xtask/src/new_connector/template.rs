//! The template of a connector, for an identity provider called "New IdP".

use super::name::Name;

/// The path of each file in the crate's folder, and its text.
const CRATE: [(&str, &str); 13] = [
    ("Cargo.toml", include_str!("template/Cargo.toml")),
    ("README.md", include_str!("template/README.md")),
    ("src/client.rs", include_str!("template/src/client.rs")),
    ("src/config.rs", include_str!("template/src/config.rs")),
    ("src/diagnose.rs", include_str!("template/src/diagnose.rs")),
    ("src/error.rs", include_str!("template/src/error.rs")),
    ("src/fake/mod.rs", include_str!("template/src/fake/mod.rs")),
    ("src/harness/mod.rs", include_str!("template/src/harness/mod.rs")),
    ("src/lib.rs", include_str!("template/src/lib.rs")),
    ("src/map.rs", include_str!("template/src/map.rs")),
    ("src/provider.rs", include_str!("template/src/provider.rs")),
    ("src/store.rs", include_str!("template/src/store.rs")),
    ("tests/conformance.rs", include_str!("template/tests/conformance.rs")),
];

/// The connector's page in the documentation.
const PAGE: &str = include_str!("template/page.md");

/// A tenant with this connector, for the example configuration.
const EXAMPLE: &str = include_str!("template/example.toml");

/// Returns the files of the connector, with their paths in the workspace.
pub(super) fn files(name: &Name) -> Vec<(String, String)> {
    let in_crate = CRATE.iter().map(|(path, text)| (format!("crates/{}/{path}", name.package()), renamed(text, name)));
    in_crate.chain([(page(name), renamed(PAGE, name))]).collect()
}

/// Returns the connector's part of the example configuration.
pub(super) fn example(name: &Name) -> String {
    renamed(EXAMPLE, name)
}

/// Returns the path of the connector's page.
pub(super) fn page(name: &Name) -> String {
    format!("docs/connectors/{}.md", name.kebab())
}

/// Returns whether the files contain this word, so that no type can have this name.
pub(super) fn has_word(word: &str) -> bool {
    CRATE.iter().any(|(_, text)| text.split(|letter: char| !letter.is_alphanumeric()).any(|own| own == word))
}

fn renamed(text: &str, name: &Name) -> String {
    text.replace("new-idp", name.kebab())
        .replace("new_idp", &name.snake())
        .replace("NEW_IDP", &name.snake().to_uppercase())
        .replace("NewIdp", &name.pascal())
        .replace("New IdP", &name.title())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_contains_the_templates_name() {
        let name = Name::parse("ory-kratos").unwrap();
        for (path, text) in files(&name).into_iter().chain([("the example".to_owned(), example(&name))]) {
            for old in ["new-idp", "new_idp", "NEW_IDP", "newidp", "NewIdp", "New IdP", "NewIdP"] {
                assert!(!text.contains(old) && !path.contains(old), "{path} has `{old}`");
            }
        }
    }
}
