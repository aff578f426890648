//! The values of an answer that a definition reads. All others are skipped while the answer is parsed.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::pointer::Pointer;
use crate::select::Check;
use crate::settings::Settings;

/// The parts of a value to parse: some members of an object, or the whole value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Needed {
    is_whole: bool,
    members: BTreeMap<String, Self>,
    /// The parts to parse of each element of a list.
    elements: Option<Box<Self>>,
}

impl Needed {
    /// Adds the value at a pointer.
    pub(crate) fn add(&mut self, pointer: &Pointer) {
        self.at(pointer).is_whole = true;
    }

    /// Adds the value of a condition.
    pub(crate) fn add_check(&mut self, check: &Check, settings: &Settings) {
        match check.at.resolve(|name| settings.text(name)).map(|text| Pointer::parse(&text)) {
            // An object without its members is present, too.
            Some(pointer) if check.present.is_some() => drop(self.at(&pointer)),
            Some(pointer) => self.add(&pointer),
            None => self.is_whole = true,
        }
    }

    /// Sets the parts to parse of the value at a pointer, or of its elements if it is a list.
    pub(crate) fn set(&mut self, pointer: &Pointer, needed: Self, is_list: bool) {
        let place = self.at(pointer);
        if is_list {
            place.elements = Some(Box::new(needed));
        } else {
            *place = needed;
        }
    }

    fn at(&mut self, pointer: &Pointer) -> &mut Self {
        pointer.tokens().iter().fold(self, |place, token| place.members.entry(token.clone()).or_default())
    }

    /// Parses an answer.
    pub(crate) fn parse(&self, body: &[u8]) -> serde_json::Result<Value> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let answer = self.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(answer)
    }
}

impl<'de> DeserializeSeed<'de> for &Needed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.is_whole { serde::Deserialize::deserialize(deserializer) } else { deserializer.deserialize_any(self) }
    }
}

impl<'de> Visitor<'de> for &Needed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let whole = Needed { is_whole: true, ..Needed::default() };
        let element = self.elements.as_deref().unwrap_or(&whole);
        let mut elements = Vec::new();
        while let Some(value) = list.next_element_seed(element)? {
            elements.push(value);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(found) = object.next_key_seed(Key(&self.members))? {
            match found {
                Some((name, needed)) => drop(members.insert(name.clone(), object.next_value_seed(needed)?)),
                None => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Value::Object(members))
    }
}

/// Finds the member with a key, without a copy of the key.
struct Key<'n>(&'n BTreeMap<String, Needed>);

impl<'de, 'n> DeserializeSeed<'de> for Key<'n> {
    type Value = Option<(&'n String, &'n Needed)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Key<'n> {
    type Value = Option<(&'n String, &'n Needed)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.get_key_value(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_needed_values_are_kept() {
        let mut user = Needed::default();
        ["/id", "/traits/email", "/a~1b", "/list/0/x"].iter().for_each(|text| user.add(&Pointer::parse(text)));
        let mut answer = Needed::default();
        answer.set(&Pointer::parse("/users"), user, true);
        answer.add(&Pointer::parse("/next"));
        for (text, expected) in [
            (
                r#"{"users":[{"id":7,"traits":{"email":"a","x":{"y":[1]}},"a/b":null,"list":[{"x":1,"y":2}],"z":1}],"next":{"a":1},"n":2}"#,
                r#"{"users":[{"id":7,"traits":{"email":"a"},"a/b":null,"list":[{"x":1,"y":2}]}],"next":{"a":1}}"#,
            ),
            (r#"{"users":{"id":1},"next":[true,-1,1.5]}"#, r#"{"users":{},"next":[true,-1,1.5]}"#),
            (r#"[{"users":1}]"#, r#"[{"users":1}]"#),
            ("\"text\"", "\"text\""),
            (r#"{"next":1,"next":2}"#, r#"{"next":2}"#),
        ] {
            let expected: Value = serde_json::from_str(expected).unwrap();
            assert_eq!(answer.parse(text.as_bytes()).unwrap(), expected, "{text}");
        }
        for invalid in ["", "{", "{\"n\":}", "{\"n\":1}x", "{\"n\":[1,}", "{n:1}"] {
            assert!(answer.parse(invalid.as_bytes()).is_err(), "{invalid}");
        }
    }
}
