//! The columns that a statement may return, and their types.

use idp_bridge_core::Field;

/// A column of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// `id`
    Id,
    /// A field of the User model.
    Field(Field),
    /// `service_account`
    ServiceAccount,
}

/// The type of a column, as far as the conversion distinguishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Text,
    Integer,
    Boolean,
    Time,
    TextList,
    Other,
}

impl Column {
    /// All columns, in the order of the documentation.
    pub(crate) const ALL: [Self; 10] = [
        Self::Id,
        Self::Field(Field::Customer),
        Self::Field(Field::Email),
        Self::Field(Field::CreateTime),
        Self::Field(Field::UpdateTime),
        Self::Field(Field::LoginTime),
        Self::Field(Field::LoginsCount),
        Self::Field(Field::EmailVerified),
        Self::Field(Field::Blocked),
        Self::ServiceAccount,
    ];

    /// Returns the name in a statement.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Field(field) => field.as_str(),
            Self::ServiceAccount => "service_account",
        }
    }

    /// Returns the column with this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }

    /// Returns the hint for a column type that cannot be converted, or `None` for one that can.
    pub(crate) fn type_hint(self, kind: ColumnType, has_epoch: bool) -> Option<&'static str> {
        use ColumnType::{Boolean, Integer, Text, TextList, Time};
        match (self, kind) {
            (Self::Id, Text | Integer)
            | (Self::Field(Field::Customer), Text | Integer | TextList)
            | (Self::Field(Field::Email), Text)
            | (Self::Field(Field::LoginsCount), Integer)
            | (Self::Field(Field::EmailVerified | Field::Blocked) | Self::ServiceAccount, Boolean | Integer)
            | (Self::Field(Field::CreateTime | Field::UpdateTime | Field::LoginTime), Time | Text) => None,
            (Self::Field(Field::CreateTime | Field::UpdateTime | Field::LoginTime), Integer) => {
                (!has_epoch).then_some("set `integer_times` to `seconds` or `milliseconds`")
            }
            (Self::Id, _) => Some("return a `uuid`, an integer or a text; convert others with `cast(… as text)`"),
            (Self::Field(Field::Customer), _) => Some("return a text, an integer, a `uuid` or a `text[]`"),
            (Self::Field(Field::Email), _) => Some("return a text; convert others with `cast(… as text)`"),
            (Self::Field(Field::LoginsCount), _) => Some("return an integer; convert others with `cast(… as bigint)`"),
            (Self::Field(Field::EmailVerified | Field::Blocked) | Self::ServiceAccount, _) => {
                Some("return a boolean, such as `… is not null`")
            }
            (Self::Field(Field::CreateTime | Field::UpdateTime | Field::LoginTime), _) => {
                Some("return a `timestamptz`, a `timestamp` in UTC, or an integer with `integer_times`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_column() {
        for field in Field::ALL {
            assert_eq!(Column::find(Column::Field(field).name()), Some(Column::Field(field)));
        }
        assert_eq!(Column::find("password"), None);
    }

    #[test]
    fn integer_times_need_their_unit() {
        let time = Column::Field(Field::CreateTime);
        assert_eq!(time.type_hint(ColumnType::Integer, true), None);
        assert!(time.type_hint(ColumnType::Integer, false).is_some_and(|hint| hint.contains("integer_times")));
        assert!(time.type_hint(ColumnType::Boolean, true).is_some());
    }
}
