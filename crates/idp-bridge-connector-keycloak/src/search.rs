//! Searches that mean exactly the value they were given: Keycloak's filters, and the check of what they let through.

use idp_bridge_core::{CustomerId, Email, Error, ErrorKind, Result};

use crate::map::KeycloakUser;

/// A search for the one user with an address or a customer.
///
/// Keycloak's own match is wider than ours (it ignores case, and has wildcards where quoting fails), so that every hit
/// is checked again by [`admits`](Self::admits).
pub(crate) struct Search<'a> {
    wanted: Wanted<'a>,
    filter: Filter,
    page: usize,
}

enum Wanted<'a> {
    Email(&'a Email),
    Customer { attribute: &'a str, customer: &'a CustomerId },
}

/// The query parameter that selects users, and whether values must match whole.
#[derive(Debug, PartialEq, Eq)]
struct Filter {
    name: &'static str,
    value: String,
    exact: bool,
}

impl<'a> Search<'a> {
    /// The users with this address. Two of them suffice to know that it is ambiguous.
    pub(crate) fn email(email: &'a Email) -> Self {
        let filter = Filter { name: "email", value: email.as_str().into(), exact: true };
        Self { wanted: Wanted::Email(email), filter, page: 2 }
    }

    /// The users of this customer. A page holds more than two, because hits that differ in case only do not count.
    pub(crate) fn customer(attribute: &'a str, customer: &'a CustomerId) -> Result<Self> {
        let filter = attribute_filter(attribute, customer.as_str())?;
        Ok(Self { wanted: Wanted::Customer { attribute, customer }, filter, page: 20 })
    }

    /// How many users an answer may hold. A full one may not be the last.
    pub(crate) fn page(&self) -> usize {
        self.page
    }

    /// The query of the page that begins with this hit.
    pub(crate) fn query(&self, first: usize) -> [(&'static str, String); 4] {
        [
            (self.filter.name, self.filter.value.clone()),
            ("exact", self.filter.exact.to_string()),
            ("first", first.to_string()),
            ("max", self.page.to_string()),
        ]
    }

    /// Whether a hit has exactly the wanted value.
    pub(crate) fn admits(&self, user: &KeycloakUser) -> Result<bool> {
        match self.wanted {
            Wanted::Email(email) => Ok(user.has_email(email)),
            Wanted::Customer { attribute, customer } => {
                let values = user.attribute(attribute);
                // The search looks into the store, the representation obeys the user profile: it hides what is not
                // declared.
                if values.is_empty() {
                    return Err(hidden());
                }
                Ok(values.contains(&customer.as_str()))
            }
        }
    }
}

fn hidden() -> Error {
    Error::upstream(ErrorKind::Misconfigured, "the realm's user profile hides the customer attribute")
        .with_hint("Realm settings → User profile: declare it, with `Admin` under `Who can view?`")
}

/// Builds `q` for one attribute with one value, whatever characters the value has.
///
/// Keycloak's parser knows `\"` inside quotes, but drops `\\` altogether, and so cannot be told a `\` that another `\`,
/// a quote or the end of the value follows (seen on 26.7.3, November 2026). For these the filter has `_` where the
/// value has `\`, in a substring search whose `_` stands for any one character.
fn attribute_filter(attribute: &str, value: &str) -> Result<Filter> {
    let exact = !value.ends_with('\\') && !value.contains("\\\\") && !value.contains("\\\"");
    // Keycloak keeps longer values by their hash, which a substring search does not see (seen on 26.7.3, November
    // 2026).
    if !exact && value.chars().count() > 255 {
        return Err(Error::ours(
            ErrorKind::InvalidInput,
            "keycloak cannot search for a customer of more than 255 characters with such backslashes",
        ));
    }
    let pattern = if exact { value.to_owned() } else { value.replace('\\', "_") };
    Ok(Filter { name: "q", value: format!("{attribute}:\"{}\"", pattern.replace('"', "\\\"")), exact })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::fake::query;

    #[test]
    fn usual_values_are_searched_whole() {
        for (value, q) in [
            ("cust-1", r#"customer_id:"cust-1""#),
            ("has space", r#"customer_id:"has space""#),
            ("x customer_id:y", r#"customer_id:"x customer_id:y""#),
            (r#"quo"te"#, r#"customer_id:"quo\"te""#),
            (r"a\b", r#"customer_id:"a\b""#),
        ] {
            let filter = attribute_filter("customer_id", value).unwrap();
            assert_eq!(filter, Filter { name: "q", value: q.into(), exact: true });
        }
    }

    #[test]
    fn backslashes_that_keycloak_cannot_be_told_become_wildcards() {
        for (value, q) in [
            (r"a\", r#"customer_id:"a_""#),
            (r"a\\b", r#"customer_id:"a__b""#),
            (r#"a\"b"#, r#"customer_id:"a_\"b""#),
            (r"a\b\", r#"customer_id:"a_b_""#),
        ] {
            let filter = attribute_filter("customer_id", value).unwrap();
            assert_eq!(filter, Filter { name: "q", value: q.into(), exact: false });
        }
        let long = format!(r"{}\\", "x".repeat(254));
        assert_eq!(attribute_filter("customer_id", &long).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    proptest! {
        #[test]
        fn whatever_the_value_keycloak_reads_one_pair_that_finds_it(
            value in "[a\\\\\": \\t%_é\u{2028}]{1,12}|\\PC{1,64}"
        ) {
            if let Ok(customer) = CustomerId::new(value) {
                let filter = attribute_filter("customer_id", customer.as_str()).unwrap();
                let pairs = query::parse(&filter.value).unwrap();
                prop_assert_eq!(pairs.len(), 1);
                let read = &pairs["customer_id"];
                prop_assert!(query::finds(read, filter.exact, customer.as_str()));
                prop_assert!(!filter.exact || read == customer.as_str());
            }
        }
    }

    #[test]
    fn only_hits_with_exactly_the_value_count() {
        let user = |value| serde_json::from_value::<KeycloakUser>(value).unwrap();
        let (email, customer) = (Email::new("Ada@acme.example").unwrap(), CustomerId::new("c-1").unwrap());
        let by_email = Search::email(&email);
        let by_customer = Search::customer("customer_id", &customer).unwrap();
        for (search, value, counts) in [
            (&by_email, json!({"id": "u", "email": "ada@acme.example"}), true),
            (&by_email, json!({"id": "u", "email": "ada@acme.example.org"}), false),
            (&by_email, json!({"id": "u"}), false),
            (&by_customer, json!({"id": "u", "attributes": {"customer_id": ["c-1"]}}), true),
            (&by_customer, json!({"id": "u", "attributes": {"customer_id": ["c-2", "c-1"]}}), true),
            (&by_customer, json!({"id": "u", "attributes": {"customer_id": ["C-1"]}}), false),
            (&by_customer, json!({"id": "u", "attributes": {"customer_id": ["c-11"]}}), false),
        ] {
            assert_eq!(search.admits(&user(value.clone())).unwrap(), counts, "{value}");
        }
        let hidden = by_customer.admits(&user(json!({"id": "u", "attributes": {"other": ["c-1"]}}))).unwrap_err();
        assert_eq!(hidden.kind(), ErrorKind::Misconfigured);
    }
}
