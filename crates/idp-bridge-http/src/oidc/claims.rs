//! What a token or an answer about it says, read by type.

use std::fmt;

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Customer, Error, ErrorKind, Result};
use serde_json::{Map, Value};

use super::object;
use crate::response::Response;

/// The claims of a verified token, or of an answer of the identity provider about one.
///
/// A getter gives nothing for a claim of another type than it reads. `Debug` shows the names alone.
#[derive(Clone, PartialEq)]
pub struct Claims {
    members: Map<String, Value>,
    /// The header's `typ`, in lower case and without `application/`; none for an answer.
    typ: Option<String>,
}

impl Claims {
    /// The claims in this JSON object; nothing if it is none, or has a key twice.
    pub fn parse(json: &[u8]) -> Option<Self> {
        object::parse(json).map(Self::from)
    }

    /// The claims in an answer's body; `InvalidResponse` if it is no JSON object.
    pub fn from_response(answer: &Response) -> Result<Self> {
        Self::parse(&answer.body).ok_or_else(|| {
            Error::upstream(ErrorKind::InvalidResponse, "the identity provider's answer is not one JSON object")
                .with("status", answer.status.as_u16().to_string())
        })
    }

    /// The same of a token with this `typ` header.
    pub(super) fn with_type(mut self, typ: Option<String>) -> Self {
        self.typ = typ;
        self
    }

    /// Whether the token's header says that it is of this type, without `application/` and in lower case.
    pub fn has_type(&self, typ: &str) -> bool {
        self.typ.as_deref() == Some(typ)
    }

    /// Whether the claim is there, whatever it says.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The claim as it is.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }

    /// One text, or an array of texts and of nothing else; empty if it is neither.
    pub fn strings(&self, name: &str) -> Vec<&str> {
        match self.members.get(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(values)) => values.iter().map(Value::as_str).collect::<Option<_>>().unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// The words of a text with spaces between them, such as `scope`; an array of texts is taken as well.
    pub fn words(&self, name: &str) -> Vec<&str> {
        self.strings(name).into_iter().flat_map(|text| text.split(' ')).filter(|word| !word.is_empty()).collect()
    }

    /// A number of seconds since 1970, whole or not; rounded down.
    pub fn timestamp(&self, name: &str) -> Option<Timestamp> {
        let number = self.members.get(name)?.as_number()?;
        let seconds = number.as_i64().or_else(|| {
            let seconds = number.as_f64()?.floor();
            // What a timestamp can be is far within what both types hold exactly.
            #[expect(clippy::cast_possible_truncation, reason = "the bounds are checked")]
            (seconds.abs() < 1e12).then_some(seconds as i64)
        })?;
        Timestamp::from_second(seconds).ok()
    }

    /// A truth value, also as the text that some identity providers make of it.
    pub fn bool_or_string(&self, name: &str) -> Option<bool> {
        match self.members.get(name)? {
            Value::Bool(value) => Some(*value),
            Value::String(text) if text == "true" => Some(true),
            Value::String(text) if text == "false" => Some(false),
            _ => None,
        }
    }

    /// Whom it is meant for (`aud`).
    pub fn audience(&self) -> Vec<&str> {
        self.strings("aud")
    }

    /// The client that the token was issued to (`azp` or `client_id`), if this knows it.
    ///
    /// `InvalidToken` if it names none, one that is not known, or two different ones.
    pub fn check_client(&self, is_known: impl Fn(&str) -> bool) -> Result<&str> {
        let named = |name| match self.members.get(name) {
            None => Ok(None),
            Some(value) => {
                value.as_str().map(Some).ok_or_else(|| Error::invalid_token("the token's client is no text"))
            }
        };
        let client = match (named("azp")?, named("client_id")?) {
            (Some(one), Some(other)) if one != other => {
                return Err(Error::invalid_token("the token names two different clients"));
            }
            (Some(client), _) | (None, Some(client)) => client,
            (None, None) => return Err(Error::invalid_token("the token names no client")),
        };
        if is_known(client) { Ok(client) } else { Err(Error::invalid_token("the token is another client's")) }
    }

    /// Fails with `InvalidToken` if the token is bound to its sender (`cnf`), whom the bridge cannot check.
    pub fn check_unbound(&self) -> Result<()> {
        if self.has("cnf") { Err(Error::invalid_token("the token is bound to its sender")) } else { Ok(()) }
    }

    /// Fails with `InvalidToken` if the token is an ID token of this client, as far as tokens tell.
    ///
    /// One of the type `at+jwt` is none. Any other is one if it has what only ID tokens have, or is meant for the client
    /// itself, as every ID token is (OpenID Connect Core 1.0, section 2).
    pub fn check_not_id_token(&self, client: &str) -> Result<()> {
        let marked = ["nonce", "at_hash", "c_hash", "s_hash"].into_iter().any(|name| self.has(name));
        if !self.has_type("at+jwt") && (marked || self.audience().contains(&client)) {
            return Err(Error::invalid_token("the token is an ID token"));
        }
        Ok(())
    }

    /// The customer that a claim names, without choosing among several.
    pub fn customer(&self, name: &str) -> Customer {
        let read = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            // Some mappers write digits as a number.
            Value::Number(number) if !number.is_f64() => Some(number.to_string()),
            _ => None,
        };
        let values = match self.members.get(name) {
            None | Some(Value::Null) => return Customer::Absent,
            Some(Value::Array(values)) => values.iter().map(read).collect(),
            Some(value) => read(value).map(|one| vec![one]),
        };
        values.map_or(Customer::Unusable, |values: Vec<String>| Customer::from_values(&values))
    }
}

impl From<Map<String, Value>> for Claims {
    fn from(claims: Map<String, Value>) -> Self {
        Self { members: claims, typ: None }
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.members.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
