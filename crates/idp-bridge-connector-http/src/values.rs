//! The values that placeholders stand for in one call.

use std::borrow::Cow;
use std::collections::BTreeMap;

use idp_bridge_core::{SearchKey, StoredUser, UserId};

use crate::body::JsonBody;
use crate::template::Name;

/// The values of a user that only the definition uses: `{detail.x}`.
pub(crate) type Detail = BTreeMap<String, String>;

/// The values of one call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values<'a> {
    id: Option<&'a str>,
    email: Option<&'a str>,
    customer: Option<&'a str>,
    cursor: Option<&'a str>,
    session: Option<&'a str>,
    detail: Option<&'a Detail>,
    steps: BTreeMap<String, String>,
    /// Whether members of a JSON body without a value are left out.
    is_sparse: bool,
}

impl<'a> Values<'a> {
    /// Returns the values of a read by id.
    pub(crate) fn for_id(id: &'a UserId) -> Self {
        Self { id: Some(id.as_str()), ..Self::default() }
    }

    /// Returns the values of one page of a search.
    pub(crate) fn for_search(key: SearchKey<'a>, cursor: Option<&'a str>) -> Self {
        let values = Self { cursor, ..Self::default() };
        match key {
            SearchKey::Email(email) => Self { email: Some(email.as_str()), ..values },
            SearchKey::Customer(customer) => Self { customer: Some(customer.as_str()), ..values },
        }
    }

    /// Returns the values of a write to this user.
    pub(crate) fn for_user(user: &'a StoredUser<Detail>) -> Self {
        Self {
            id: Some(user.record.id.as_str()),
            email: user.record.email.as_ref().map(|email| email.as_str()),
            detail: Some(&user.detail),
            ..Self::default()
        }
    }

    /// Returns the values of the end of a login.
    pub(crate) fn for_session(session: &'a str) -> Self {
        Self { session: Some(session), ..Self::default() }
    }

    /// Returns the values of a new user of the stage.
    pub(crate) fn for_new_user(id: Option<&'a str>, email: Option<&'a str>, customer: Option<&'a str>) -> Self {
        Self { id, email, customer, is_sparse: true, ..Self::default() }
    }

    /// Returns the values of a change of the stage.
    pub(crate) fn for_change(id: Option<&'a str>, email: &'a str) -> Self {
        Self { id, email: Some(email), ..Self::default() }
    }

    /// Returns whether a member of a JSON body is left out.
    pub(crate) fn omits(&self, member: &JsonBody) -> bool {
        self.is_sparse && matches!(member, JsonBody::Text(text) if text.fill(self).is_none())
    }

    /// Returns the address of the user of the call.
    pub(crate) fn email(&self) -> Option<&'a str> {
        self.email
    }

    /// Adds a value that a step captured.
    pub(crate) fn capture(&mut self, name: &str, value: String) {
        self.steps.insert(name.to_owned(), value);
    }

    pub(crate) fn get(&self, name: &Name) -> Option<Cow<'_, str>> {
        match name {
            Name::Id => self.id.map(Cow::Borrowed),
            Name::Email => self.email.map(Cow::Borrowed),
            Name::Customer => self.customer.map(Cow::Borrowed),
            Name::Cursor => self.cursor.map(Cow::Borrowed),
            Name::Session => self.session.map(Cow::Borrowed),
            Name::Step(name) => self.steps.get(name).map(|value| Cow::Borrowed(value.as_str())),
            Name::Detail(name) => self.detail?.get(name).map(|value| Cow::Borrowed(value.as_str())),
            Name::Setting(_) => None,
        }
    }
}
