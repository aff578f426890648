//! Search filters that match a value literally.

use idp_bridge_core::{Error, ErrorKind, Result, SearchKey};

/// Query parameters that select the users with a value.
///
/// Keycloak's own match is wider: it ignores case, and has wildcards where quoting fails.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    name: &'static str,
    value: String,
    /// Whether values must match whole.
    exact: bool,
}

impl Filter {
    /// Creates the filter of a search.
    pub(crate) fn new(key: SearchKey<'_>, customer_attribute: &str) -> Result<Self> {
        match key {
            SearchKey::Email(email) => Ok(Self { name: "email", value: email.as_str().into(), exact: true }),
            SearchKey::Customer(customer) => Self::for_attribute(customer_attribute, customer.as_str()),
        }
    }

    /// Creates the `q` for one attribute with one value, with any characters.
    ///
    /// Keycloak's parser reads `\"` inside quotes, but drops `\\` altogether. A `\` before another `\`, before a quote or at the end
    /// has no encoding (seen on 26.7.3, November 2026). The filter of such a value has `_` for `\`, in a substring search, where `_`
    /// matches any one character.
    fn for_attribute(attribute: &str, value: &str) -> Result<Self> {
        let exact = !value.ends_with('\\') && !value.contains("\\\\") && !value.contains("\\\"");
        // Keycloak stores longer values by their hash, which a substring search does not match (seen on 26.7.3, November 2026).
        if !exact && value.chars().count() > 255 {
            return Err(Error::ours(
                ErrorKind::InvalidInput,
                "keycloak cannot search for a customer of more than 255 characters with such backslashes",
            ));
        }
        let pattern = if exact { value.to_owned() } else { value.replace('\\', "_") };
        Ok(Self { name: "q", value: format!("{attribute}:\"{}\"", pattern.replace('"', "\\\"")), exact })
    }

    /// Returns the maximum number of users of a page.
    ///
    /// Two users with an email prove that it is ambiguous. Users with a customer in another case do not count, so that page is longer.
    pub(crate) fn page_size(&self) -> usize {
        if self.name == "email" { 2 } else { 20 }
    }

    /// Returns the query of the page that begins with this hit.
    pub(crate) fn query(&self, first: usize) -> [(&'static str, String); 4] {
        [
            (self.name, self.value.clone()),
            ("exact", self.exact.to_string()),
            ("first", first.to_string()),
            ("max", self.page_size().to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_values_are_searched_whole() {
        for (value, q) in [
            ("cust-1", r#"customer_id:"cust-1""#),
            ("has space", r#"customer_id:"has space""#),
            ("x customer_id:y", r#"customer_id:"x customer_id:y""#),
            (r#"quo"te"#, r#"customer_id:"quo\"te""#),
            (r"a\b", r#"customer_id:"a\b""#),
        ] {
            let filter = Filter::for_attribute("customer_id", value).unwrap();
            assert_eq!(filter, Filter { name: "q", value: q.into(), exact: true });
        }
    }

    #[test]
    fn backslashes_without_an_encoding_become_wildcards() {
        for (value, q) in [
            (r"a\", r#"customer_id:"a_""#),
            (r"a\\b", r#"customer_id:"a__b""#),
            (r#"a\"b"#, r#"customer_id:"a_\"b""#),
            (r"a\b\", r#"customer_id:"a_b_""#),
        ] {
            let filter = Filter::for_attribute("customer_id", value).unwrap();
            assert_eq!(filter, Filter { name: "q", value: q.into(), exact: false });
        }
        let long = format!(r"{}\\", "x".repeat(254));
        assert_eq!(Filter::for_attribute("customer_id", &long).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}
