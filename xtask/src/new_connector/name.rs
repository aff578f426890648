//! The name of a new connector in its forms.

use anyhow::{Result, bail};

use super::template;

/// The maximum length of a name, in bytes.
const LONGEST: usize = 32;

/// A name such as `ory-kratos`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Parses words of lower-case letters and digits, joined by `-`. Rejects names of types in the example.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let starts_with_letter = text.starts_with(|letter: char| letter.is_ascii_lowercase());
        if !starts_with_letter || text.len() > LONGEST || !text.split('-').all(is_word) {
            bail!(
                "`{text}` is not a valid name of a connector; hint: start with a letter, use lower-case letters and digits, \
                 join words by `-`, and keep it within {LONGEST} characters, such as `zitadel` or `ory-kratos`"
            );
        }
        let name = Self(text.to_owned());
        if template::has_word(&name.pascal()) {
            bail!("`{}` is already a name in the code of every connector; hint: choose another name", name.pascal());
        }
        Ok(name)
    }

    /// Returns the form for the configuration and the feature, such as `ory-kratos`.
    pub(super) fn kebab(&self) -> &str {
        &self.0
    }

    /// Returns the form for modules, such as `ory_kratos`.
    pub(super) fn snake(&self) -> String {
        self.0.replace('-', "_")
    }

    /// Returns the form for types and sentences, such as `OryKratos`.
    pub(super) fn pascal(&self) -> String {
        let capitalized = self.0.split('-').map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        });
        capitalized.collect()
    }

    /// Returns the package, such as `idp-bridge-connector-ory-kratos`.
    pub(super) fn package(&self) -> String {
        format!("idp-bridge-connector-{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_four_forms() {
        let name = Name::parse("ory-kratos2").unwrap();
        let forms = [name.kebab().to_owned(), name.snake(), name.pascal(), name.package()];
        let expected = ["ory-kratos2", "ory_kratos2", "OryKratos2", "idp-bridge-connector-ory-kratos2"];
        assert_eq!(forms, expected);
    }

    #[test]
    fn an_invalid_name_is_rejected_with_an_example() {
        let long = "x".repeat(LONGEST + 1);
        for text in ["", "Zitadel", "2fa", "-x", "x-", "x--y", "a_b", "a b", "../x", "ä", "idp.example", &long] {
            let error = Name::parse(text).unwrap_err().to_string();
            assert!(error.contains("such as `zitadel`"), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_of_the_example_is_rejected() {
        for text in ["self", "client", "people-api", "secret", "identity-provider"] {
            let error = Name::parse(text).unwrap_err().to_string();
            assert!(error.contains("is already a name"), "{text}: {error}");
        }
    }
}
