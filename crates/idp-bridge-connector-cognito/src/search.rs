//! Searches for users: Cognito's filters and groups.
//!
//! Cognito matches more than the searched value, since it ignores case. The directory compares every hit.

use idp_bridge_core::{CustomerId, Email, Error, ErrorKind, Result, UserId};
use idp_bridge_http::quote::double_quoted;

/// The longest filter that Cognito accepts, in characters.
const MAX_FILTER: usize = 256;

/// The longest name of a group, in characters.
const MAX_GROUP: usize = 128;

/// The users that Cognito is to list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// The users that match this filter.
    Filter(String),
    /// The members of this group.
    Group(String),
}

impl Search {
    pub(crate) fn by_id(id: &UserId) -> Result<Self> {
        filter("sub", id.as_str())
    }

    pub(crate) fn by_email(email: &Email) -> Result<Self> {
        filter("email", email.as_str())
    }

    /// Creates a search for a customer's users by a standard attribute.
    pub(crate) fn by_attribute(attribute: &str, customer: &CustomerId) -> Result<Self> {
        filter(attribute, customer.as_str())
    }

    /// Creates a search for a customer's users by the customer's group.
    pub(crate) fn by_group(prefix: &str, customer: &CustomerId) -> Result<Self> {
        let name = format!("{prefix}{}", customer.as_str());
        // Cognito allows letters, marks, symbols, numbers and punctuation. These are certainly among them.
        let is_allowed = |c: char| c.is_alphanumeric() || c.is_ascii_punctuation();
        if name.chars().count() > MAX_GROUP || !name.chars().all(is_allowed) {
            return Err(Error::ours(
                ErrorKind::InvalidInput,
                "cognito does not allow a group with this customer's name",
            ));
        }
        Ok(Self::Group(name))
    }
}

/// Creates a filter for exactly this value.
fn filter(attribute: &str, value: &str) -> Result<Search> {
    let filter = format!("{attribute} = {}", double_quoted(value));
    if filter.chars().count() > MAX_FILTER {
        return Err(Error::ours(ErrorKind::InvalidInput, "the value is too long for a search of cognito"));
    }
    Ok(Search::Filter(filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_quote_values() {
        let quoted = Search::by_attribute("name", &CustomerId::new(r#"x" or sub = "\"#).unwrap()).unwrap();
        assert_eq!(quoted, Search::Filter(r#"name = "x\" or sub = \"\\""#.into()));
    }

    #[test]
    fn values_beyond_cognitos_limits_are_rejected() {
        let kind = |search: Result<Search>| search.err().map(|error| error.kind());
        let [fits, long] = [200, 240].map(|length| CustomerId::new("c".repeat(length)).unwrap());
        assert_eq!(kind(Search::by_attribute("preferred_username", &fits)), None);
        assert_eq!(kind(Search::by_attribute("preferred_username", &long)), Some(ErrorKind::InvalidInput));
        for (customer, expected) in [("c-1", None), ("ü.1", None), ("a b", Some(ErrorKind::InvalidInput))] {
            let customer = CustomerId::new(customer).unwrap();
            assert_eq!(kind(Search::by_group("customer-", &customer)), expected);
        }
        assert_eq!(kind(Search::by_group("", &fits)), Some(ErrorKind::InvalidInput));
    }
}
