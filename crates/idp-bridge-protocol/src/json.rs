//! Strict JSON: one object in UTF-8, without duplicate keys, at most 16 levels deep.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

const MAX_DEPTH: usize = 16;

/// An error of [`parse_object`]. Contains no part of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The body is not JSON, not UTF-8, or has trailing data.
    #[error("the body is not one JSON value")]
    Syntax,
    /// An object has a duplicate key.
    #[error("an object has a duplicate key")]
    DuplicateKey,
    /// The body has more than 16 levels.
    #[error("the body is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// The body is JSON, but not an object.
    #[error("the body is not a JSON object")]
    NotAnObject,
}

/// Parses a body.
pub fn parse_object(body: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let text = std::str::from_utf8(body).map_err(|_| JsonError::Syntax)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }.deserialize(&mut deserializer).map_err(|error| classify(&error))?;
    deserializer.end().map_err(|_| JsonError::Syntax)?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError::NotAnObject),
    }
}

const DUPLICATE: &str = "duplicate key";
const DEEP: &str = "too deep";

/// Recognizes our own errors by their text, because serde keeps only the text of a custom error.
fn classify(error: &serde_json::Error) -> JsonError {
    let text = error.to_string();
    if text.starts_with(DUPLICATE) {
        JsonError::DuplicateKey
    } else if text.starts_with(DEEP) {
        JsonError::TooDeep
    } else {
        JsonError::Syntax
    }
}

/// Deserializes a value at this depth.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH { Err(E::custom(DEEP)) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.insert(key, map.next_value_seed(inner)?).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_objects_with_unique_keys_are_parsed() {
        let parse = |body: &str| parse_object(body.as_bytes());
        assert_eq!(parse(""), Err(JsonError::Syntax));
        assert_eq!(parse("{"), Err(JsonError::Syntax));
        assert_eq!(parse("{} {}"), Err(JsonError::Syntax));
        assert_eq!(parse("{}x"), Err(JsonError::Syntax));
        assert_eq!(parse("[]"), Err(JsonError::NotAnObject));
        assert_eq!(parse("null"), Err(JsonError::NotAnObject));
        assert_eq!(parse(r#"{"a":1,"a":1}"#), Err(JsonError::DuplicateKey));
        assert_eq!(parse(r#"{"a":{"b":1,"\u0062":2}}"#), Err(JsonError::DuplicateKey));
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), Err(JsonError::Syntax));
        assert_eq!(parse_object(b"\xef\xbb\xbf{}"), Err(JsonError::Syntax));
        assert_eq!(parse(r#"{"a":"\ud800"}"#), Err(JsonError::Syntax));
        assert!(parse(r#" {"a":[1,-2,3.5,true,null,"x"]} "#).is_ok());
    }

    #[test]
    fn depth_is_limited_to_sixteen_levels() {
        let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        assert!(parse_object(nested(16).as_bytes()).is_ok());
        assert_eq!(parse_object(nested(17).as_bytes()), Err(JsonError::TooDeep));
        let arrays = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse_object(arrays(15).as_bytes()).is_ok());
        assert_eq!(parse_object(arrays(16).as_bytes()), Err(JsonError::TooDeep));
        assert_eq!(parse_object(arrays(8_000).as_bytes()), Err(JsonError::TooDeep));
    }

    proptest! {
        #[test]
        fn parsed_values_equal_those_of_serde_json(body in "\\PC{0,80}|\\{(\"[a-c]\":[0-9]{1,3},?){0,4}\\}") {
            if let Ok(object) = parse_object(body.as_bytes()) {
                prop_assert_eq!(Value::Object(object), serde_json::from_str::<Value>(&body).unwrap());
            }
        }
    }
}
