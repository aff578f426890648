//! The filter of `ListUsers`: one attribute, `=`, and a quoted value. Cognito's prefixes (`^=`) are not used.

use idp_bridge_http::quote::read_double_quoted;

use super::pool::User;

/// The attributes that Cognito can search. Custom attributes are not among them.
const SEARCHABLE: [&str; 7] =
    ["email", "phone_number", "name", "given_name", "family_name", "preferred_username", "sub"];

/// The longest filter, in characters.
const MAX_LENGTH: usize = 256;

/// A parsed filter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    attribute: &'static str,
    value: String,
}

impl Filter {
    /// Parses a filter. `None` if Cognito rejects it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (left, quoted) = text.split_at_checked(text.find('"')?)?;
        let name = left.trim_end().strip_suffix('=')?.trim();
        let attribute = SEARCHABLE.into_iter().find(|own| *own == name)?;
        let value = read_double_quoted(quoted)?;
        (text.chars().count() <= MAX_LENGTH).then_some(Self { attribute, value })
    }

    /// Returns whether a user matches, without regard to case.
    pub(super) fn matches(&self, user: &User) -> bool {
        user.attribute(self.attribute).is_some_and(|own| own.to_lowercase() == self.value.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_quoted_value_is_parsed() {
        for (text, attribute, value) in [
            (r#"email = "a@b""#, "email", "a@b"),
            (r#"email="a@b""#, "email", "a@b"),
            (r#"sub = "a\"b\\c""#, "sub", r#"a"b\c"#),
            (r#"email = "x\" or email = \"y""#, "email", r#"x" or email = "y"#),
        ] {
            assert_eq!(Filter::parse(text), Some(Filter { attribute, value: value.into() }), "{text}");
        }
        let long = format!(r#"email = "{}""#, "x".repeat(250));
        for text in [
            "",
            "email = a@b",
            r#"email "a""#,
            r#"email = "a"#,
            r#"email = "a\""#,
            r#"email = "a" or email = "b""#,
            r#"custom:customer_id = "a""#,
            r#" = "a""#,
            &long,
        ] {
            assert_eq!(Filter::parse(text), None, "{text}");
        }
    }
}
