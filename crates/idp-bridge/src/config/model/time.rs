//! Times within bounds.

use std::borrow::Cow;
use std::time::Duration;

use idp_bridge_core::jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time of at least `MIN` and at most `MAX` milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time<const MIN: u64, const MAX: u64>(pub(crate) Duration);

impl<const MAX: u64> Time<0, MAX> {
    pub(crate) const ZERO: Self = Self(Duration::ZERO);
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Time<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let [min, max] = [MIN, MAX].map(Duration::from_millis);
        let text = String::deserialize(deserializer)?;
        let time = text.parse().ok().and_then(|time: SignedDuration| Duration::try_from(time).ok());
        time.filter(|time| (min..=max).contains(time)).map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!("expected a time from `{}` to `{}`", display(min), display(max)))
        })
    }
}

/// Writes the default into the schema.
impl<const MIN: u64, const MAX: u64> Serialize for Time<MIN, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&display(self.0))
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Time<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Time{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let examples = [MIN, MAX].map(|millis| display(Duration::from_millis(millis)));
        json_schema!({"type": "string", "examples": examples})
    }
}

fn display(time: Duration) -> String {
    SignedDuration::try_from(time).map(|time| format!("{time:#}")).unwrap_or_default()
}
