//! The claims of tokens, userinfo and introspection.

use std::fmt;

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Customer, Error, ErrorKind, Result};
use serde_json::{Map, Value};

use super::object;
use crate::response::Response;

/// The claims of a verified token, or of a userinfo or introspection response.
///
/// A getter returns `None` for a claim of another type. `Debug` prints only the names.
#[derive(Clone, PartialEq)]
pub struct Claims {
    members: Map<String, Value>,
    /// The header's `typ`, in lower case and without `application/`. `None` for a response.
    typ: Option<String>,
}

impl Claims {
    /// Parses a JSON object. Returns `None` if the text is not an object or has a duplicate key.
    pub fn parse(json: &[u8]) -> Option<Self> {
        object::parse(json).map(Self::from)
    }

    /// Parses the body of a response. Fails with `InvalidResponse` if it is not a JSON object.
    pub fn from_response(response: &Response) -> Result<Self> {
        Self::parse(&response.body).ok_or_else(|| {
            Error::upstream(ErrorKind::InvalidResponse, "the identity provider's answer is not one JSON object")
                .with("status", response.status.as_u16().to_string())
        })
    }

    /// Sets the `typ` header.
    pub(super) fn with_type(mut self, typ: Option<String>) -> Self {
        self.typ = typ;
        self
    }

    /// Returns whether the header has this `typ`, given in lower case and without `application/`.
    pub fn has_type(&self, typ: &str) -> bool {
        self.typ.as_deref() == Some(typ)
    }

    /// Returns whether the claim exists.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Returns the claim.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// Returns a string claim.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }

    /// Returns a string or an array of strings. Empty for other types.
    pub fn strings(&self, name: &str) -> Vec<&str> {
        match self.members.get(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(values)) => values.iter().map(Value::as_str).collect::<Option<_>>().unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// Returns the words of a space-separated string, such as `scope`, or of an array of strings.
    pub fn words(&self, name: &str) -> Vec<&str> {
        self.strings(name).into_iter().flat_map(|text| text.split(' ')).filter(|word| !word.is_empty()).collect()
    }

    /// Returns a number of seconds since 1970, rounded down.
    pub fn timestamp(&self, name: &str) -> Option<Timestamp> {
        let number = self.members.get(name)?.as_number()?;
        let seconds = number.as_i64().or_else(|| {
            let seconds = number.as_f64()?.floor();
            // Both types represent all valid timestamps exactly.
            #[expect(clippy::cast_possible_truncation, reason = "the bounds are checked")]
            (seconds.abs() < 1e12).then_some(seconds as i64)
        })?;
        Timestamp::from_second(seconds).ok()
    }

    /// Returns a boolean, also one that the identity provider sends as a string.
    pub fn bool_or_string(&self, name: &str) -> Option<bool> {
        match self.members.get(name)? {
            Value::Bool(value) => Some(*value),
            Value::String(text) if text == "true" => Some(true),
            Value::String(text) if text == "false" => Some(false),
            _ => None,
        }
    }

    /// Returns the audience (`aud`).
    pub fn audience(&self) -> Vec<&str> {
        self.strings("aud")
    }

    /// Returns the client that the token was issued to (`azp` or `client_id`).
    ///
    /// Fails with `InvalidToken` if the token names no client, an unknown one, or two different ones.
    pub fn check_client(&self, is_known: impl Fn(&str) -> bool) -> Result<&str> {
        let named = |name| match self.members.get(name) {
            None => Ok(None),
            Some(value) => {
                value.as_str().map(Some).ok_or_else(|| Error::invalid_token("the token's client is not a string"))
            }
        };
        let client = match (named("azp")?, named("client_id")?) {
            (Some(one), Some(other)) if one != other => {
                return Err(Error::invalid_token("the token names two different clients"));
            }
            (Some(client), _) | (None, Some(client)) => client,
            (None, None) => return Err(Error::invalid_token("the token names no client")),
        };
        if is_known(client) { Ok(client) } else { Err(Error::invalid_token("the token belongs to another client")) }
    }

    /// Fails with `InvalidToken` if the token is sender-constrained (`cnf`), because the bridge cannot check the sender.
    pub fn check_unbound(&self) -> Result<()> {
        if self.has("cnf") { Err(Error::invalid_token("the token is bound to its sender")) } else { Ok(()) }
    }

    /// Fails with `InvalidToken` if the token looks like an ID token of this client.
    ///
    /// A token of the type `at+jwt` is an access token. Any other is an ID token if it has a claim that only ID tokens have, or if
    /// its audience contains the client, as in every ID token (OpenID Connect Core 1.0, section 2).
    pub fn check_not_id_token(&self, client: &str) -> Result<()> {
        let marked = ["nonce", "at_hash", "c_hash", "s_hash"].into_iter().any(|name| self.has(name));
        if !self.has_type("at+jwt") && (marked || self.audience().contains(&client)) {
            return Err(Error::invalid_token("the token is an ID token"));
        }
        Ok(())
    }

    /// Returns the customer in a claim. Several values are [`Customer::Several`].
    pub fn customer(&self, name: &str) -> Customer {
        let read = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            // Some mappers write a string of digits as a number.
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
