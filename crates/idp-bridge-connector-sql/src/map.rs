//! Converts rows to users.

use idp_bridge_core::{Email, Error, ErrorKind, Field, Result, StoredUser, UserId, UserRecord};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::columns::Column;
use crate::config::EpochUnit;

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Text(String),
    Integer(i64),
    Boolean(bool),
    Time(Timestamp),
    TextList(Vec<String>),
    /// A value of a type that no column may have.
    Other,
}

/// The values of a row with their columns.
pub(crate) type Row = Vec<(Column, Value)>;

/// A user while its rows are read.
struct Found {
    record: UserRecord,
    customers: Vec<String>,
    is_person: bool,
}

/// Converts rows to users. Rows with the same id, as of a join, are one user with all of their customers.
pub(crate) fn to_users(rows: Vec<Row>, unit: Option<EpochUnit>) -> Result<Vec<StoredUser>> {
    let mut users: Vec<Found> = Vec::new();
    for row in rows {
        let found = to_user(row, unit)?;
        match users.iter_mut().find(|user| user.record.id == found.record.id) {
            None => users.push(found),
            Some(user) => {
                user.is_person &= found.is_person;
                for customer in found.customers {
                    if !user.customers.contains(&customer) {
                        user.customers.push(customer);
                    }
                }
            }
        }
    }
    let to_stored = |found: Found| {
        let mut user = StoredUser::new(found.record, ()).with_customers(found.customers);
        user.is_person = found.is_person;
        user
    };
    Ok(users.into_iter().map(to_stored).collect())
}

fn to_user(row: Row, unit: Option<EpochUnit>) -> Result<Found> {
    let id = row.iter().find(|(column, _)| *column == Column::Id).map(|(_, value)| value);
    let id = id.and_then(to_text).ok_or_else(|| invalid(Column::Id, "is null, or neither a text nor an integer"))?;
    let id = UserId::new(id).map_err(|error| invalid(Column::Id, "is not a valid id").with_source(error))?;
    let mut found = Found { record: UserRecord::new(id), customers: Vec::new(), is_person: true };
    for (column, value) in row {
        if value == Value::Null {
            continue;
        }
        let record = &mut found.record;
        match column {
            Column::Id => {}
            Column::ServiceAccount => found.is_person = !to_flag(column, &value)?,
            Column::Field(field) => match field {
                Field::Customer => found.customers = to_customers(value)?,
                Field::Email => record.email = to_email(&value)?,
                Field::CreateTime => record.create_time = Some(to_time(column, value, unit)?),
                Field::UpdateTime => record.update_time = Some(to_time(column, value, unit)?),
                Field::LoginTime => record.login_time = Some(to_time(column, value, unit)?),
                Field::LoginsCount => record.logins_count = Some(to_count(&value)?),
                Field::EmailVerified => record.email_verified = Some(to_flag(column, &value)?),
                Field::Blocked => record.blocked = Some(to_flag(column, &value)?),
            },
        }
    }
    Ok(found)
}

/// Creates the error of a value, without the value.
fn invalid(column: Column, problem: &str) -> Error {
    let message = format!("a value of the column `{}` {problem}", column.name());
    Error::upstream(ErrorKind::InvalidResponse, message).with_hint("compare the statement with the table")
}

fn to_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

fn to_customers(value: Value) -> Result<Vec<String>> {
    match value {
        Value::TextList(values) => Ok(values),
        value => {
            let customer = Column::Field(Field::Customer);
            to_text(&value).map(|text| vec![text]).ok_or_else(|| invalid(customer, "is neither a text nor an integer"))
        }
    }
}

/// Converts an address. A malformed one is absent, as for every identity provider.
fn to_email(value: &Value) -> Result<Option<Email>> {
    match value {
        Value::Text(text) => Ok(Email::new(text.clone()).ok()),
        _ => Err(invalid(Column::Field(Field::Email), "is not a text")),
    }
}

fn to_flag(column: Column, value: &Value) -> Result<bool> {
    match value {
        Value::Boolean(flag) => Ok(*flag),
        Value::Integer(0) => Ok(false),
        Value::Integer(1) => Ok(true),
        _ => Err(invalid(column, "is neither a boolean nor 0 or 1")),
    }
}

