//! Searches that mean exactly the value they were given: Cognito's filters and groups, and the check of what they let through.

use idp_bridge_core::{CustomerId, Email, Error, ErrorKind, Matches, Result, UserId};
use idp_bridge_http::quote::double_quoted;

use crate::map::PoolUser;

/// The longest filter that Cognito takes, in characters.
const LONGEST_FILTER: usize = 256;

/// The longest name of a group.
const LONGEST_GROUP: usize = 128;

/// A search for the one user with an id, an address or a customer.
///
/// Cognito's own match is wider than ours (it ignores case), so that every hit is checked again by [`admits`](Self::admits).
pub(crate) struct Search<'a> {
    wanted: Wanted<'a>,
    source: Source,
}

enum Wanted<'a> {
    Id(&'a UserId),
    Email(&'a Email),
    Customer { attribute: &'a str, customer: &'a CustomerId },
}

/// Which users Cognito is to list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Those that this filter lets through.
    Filter(String),
    /// The members of this group.
    Group(String),
}

impl<'a> Search<'a> {
    /// The user with this id, whatever its name.
    pub(crate) fn id(id: &'a UserId) -> Result<Self> {
        Ok(Self { wanted: Wanted::Id(id), source: filter("sub", id.as_str())? })
    }

    /// The users with this address.
    pub(crate) fn email(email: &'a Email) -> Result<Self> {
        Ok(Self { wanted: Wanted::Email(email), source: filter("email", email.as_str())? })
    }

    /// The users of this customer, by an attribute that can be searched.
    pub(crate) fn customer(attribute: &'a str, customer: &'a CustomerId) -> Result<Self> {
        Ok(Self { wanted: Wanted::Customer { attribute, customer }, source: filter(attribute, customer.as_str())? })
    }

    /// The users of this customer, by the group that the tenant keeps for it.
    pub(crate) fn group(prefix: &str, attribute: &'a str, customer: &'a CustomerId) -> Result<Self> {
        let source = group(&format!("{prefix}{}", customer.as_str()))?;
        Ok(Self { wanted: Wanted::Customer { attribute, customer }, source })
    }

    /// Which users Cognito is to list.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Whether a hit has exactly the wanted value.
    pub(crate) fn admits(&self, user: &PoolUser) -> bool {
        match self.wanted {
            Wanted::Id(id) => user.id == *id,
            Wanted::Email(email) => user.has_email(email),
            Wanted::Customer { attribute, customer } => user.customer(attribute).is(customer),
        }
    }

    /// The one user among the hits. Of several with one address the verified one is preferred, since Cognito itself lets one
    /// user at most have an address verified where users sign in by it.
    pub(crate) fn choose(&self, mut hits: Matches<PoolUser>) -> Result<PoolUser> {
        if matches!(self.wanted, Wanted::Email(_)) {
            hits.prefer(PoolUser::email_verified);
        }
        hits.into_single()
    }
}

/// The one function that writes a filter, whatever characters the value has.
fn filter(attribute: &str, value: &str) -> Result<Source> {
    let filter = format!("{attribute} = {}", double_quoted(value));
    if filter.chars().count() > LONGEST_FILTER {
        return Err(Error::ours(ErrorKind::InvalidInput, "cognito cannot search for a value as long as this"));
    }
    Ok(Source::Filter(filter))
}

/// A group's name may have letters, marks, symbols, numbers and punctuation; of these the ones that are surely among them.
fn group(name: &str) -> Result<Source> {
    let allowed = |c: char| c.is_alphanumeric() || c.is_ascii_punctuation();
    if name.chars().count() > LONGEST_GROUP || !name.chars().all(allowed) {
        return Err(Error::ours(ErrorKind::InvalidInput, "no group of cognito can have a name like this customer's"));
    }
    Ok(Source::Group(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fake::filter::Filter;

    proptest! {
        #[test]
        fn whatever_the_value_cognito_reads_one_filter_that_means_it(value in r#"[\PC"\\=]{1,64}"#) {
            if let Ok(customer) = CustomerId::new(value)
                && let Ok(search) = Search::customer("preferred_username", &customer)
            {
                let Source::Filter(text) = search.source() else { panic!("a search by attribute is a filter") };
                let read = Filter::parse(text).unwrap();
                prop_assert_eq!(read.value(), customer.as_str());
            }
        }
    }

    #[test]
    fn what_cognito_cannot_take_is_refused_before_it_is_asked() {
        let kind = |search: Result<Search<'_>>| search.err().map(|error| error.kind());
        let [fits, long] = [200, 240].map(|length| CustomerId::new("c".repeat(length)).unwrap());
        assert_eq!(kind(Search::customer("preferred_username", &fits)), None);
        assert_eq!(kind(Search::customer("preferred_username", &long)), Some(ErrorKind::InvalidInput));
        for (customer, expected) in [("c-1", None), ("ü.1", None), ("a b", Some(ErrorKind::InvalidInput))] {
            let customer = CustomerId::new(customer).unwrap();
            assert_eq!(kind(Search::group("customer-", "custom:customer_id", &customer)), expected);
        }
        assert_eq!(kind(Search::group("", "custom:customer_id", &fits)), Some(ErrorKind::InvalidInput));
    }
}
