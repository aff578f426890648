//! The name of a new connector, in the forms that its files need.

use anyhow::{Result, bail};

use super::template;

/// Longer names make no sense as a word in a configuration.
const LONGEST: usize = 32;

/// A name such as `ory-kratos`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Takes words of lower-case letters and digits, joined by `-`, that mean nothing else in the code.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let begins_well = text.starts_with(|letter: char| letter.is_ascii_lowercase());
        if !begins_well || text.len() > LONGEST || !text.split('-').all(is_word) {
            bail!(
                "`{text}` is no name of a connector; hint: lower-case letters and digits, a letter first, words joined by \
                 `-`, at most {LONGEST} of them all, such as `zitadel` or `ory-kratos`"
            );
        }
        let name = Self(text.to_owned());
        if template::has_word(&name.pascal()) {
            bail!("`{}` means something else in the code of a connector; hint: choose another name", name.pascal());
        }
        Ok(name)
    }

    /// `ory-kratos`: in the configuration, and as a feature.
    pub(super) fn kebab(&self) -> &str {
        &self.0
    }

    /// `ory_kratos`: in the names of modules.
    pub(super) fn snake(&self) -> String {
        self.0.replace('-', "_")
    }

    /// `OryKratos`: in the names of types.
    pub(super) fn pascal(&self) -> String {
        self.words().collect()
    }

    /// `Ory Kratos`: in sentences.
    pub(super) fn title(&self) -> String {
        self.words().collect::<Vec<_>>().join(" ")
    }

    /// `idp-bridge-connector-ory-kratos`.
    pub(super) fn package(&self) -> String {
        format!("idp-bridge-connector-{}", self.0)
    }

    /// Its words, each with a capital.
    fn words(&self) -> impl Iterator<Item = String> {
        self.0.split('-').map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_forms_that_its_places_want() {
        let name = Name::parse("ory-kratos2").unwrap();
        let forms = [name.kebab().to_owned(), name.snake(), name.pascal(), name.title(), name.package()];
        let expected = ["ory-kratos2", "ory_kratos2", "OryKratos2", "Ory Kratos2", "idp-bridge-connector-ory-kratos2"];
        assert_eq!(forms, expected);
    }

    #[test]
    fn what_is_no_name_is_refused_with_an_example() {
        let long = "x".repeat(LONGEST + 1);
        for text in ["", "Zitadel", "2fa", "-x", "x-", "x--y", "a_b", "a b", "../x", "ä", "idp.example", &long] {
            let error = Name::parse(text).unwrap_err().to_string();
            assert!(error.contains("such as `zitadel`"), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_that_the_code_already_uses_is_refused() {
        for text in ["self", "new", "client", "user-api", "secret", "identity-provider"] {
            let error = Name::parse(text).unwrap_err().to_string();
            assert!(error.contains("means something else"), "{text}: {error}");
        }
    }
}
