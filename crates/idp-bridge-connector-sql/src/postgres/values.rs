//! Values of PostgreSQL, in both directions.

use std::error::Error as StdError;

use bytes::BytesMut;
use idp_bridge_core::{Error, ErrorKind, uuid};
use jiff::Timestamp;
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

use crate::columns::{Column, ColumnType};
use crate::map::Value;

/// The start of the year 2000 in microseconds since 1970, from which PostgreSQL counts.
const EPOCH: i64 = 946_684_800_000_000;

/// A parameter that is sent as text, so that the server parses it for the type of the column.
#[derive(Debug)]
pub(crate) struct Text<'a>(pub(crate) Option<&'a str>);

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let Some(text) = self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// Returns whether a parameter may have this type.
pub(crate) fn is_parameter(kind: &Type) -> bool {
    is_text(kind) || is_integer(kind) || *kind == Type::UUID
}

/// Returns whether a value of this type can have this text as its canonical form.
///
/// The server would accept more, such as upper case for a `uuid`, and refuse others with an error.
pub(crate) fn can_have(kind: &Type, text: &str) -> bool {
    let is_canonical = |number: Option<i64>| number.is_some_and(|number| number.to_string() == text);
    match *kind {
        Type::UUID => uuid::is_canonical(text),
        Type::INT2 => is_canonical(text.parse::<i16>().ok().map(i64::from)),
        Type::INT4 => is_canonical(text.parse::<i32>().ok().map(i64::from)),
        Type::INT8 => is_canonical(text.parse().ok()),
        _ => !text.contains('\0'),
    }
}

fn is_text(kind: &Type) -> bool {
    [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME, Type::UNKNOWN].contains(kind) || kind.name() == "citext"
}

fn is_integer(kind: &Type) -> bool {
    [Type::INT2, Type::INT4, Type::INT8].contains(kind)
}

/// Returns the type of a column.
pub(crate) fn column_type(kind: &Type) -> ColumnType {
    match kind {
        kind if is_text(kind) || *kind == Type::UUID || matches!(kind.kind(), Kind::Enum(_)) => ColumnType::Text,
        kind if is_integer(kind) => ColumnType::Integer,
        kind if *kind == Type::BOOL => ColumnType::Boolean,
        kind if *kind == Type::TIMESTAMPTZ || *kind == Type::TIMESTAMP => ColumnType::Time,
        kind if [Type::TEXT_ARRAY, Type::VARCHAR_ARRAY].contains(kind) => ColumnType::TextList,
        _ => ColumnType::Other,
    }
}

/// A value of a column.
pub(crate) struct Cell(pub(crate) Value);

impl<'a> FromSql<'a> for Cell {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        let value = match column_type(kind) {
            ColumnType::Text if *kind == Type::UUID => Value::Text(uuid::format(raw.try_into()?)),
            ColumnType::Text => Value::Text(std::str::from_utf8(raw)?.to_owned()),
            ColumnType::Integer if *kind == Type::INT2 => Value::Integer(i16::from_sql(kind, raw)?.into()),
            ColumnType::Integer if *kind == Type::INT4 => Value::Integer(i32::from_sql(kind, raw)?.into()),
            ColumnType::Integer => Value::Integer(i64::from_sql(kind, raw)?),
            ColumnType::Boolean => Value::Boolean(bool::from_sql(kind, raw)?),
            ColumnType::Time => to_time(i64::from_be_bytes(raw.try_into()?))?,
            ColumnType::TextList => {
                let texts = Vec::<Option<String>>::from_sql(kind, raw)?;
                Value::TextList(texts.into_iter().flatten().collect())
            }
            ColumnType::Other => Value::Other,
        };
        Ok(Self(value))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Converts a time. `infinity` is absent.
fn to_time(microseconds: i64) -> Result<Value, Box<dyn StdError + Sync + Send>> {
    match microseconds {
        i64::MIN | i64::MAX => Ok(Value::Null),
        _ => Ok(Value::Time(Timestamp::from_microsecond(microseconds.saturating_add(EPOCH))?)),
    }
}

/// Creates the error of a value that cannot be read, without the value.
pub(crate) fn unreadable(column: Column) -> Error {
    let message = format!("a value of the column `{}` cannot be read", column.name());
    Error::upstream(ErrorKind::InvalidResponse, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_values_can_be_found() {
        let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        assert!(can_have(&Type::UUID, uuid));
        for bad in [&uuid.to_uppercase(), "{0f8fad5b-d9cb-469f-a165-70867728950e}", "' OR 1=1", ""] {
            assert!(!can_have(&Type::UUID, bad), "{bad}");
        }
        assert!(can_have(&Type::INT4, "-7") && can_have(&Type::INT8, "5000000000"));
        for bad in ["07", "+7", " 7", "7 ", "5000000000", "7.0", "x", ""] {
            assert!(!can_have(&Type::INT4, bad), "{bad}");
        }
        assert!(can_have(&Type::TEXT, "' OR 1=1 --") && !can_have(&Type::TEXT, "a\0b"));
    }

    #[test]
    fn binary_values_are_converted() {
        let text = |kind: &Type, raw: &[u8]| Cell::from_sql(kind, raw).unwrap().0;
        let uuid = u128::to_be_bytes(0x0f8f_ad5b_d9cb_469f_a165_7086_7728_950e);
        assert_eq!(text(&Type::UUID, &uuid), Value::Text("0f8fad5b-d9cb-469f-a165-70867728950e".to_owned()));
        assert_eq!(text(&Type::INT2, &[0, 7]), Value::Integer(7));
        assert_eq!(text(&Type::TIMESTAMPTZ, &[0; 8]), Value::Time("2000-01-01T00:00:00Z".parse().unwrap()));
        assert_eq!(text(&Type::TIMESTAMP, &i64::MAX.to_be_bytes()), Value::Null);
        assert!(Cell::from_sql(&Type::UUID, &[1, 2]).is_err());
    }
}