fn to_count(value: &Value) -> Result<i64> {
    match value {
        Value::Integer(count) if *count >= 0 => Ok(*count),
        _ => Err(invalid(Column::Field(Field::LoginsCount), "is not an integer from 0")),
    }
}

fn to_time(column: Column, value: Value, unit: Option<EpochUnit>) -> Result<Timestamp> {
    let time = match (value, unit) {
        (Value::Time(time), _) => Some(time),
        (Value::Text(text), _) => parse_time(&text),
        (Value::Integer(seconds), Some(EpochUnit::Seconds)) => Timestamp::from_second(seconds).ok(),
        (Value::Integer(milliseconds), Some(EpochUnit::Milliseconds)) => Timestamp::from_millisecond(milliseconds).ok(),
        (Value::Integer(_), None) => {
            return Err(invalid(column, "is an integer without a unit").with_hint("set `integer_times`"));
        }
        _ => None,
    };
    time.ok_or_else(|| invalid(column, "is not a time"))
}

/// Parses RFC 3339, or a date and a time of day in UTC without a zone.
fn parse_time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let local: DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(local).ok()
    })
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::Customer;

    use super::*;

    fn row(columns: &[(&str, Value)]) -> Row {
        columns.iter().map(|(name, value)| (Column::find(name).unwrap(), value.clone())).collect()
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn every_column_is_converted() {
        let time = "2024-05-01T10:00:00Z";
        let rows = vec![row(&[
            ("id", Value::Integer(7)),
            ("customer", Value::Integer(9)),
            ("email", text("Ada@acme.example")),
            ("create_time", text("2024-05-01 10:00:00")),
            ("update_time", Value::Integer(1_714_557_600)),
            ("login_time", Value::Time(time.parse().unwrap())),
            ("logins_count", Value::Integer(3)),
            ("email_verified", Value::Integer(1)),
            ("blocked", Value::Boolean(false)),
            ("service_account", Value::Boolean(true)),
        ])];
        let user = to_users(rows, Some(EpochUnit::Seconds)).unwrap().remove(0);
        let time = Some(time.parse().unwrap());
        assert_eq!((user.record.id.as_str(), user.is_person), ("7", false));
        assert_eq!((user.record.create_time, user.record.update_time, user.record.login_time), (time, time, time));
        assert_eq!((user.record.email_verified, user.record.blocked), (Some(true), Some(false)));
        assert!(matches!(user.record.customer, Customer::One(customer) if customer.as_str() == "9"));
    }

    #[test]
    fn null_is_absent() {
        let names = Column::ALL.map(Column::name);
        let mut columns: Vec<_> = names.into_iter().map(|name| (name, Value::Null)).collect();
        columns[0].1 = text("u-1");
        let user = to_users(vec![row(&columns)], None).unwrap().remove(0);
        assert_eq!((user.record, user.is_person), (UserRecord::new(UserId::new("u-1").unwrap()), true));
    }

    #[test]
    fn rows_of_a_join_are_one_user() {
        let rows = ["c-1", "c-2", "c-1"].map(|customer| row(&[("id", text("u-1")), ("customer", text(customer))]));
        let users = to_users(rows.to_vec(), None).unwrap();
        assert_eq!((users.len(), &users[0].record.customer), (1, &Customer::Several));
    }

    #[test]
    fn wrong_values_are_errors_without_the_value() {
        let secret = "hunter2-hunter2";
        for (name, value) in [
            ("id", Value::Null),
            ("id", Value::Boolean(true)),
            ("id", Value::Text("..".to_owned())),
            ("customer", Value::Boolean(true)),
            ("email", Value::Integer(1)),
            ("create_time", text(secret)),
            ("create_time", Value::Integer(1)),
            ("logins_count", Value::Integer(-1)),
            ("email_verified", text(secret)),
            ("blocked", Value::Integer(2)),
        ] {
            let mut columns = vec![(name, value)];
            if name != "id" {
                columns.push(("id", text("u-1")));
            }
            let error = to_users(vec![row(&columns)], None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{name}");
            assert!(
                error.to_string().contains(&format!("`{name}`")) && !format!("{error:?}").contains(secret),
                "{error}"
            );
        }
    }
}
