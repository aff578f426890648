//! The selection of a value in a JSON answer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::conjunction;
use crate::needed::Needed;
use crate::pointer::Pointer;
use crate::settings::Settings;
use crate::template::Template;
use crate::text_or::{OneOrMany, TextOr};

/// The place of a value: a JSON pointer such as `/traits/email`, or a table with conditions.
pub(crate) type Selector = TextOr<SelectorTable>;

/// A selection by conditions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SelectorTable {
    /// JSON pointers; the first one with a value other than null counts.
    pub(crate) at: OneOrMany<Template>,
    /// The members that an element of the array has; the first such element counts. `{email}` is the user's address.
    #[serde(default, rename = "where")]
    pub(crate) conditions: BTreeMap<String, Value>,
    /// Whether the first element counts if no element has the members.
    #[serde(default)]
    pub(crate) or_first: bool,
    /// Whether the value is a text with JSON.
    #[serde(default)]
    pub(crate) json: bool,
    /// A JSON pointer within the element, or within the JSON of the text.
    pub(crate) then: Option<Template>,
    /// Whether the value is the index of the element.
    #[serde(default)]
    pub(crate) index: bool,
}

/// A selector without placeholders of settings.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    pointers: Vec<Pointer>,
    conditions: Vec<(String, Condition)>,
    is_conditional: bool,
    or_first: bool,
    json: bool,
    then: Option<Pointer>,
    index: bool,
}

#[derive(Debug, Clone)]
enum Condition {
    Literal(Value),
    /// Equal to the user's address, without regard to ASCII case.
    OwnEmail,
}

impl Selector {
    /// Returns the pointers, for checks.
    pub(crate) fn pointers(&self) -> Vec<&Template> {
        match self {
            Self::Text(pointer) => vec![pointer],
            Self::Table(table) => table.at.as_slice().iter().chain(&table.then).collect(),
        }
    }

    /// Replaces the placeholders of settings. Fails with a text that is not a pointer.
    pub(crate) fn bind(&self, setting: &dyn Fn(&str) -> Option<String>) -> Result<Selection, String> {
        let bound = |pointer: &Template| {
            let text = pointer.clone().bind(setting);
            let text = text.as_text().ok_or("a pointer may only have placeholders of settings")?;
            if text.is_empty() || text.starts_with('/') {
                Ok(Pointer::parse(text))
            } else {
                Err(format!("`{text}` is not a JSON pointer: it begins with `/`, or is empty for the whole answer"))
            }
        };
        match self {
            Self::Text(pointer) => Ok(Selection::at(bound(pointer)?)),
            Self::Table(table) => {
                let conditions = table.conditions.iter().map(|(key, value)| {
                    let condition =
                        if value == "{email}" { Condition::OwnEmail } else { Condition::Literal(value.clone()) };
                    (key.clone(), condition)
                });
                let is_conditional = !table.conditions.is_empty() || table.or_first;
                if table.index && !is_conditional {
                    return Err("`index` needs `where`".to_owned());
                }
                Ok(Selection {
                    pointers: table.at.as_slice().iter().map(bound).collect::<Result<_, String>>()?,
                    conditions: conditions.collect(),
                    is_conditional,
                    or_first: table.or_first,
                    json: table.json,
                    then: table.then.as_ref().map(bound).transpose()?,
                    index: table.index,
                })
            }
        }
    }
}

impl Selection {
    /// Creates the selection of one pointer.
    pub(crate) fn at(pointer: Pointer) -> Self {
        Self {
            pointers: vec![pointer],
            conditions: Vec::new(),
            is_conditional: false,
            or_first: false,
            json: false,
            then: None,
            index: false,
        }
    }

    /// Adds the values that the selection reads.
    pub(crate) fn add_to(&self, needed: &mut Needed) {
        self.pointers.iter().for_each(|pointer| needed.add(pointer));
    }

    /// Returns the selected value, if there is one and it is not null.
    pub(crate) fn find<'v>(&self, answer: &'v Value, own_email: Option<&str>) -> Option<Cow<'v, Value>> {
        let mut found = self.pointers.iter().filter_map(|pointer| pointer.find(answer)).find(|v| !v.is_null())?;
        if self.is_conditional {
            let elements = found.as_array()?;
            let meets = |element: &&Value| {
                self.conditions.iter().all(|(key, condition)| condition.holds(element.get(key), own_email))
            };
            let position = elements.iter().position(|element| meets(&element));
            let position = position.or_else(|| (self.or_first && !elements.is_empty()).then_some(0))?;
            if self.index {
                return Some(Cow::Owned(position.into()));
            }
            found = elements.get(position)?;
        }
        if self.json {
            // The parser limits the depth.
            let parsed: Value = serde_json::from_str(found.as_str()?).ok()?;
            let value = self.then.as_ref().map_or(Some(&parsed), |then| then.find(&parsed))?;
            return (!value.is_null()).then(|| Cow::Owned(value.clone()));
        }
        if let Some(then) = &self.then {
            found = then.find(found)?;
        }
        (!found.is_null()).then_some(Cow::Borrowed(found))
    }

    /// Returns the selected text. A number counts as its digits.
    pub(crate) fn text(&self, answer: &Value, own_email: Option<&str>) -> Option<String> {
        as_text(&*self.find(answer, own_email)?)
    }
}

