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
pub struct Filter {
    /// The attribute.
    pub attribute: &'static str,
    /// The value that it must have.
    pub value: String,
}

impl Filter {
    /// Parses a filter. `None` if Cognito rejects it.
    pub fn parse(text: &str) -> Option<Self> {
        let (left, quoted) = text.split_at_checked(text.find('"')?)?;
        let name = left.trim_end().strip_suffix('=')?.trim();
        let attribute = SEARCHABLE.into_iter().find(|own| *own == name)?;
        let value = read_double_quoted(quoted)?;
        (text.chars().count() <= MAX_LENGTH).then_some(Self { attribute, value })
    }

    /// Returns whether a user matches, without regard to case.
    pub fn matches(&self, user: &User) -> bool {
        user.attribute(self.attribute).is_some_and(|own| own.to_lowercase() == self.value.to_lowercase())
    }
}
