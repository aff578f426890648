//! The users of a definition: `[id]` and `[user]`.

use std::collections::BTreeMap;

use idp_bridge_core::Fidelity;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::select::{Check, Selector};
use crate::text_or::TextOr;

/// The form of user ids. A request is sent only for ids of this form.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdRule {
    /// The characters.
    #[serde(default)]
    pub(crate) form: IdForm,
    /// The number of characters, if it is always the same.
    pub(crate) length: Option<usize>,
    /// Ids that address another resource.
    #[serde(default)]
    pub(crate) reserved: Vec<String>,
}

/// The characters of user ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IdForm {
    /// A UUID in small letters, with hyphens.
    Uuid,
    /// Decimal digits, without zeros in front.
    Decimal,
    /// Letters and digits.
    Alphanumeric,
    /// Letters, digits, `-`, `_`, `.`, `~`, `:`, `@`, `|` and `+`.
    Token,
    /// Any characters.
    #[default]
    Opaque,
}

/// The places of a user's fields in a response.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserMap {
    /// The id.
    pub(crate) id: Selector,
    /// The current address.
    pub(crate) email: Option<Selector>,
    /// The customer, as a text or a list of texts.
    pub(crate) customer: Option<Selector>,
    /// The reason why users can never write their customer, if the product itself forbids it. Without it a probe with `authority`
    /// checks that, or `doctor` reports that the bridge cannot.
    pub(crate) customer_protected: Option<String>,
    /// Whether the address is verified.
    pub(crate) email_verified: Option<FlagField>,
    /// Whether the user is blocked from logging in.
    pub(crate) blocked: Option<FlagField>,
    /// When the user was created.
    pub(crate) create_time: Option<TimeField>,
    /// When the user was changed last.
    pub(crate) update_time: Option<TimeField>,
    /// When the user logged in last.
    pub(crate) login_time: Option<TimeField>,
    /// The number of logins of the user.
    pub(crate) logins_count: Option<Selector>,
    /// Further values of the user that requests need.
    #[serde(default)]
    pub(crate) detail: BTreeMap<String, Selector>,
    /// Conditions of which each means that the user is not a person, such as a service account.
    #[serde(default)]
    pub(crate) not_a_person: Vec<Check>,
}

/// A flag of a user: the pointer of a boolean, or a table.
pub(crate) type FlagField = TextOr<FlagTable>;

/// The place of a value that means a boolean.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagTable {
    /// The place of the value.
    pub(crate) value: Selector,
    /// The values that mean true; all others mean false.
    #[serde(default)]
    pub(crate) true_if: Vec<serde_json::Value>,
    /// Whether any value other than null means true, and none means false.
    #[serde(default)]
    pub(crate) if_present: bool,
    /// Whether a time in the future means true, and any other value or none false.
    #[serde(default)]
    pub(crate) in_future: bool,
    /// Whether the meaning is inverted.
    #[serde(default)]
    pub(crate) not: bool,
    /// The value if the user has no such value.
    pub(crate) default: Option<bool>,
    /// The fidelity of the field. `exact` by default.
    pub(crate) fidelity: Option<Fidelity>,
}

/// A time of a user: the pointer of a time in RFC 3339, or a table.
pub(crate) type TimeField = TextOr<TimeTable>;

/// The place of a time in another format.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeTable {
    /// The place of the time.
    pub(crate) value: Selector,
    /// The format; without it RFC 3339.
    #[serde(default)]
    pub(crate) format: TimeFormat,
    /// The fidelity of the field. `exact` by default.
    pub(crate) fidelity: Option<Fidelity>,
}

/// The table of a field with a value that is converted.
pub(crate) trait FieldTable {
    /// Returns the place of the value.
    fn value(&self) -> &Selector;

    /// Returns the fidelity of the field, if the definition declares it.
    fn fidelity(&self) -> Option<Fidelity>;
}

impl FieldTable for FlagTable {
    fn value(&self) -> &Selector {
        &self.value
    }

    fn fidelity(&self) -> Option<Fidelity> {
        self.fidelity
    }
}

impl FieldTable for TimeTable {
    fn value(&self) -> &Selector {
        &self.value
    }

    fn fidelity(&self) -> Option<Fidelity> {
        self.fidelity
    }
}

impl<T: FieldTable> TextOr<T> {
    /// Returns the place of the value.
    pub(crate) fn selector(&self) -> Selector {
        match self {
            Self::Text(pointer) => Selector::Text(pointer.clone()),
            Self::Table(table) => table.value().clone(),
        }
    }

    /// Returns the fidelity of the field. `exact` by default.
    pub(crate) fn fidelity(&self) -> Fidelity {
        let declared = if let Self::Table(table) = self { table.fidelity() } else { None };
        declared.unwrap_or(Fidelity::Exact)
    }
}

/// The formats of times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TimeFormat {
    /// RFC 3339; a space instead of the `T` is accepted.
    #[default]
    Rfc3339,
    /// Seconds since 1970, as a number or a text. 0 means none.
    Seconds,
    /// Milliseconds since 1970, as a number or a text. 0 means none.
    Milliseconds,
    /// Intervals of 100 ns since 1601. 0 means none.
    Ticks,
}
