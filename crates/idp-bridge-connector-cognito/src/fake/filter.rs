//! The filter of `ListUsers`: one attribute, `=` or `^=`, and a quoted value.

use idp_bridge_http::quote::read_double_quoted;

use super::pool::User;

/// The attributes that Cognito can search. Custom attributes are not among them.
const SEARCHABLE: [&str; 10] = [
    "username",
    "email",
    "phone_number",
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "cognito:user_status",
    "status",
    "sub",
];

/// The longest filter, in characters.
const MAX_LENGTH: usize = 256;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    attribute: String,
    is_prefix: bool,
    value: String,
}

impl Filter {
    /// Parses a filter. `None` if Cognito rejects it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.chars().count() > MAX_LENGTH {
            return None;
        }
        let (left, quoted) = text.split_at_checked(text.find('"')?)?;
        let left = left.trim_end().strip_suffix('=')?;
        let (attribute, is_prefix) = left.strip_suffix('^').map_or((left, false), |attribute| (attribute, true));
        let attribute = attribute.trim();
        SEARCHABLE.contains(&attribute).then_some(())?;
        Some(Self { attribute: attribute.into(), is_prefix, value: read_double_quoted(quoted)? })
    }

    /// Returns whether a user matches, without regard to case. (AWS documents that case matters for `username`.)
    pub(crate) fn matches(&self, user: &User) -> bool {
        let own = match self.attribute.as_str() {
            "username" => Some(user.username.as_str()),
            "cognito:user_status" => Some(user.status.name()),
            "status" => Some(if user.enabled { "Enabled" } else { "Disabled" }),
            attribute => user.attribute(attribute),
        };
        let Some(own) = own.map(str::to_lowercase) else { return false };
        let value = self.value.to_lowercase();
        if self.is_prefix { own.starts_with(&value) } else { own == value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, bool, String)> {
        Filter::parse(text).map(|filter| (filter.attribute, filter.is_prefix, filter.value))
    }

    #[test]
    fn parses_one_quoted_value() {
        for (text, attribute, is_prefix, value) in [
            (r#"email = "a@b""#, "email", false, "a@b"),
            (r#"email="a@b""#, "email", false, "a@b"),
            (r#"given_name ^= "J""#, "given_name", true, "J"),
            (r#"sub = "a\"b\\c""#, "sub", false, r#"a"b\c"#),
            (r#"email = "x\" or email = \"y""#, "email", false, r#"x" or email = "y"#),
        ] {
            assert_eq!(read(text), Some((attribute.into(), is_prefix, value.into())), "{text}");
        }
    }

    #[test]
    fn invalid_filters_are_rejected() {
        let long = format!(r#"email = "{}""#, "x".repeat(250));
        for text in [
            "",
            "email",
            "email = a@b",
            r#"email "a""#,
            r#"email = "a"#,
            r#"email = "a\""#,
            r#"email = "a" or email = "b""#,
            r#"custom:customer_id = "a""#,
            r#"nickname = "a""#,
            r#"email_verified = "true""#,
            r#" = "a""#,
            &long,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