impl Condition {
    fn holds(&self, value: Option<&Value>, own_email: Option<&str>) -> bool {
        match self {
            Self::Literal(literal) => value == Some(literal),
            Self::OwnEmail => match (value.and_then(Value::as_str), own_email) {
                (Some(value), Some(own)) => value.eq_ignore_ascii_case(own),
                _ => false,
            },
        }
    }
}

/// Returns a text, or the digits of a whole number.
pub(crate) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

/// A condition on a JSON answer.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    /// A JSON pointer, which may have placeholders of settings.
    pub(crate) at: Template,
    /// The value is this one.
    pub(crate) equals: Option<Value>,
    /// The value is one of these.
    #[serde(default)]
    pub(crate) one_of: Vec<Value>,
    /// The value is a text with this part, which may have placeholders of settings.
    pub(crate) contains: Option<Template>,
    /// The value is a text that begins with this one.
    pub(crate) starts_with: Option<String>,
    /// The value is an access rule of terms that `&&` joins, and this is one of them, without `||` beside it. It may have
    /// placeholders of settings.
    pub(crate) and_term: Option<Template>,
    /// Whether the value may be null instead, for products in which null forbids access.
    #[serde(default)]
    pub(crate) or_null: bool,
    /// Whether the value is there and not null.
    pub(crate) present: Option<bool>,
    /// The value is the address of the user of the call, without regard to ASCII case.
    #[serde(default)]
    pub(crate) own_email: bool,
}

impl Check {
    /// Returns the fault of the condition itself.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let conditions = [
            self.equals.is_some(),
            !self.one_of.is_empty(),
            self.contains.is_some(),
            self.starts_with.is_some(),
            self.and_term.is_some(),
            self.present.is_some(),
            self.own_email,
        ];
        if !self.at.is_pointer() {
            return Some("`at` is not a JSON pointer: it begins with `/`, or is empty for the whole answer");
        }
        if self.or_null && self.present.is_some() {
            return Some("a condition has `or_null` or `present`, not both");
        }
        let is_empty = |text: &Option<Template>| text.as_ref().is_some_and(|text| text.as_text() == Some(""));
        if is_empty(&self.contains) || is_empty(&self.and_term) || self.starts_with.as_deref() == Some("") {
            return Some("each text has the empty text: write what only this answer has");
        }
        match conditions.iter().filter(|given| **given).count() {
            1 => None,
            _ => Some(
                "a condition has one of `equals`, `one_of`, `contains`, `starts_with`, `and_term`, `present` and `own_email`",
            ),
        }
    }

    /// Returns whether the answer meets the condition, in a call about a user with this address.
    pub(crate) fn holds(&self, answer: &Value, settings: &Settings, own_email: Option<&str>) -> bool {
        let at = match self.at.as_text() {
            Some(text) => Some(Cow::Borrowed(text)),
            None => self.at.resolve(|name| settings.text(name)).map(Cow::Owned),
        };
        let value = at.and_then(|at| answer.pointer(&at));
        if self.or_null && value.is_some_and(Value::is_null) {
            return true;
        }
        let value = value.filter(|value| !value.is_null());
        if let Some(present) = self.present {
            return value.is_some() == present;
        }
        if self.own_email {
            return Condition::OwnEmail.holds(value, own_email);
        }
        let text = value.and_then(Value::as_str);
        if let Some(part) = &self.contains {
            let part = part.resolve(|name| settings.text(name));
            return text.zip(part).is_some_and(|(text, part)| text.contains(&part));
        }
        if let Some(term) = &self.and_term {
            let term = term.resolve(|name| settings.text(name));
            return text.zip(term).is_some_and(|(rule, term)| conjunction::requires(rule, &term));
        }
        if let Some(start) = &self.starts_with {
            return text.is_some_and(|text| text.starts_with(start.as_str()));
        }
        value.is_some_and(|value| self.equals.as_ref() == Some(value) || self.one_of.contains(value))
    }
}
