//! Searches that mean exactly the value they were given, and that are never believed.
//!
//! Auth0's user search lags behind its store: it finds users that are gone or have changed, and misses those that came a moment ago
//! (<https://auth0.com/docs/manage-users/user-search>, November 2026; node-auth0 #472 saw one in a hundred).
//! So only ids are taken from it, and each user is read again by id and compared.

use idp_bridge_core::{Customer, CustomerId, Email, Error, ErrorKind, Result};
use idp_bridge_http::quote::double_quoted;
use serde::Deserialize;

use crate::map::Auth0User;

/// How many users an answer may hold: more than two, because stale hits do not count.
pub(crate) const PAGE: usize = 5;

/// How many pages are read at most; an index with more stale hits than that is out of order.
pub(crate) const PAGES: usize = 20;

/// A search for the one user with an address or a customer.
pub(crate) enum Search<'a> {
    /// The users with this address, in any case.
    Email(&'a Email),
    /// The users of this customer.
    Customer {
        /// The key in `app_metadata`.
        key: &'a str,
        /// The value.
        customer: &'a CustomerId,
    },
}

/// The users of one page, as an answer with or without totals holds them.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Hits {
    /// Without totals, which is what is asked for.
    Bare(Vec<Hit>),
    /// With totals.
    Counted {
        /// The same.
        users: Vec<Hit>,
    },
}

/// A user that a search found; nothing of it but the id is believed.
#[derive(Deserialize)]
pub(crate) struct Hit {
    pub(crate) user_id: String,
}

impl Hits {
    pub(crate) fn into_vec(self) -> Vec<Hit> {
        match self {
            Self::Bare(users) | Self::Counted { users } => users,
        }
    }
}

impl Search<'_> {
    /// The query of a page.
    ///
    /// Auth0 documents Lucene's syntax and names no exception from its quoting
    /// (<https://auth0.com/docs/manage-users/user-search/user-search-query-syntax>, November 2026).
    pub(crate) fn query(&self, page: usize) -> [(&'static str, String); 4] {
        let q = match self {
            Self::Email(email) => format!("email:{}", double_quoted(email.as_str())),
            Self::Customer { key, customer } => format!("app_metadata.{key}:{}", double_quoted(customer.as_str())),
        };
        [("q", q), ("search_engine", "v3".into()), ("page", page.to_string()), ("per_page", PAGE.to_string())]
    }

    /// Whether a user, as read by id, has exactly the wanted value.
    pub(crate) fn admits(&self, user: &Auth0User) -> Result<bool> {
        match self {
            Self::Email(email) => Ok(user.has_email(email)),
            Self::Customer { key, customer } if !user.has_customer(key, customer) => Ok(false),
            Self::Customer { key, .. } if user.customer(key) == Customer::Several => {
                Err(Error::upstream(ErrorKind::Ambiguous, "the user of this customer has other customers too"))
            }
            Self::Customer { .. } => Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::fake::query::Query;

    #[test]
    fn a_value_is_quoted_whole() {
        for (value, q) in [
            ("cust-1", r#"app_metadata.customer_id:"cust-1""#),
            ("a b", r#"app_metadata.customer_id:"a b""#),
            (r#"x" OR email:"*"#, r#"app_metadata.customer_id:"x\" OR email:\"*""#),
            (r"a\", r#"app_metadata.customer_id:"a\\""#),
        ] {
            let customer = CustomerId::new(value).unwrap();
            let [(_, own), ..] = Search::Customer { key: "customer_id", customer: &customer }.query(0);
            assert_eq!(own, q);
        }
    }

    proptest! {
        #[test]
        fn whatever_the_value_it_is_read_as_one_clause(value in "[a\\\\\":*? ()]{1,12}|\\PC{1,64}") {
            if let Ok(customer) = CustomerId::new(value) {
                let [(_, q), ..] = Search::Customer { key: "customer_id", customer: &customer }.query(0);
                let read = Query::parse(&q).unwrap();
                prop_assert_eq!((read.field.as_str(), read.value.as_str()), ("app_metadata.customer_id", customer.as_str()));
            }
        }
    }

    #[test]
    fn a_hit_counts_only_if_the_user_has_exactly_that_value() {
        let user = |value| serde_json::from_value::<Auth0User>(value).unwrap();
        let (email, customer) = (Email::new("Ada@acme.example").unwrap(), CustomerId::new("c-1").unwrap());
        let by_email = Search::Email(&email);
        let by_customer = Search::Customer { key: "customer_id", customer: &customer };
        for (search, value, counts) in [
            (&by_email, json!({"user_id": "u", "email": "ada@ACME.example"}), true),
            (&by_email, json!({"user_id": "u", "email": "ada@acme.example.org"}), false),
            (&by_email, json!({"user_id": "u"}), false),
            (&by_customer, json!({"user_id": "u", "app_metadata": {"customer_id": "c-1"}}), true),
            (&by_customer, json!({"user_id": "u", "app_metadata": {"customer_id": "C-1"}}), false),
            (&by_customer, json!({"user_id": "u", "app_metadata": {"customer_id": "c-11"}}), false),
            (&by_customer, json!({"user_id": "u", "app_metadata": {"customer": "c-1"}}), false),
            (&by_customer, json!({"user_id": "u"}), false),
        ] {
            assert_eq!(search.admits(&user(value.clone())).unwrap(), counts, "{value}");
        }
        let both = user(json!({"user_id": "u", "app_metadata": {"customer_id": ["c-1", "c-2"]}}));
        assert_eq!(by_customer.admits(&both).unwrap_err().kind(), ErrorKind::Ambiguous);
        let others = user(json!({"user_id": "u", "app_metadata": {"customer_id": ["c-3", "c-2"]}}));
        assert!(!by_customer.admits(&others).unwrap());
    }
}
