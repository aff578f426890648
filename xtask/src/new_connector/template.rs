//! The files of a new connector: those of one for an identity provider called "New IdP", renamed.

use super::name::Name;

/// Where each file goes below the crate's folder, and its text.
const CRATE: [(&str, &str); 12] = [
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
    ("tests/conformance.rs", include_str!("template/tests/conformance.rs")),
];

/// The connector's page for operators.
const PAGE: &str = include_str!("template/page.md");

/// A tenant of the connector, for the configuration that shows every key.
const EXAMPLE: &str = include_str!("template/example.toml");

/// All files of the connector, with their paths from the root of the workspace.
pub(super) fn files(name: &Name) -> Vec<(String, String)> {
    let of_crate = CRATE.iter().map(|(path, text)| (format!("crates/{}/{path}", name.package()), renamed(text, name)));
    of_crate.chain([(page(name), renamed(PAGE, name))]).collect()
}

/// The connector's part of the configuration that shows every key.
pub(super) fn example(name: &Name) -> String {
    renamed(EXAMPLE, name)
}

/// Where the connector's page is.
pub(super) fn page(name: &Name) -> String {
    format!("docs/connectors/{}.md", name.kebab())
}

/// Whether the files use this word, so that no type can be called so.
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
    fn no_file_keeps_the_name_of_the_template() {
        let name = Name::parse("ory-kratos").unwrap();
        for (path, text) in files(&name).into_iter().chain([("the example".to_owned(), example(&name))]) {
            for old in ["new-idp", "new_idp", "NEW_IDP", "newidp", "NewIdp", "New IdP", "NewIdP"] {
                assert!(!text.contains(old) && !path.contains(old), "{path} has `{old}`");
            }
        }
    }
}
