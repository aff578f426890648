//! JSON objects without duplicate keys, which parsers interpret differently.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Parses a JSON object. Returns `None` for other text, and for an object with a duplicate key.
pub(crate) fn parse(bytes: &[u8]) -> Option<Map<String, Value>> {
    // The error may contain a part of the text.
    serde_json::from_slice::<Object>(bytes).ok().map(|object| object.0)
}

struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueKeys)
    }
}

struct UniqueKeys;

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = Map::new();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom("duplicate key"));
            }
        }
        Ok(Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_with_unique_keys_are_parsed() {
        for good in ["{}", r#" {"a": 1, "b": {"a": [null]}} "#] {
            assert_eq!(parse(good.as_bytes()).map(Value::Object), serde_json::from_str(good).ok(), "{good}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        for bad in
            ["", "{", "[]", "null", "1", "{} {}", "{}x", r#"{"a":1,"a":1}"#, r#"{"sub":1,"\u0073ub":2}"#, deep.as_str()]
        {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse(b"{\"a\":\"\xff\"}"), None);
    }
}
