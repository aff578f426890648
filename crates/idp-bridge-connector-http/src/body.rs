//! JSON bodies with placeholders.

use idp_bridge_core::Result;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::settings::Settings;
use crate::template::{Name, Template};
use crate::values::Values;

/// A JSON value in which each text is a template.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) enum JsonBody {
    /// A number, a boolean or null.
    Literal(Value),
    Text(Template),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl TryFrom<Value> for JsonBody {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Self::Text(Template::try_from(text)?),
            Value::Array(elements) => Self::Array(elements.into_iter().map(Self::try_from).collect::<Result<_, _>>()?),
            Value::Object(members) => Self::Object(
                members
                    .into_iter()
                    .map(|(name, value)| Ok((check_member_name(name)?, Self::try_from(value)?)))
                    .collect::<Result<_, String>>()?,
            ),
            literal => Self::Literal(literal),
        })
    }
}

/// Returns the name of a member, or an error if it has a placeholder, which would be sent as it is.
fn check_member_name(name: String) -> Result<String, String> {
    if name.contains('{') {
        return Err(format!("a placeholder stands in values, and not in the name of a member: `{name}`"));
    }
    Ok(name)
}

impl JsonBody {
    /// Returns the placeholders of all texts.
    pub(crate) fn names(&self) -> Vec<&Name> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Text(text) => text.names().collect(),
            Self::Array(elements) => elements.iter().flat_map(Self::names).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, value)| value.names()).collect(),
        }
    }

    /// Replaces the placeholders of settings by their values.
    pub(crate) fn bind(self, settings: &Settings) -> Self {
        match self {
            Self::Literal(value) => Self::Literal(value),
            Self::Text(text) => match text.as_name() {
                Some(Name::Setting(name)) if settings.typed(name).is_some() => {
                    Self::Literal(settings.typed(name).cloned().unwrap_or_default())
                }
                _ => Self::Text(text.bind(|name| settings.text(name))),
            },
            Self::Array(elements) => Self::Array(elements.into_iter().map(|value| value.bind(settings)).collect()),
            Self::Object(members) => {
                Self::Object(members.into_iter().map(|(key, value)| (key, value.bind(settings))).collect())
            }
        }
    }

    /// Returns the JSON with the values of a call.
    pub(crate) fn fill(&self, values: &Values<'_>) -> Result<Value> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Text(text) => Value::String(text.require(values)?),
            Self::Array(elements) => {
                Value::Array(elements.iter().map(|value| value.fill(values)).collect::<Result<_>>()?)
            }
            Self::Object(members) => Value::Object(
                members
                    .iter()
                    .filter(|(_, value)| !values.omits(value))
                    .map(|(key, value)| Ok((key.clone(), value.fill(values)?)))
                    .collect::<Result<Map<_, _>>>()?,
            ),
        })
    }
}

impl schemars::JsonSchema for JsonBody {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "JsonBody".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "A JSON value in which each text may have placeholders." })
    }
}
