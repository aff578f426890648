//! The body of a signed call: operation, tenant and data.

use aws_lc_rs::digest;
use idp_bridge_core::{Call, CustomerId, Email, InvalidValue, TenantId, UserId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::json::{JsonError, parse_object};

/// The operation of a signed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Returns the capabilities. Sends no request to the identity provider.
    Ping,
    /// One of the seven calls.
    Users(Call),
}

/// A parsed body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The tenant. Must equal the tenant in the path.
    pub tenant: TenantId,
    /// The operation.
    pub operation: Operation,
}

/// An error of parsing an envelope. Contains no part of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The body is not strict JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The `type` is unknown in this version.
    #[error("unknown operation")]
    UnknownOperation,
    /// A member is missing, unknown or invalid.
    #[error("`{field}` {reason}")]
    Member {
        /// The member: `type`, `tenant`, `data`, `data.id` …
        field: &'static str,
        /// The reason, as the rest of a sentence.
        reason: &'static str,
    },
}

impl EnvelopeError {
    /// Returns the invalid member, if the error is about one.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Member { field, .. } => Some(field),
            Self::Json(_) | Self::UnknownOperation => None,
        }
    }

    fn member(field: &'static str, reason: &'static str) -> Self {
        Self::Member { field, reason }
    }
}

impl Envelope {
    /// Parses a body. Unknown top-level members are ignored. Unknown or missing members of `data` are errors.
    pub fn parse(body: &[u8]) -> Result<Self, EnvelopeError> {
        let object = parse_object(body)?;
        let kind = text(&object, "type", "type")?;
        let tenant = text(&object, "tenant", "tenant")?;
        let tenant = TenantId::new(tenant).map_err(|error| EnvelopeError::member("tenant", error.reason()))?;
        let data = match object.get("data") {
            None => None,
            Some(Value::Object(data)) => Some(data),
            Some(_) => return Err(EnvelopeError::member("data", "is not an object")),
        };
        Ok(Self { tenant, operation: Operation::parse(kind, data)? })
    }

    /// Serializes the body. `timestamp` is informative, in the format of RFC 3339.
    pub fn to_body(&self, timestamp: String) -> Vec<u8> {
        let wire = WireEnvelope { operation: self.operation.to_wire(), timestamp, tenant: self.tenant.clone() };
        // Strings and objects of strings always serialize.
        serde_json::to_vec(&wire).unwrap_or_default()
    }
}

impl Operation {
    /// Returns the name on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Users(call) => call.kind().as_str(),
        }
    }

    /// Returns the SHA-256 digest of type and data. Equal operations have equal fingerprints.
    pub fn fingerprint(&self) -> [u8; 32] {
        let canonical = serde_json::to_vec(&self.to_wire()).unwrap_or_default();
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, &canonical).as_ref());
        fingerprint
    }

    fn parse(kind: &str, data: Option<&Map<String, Value>>) -> Result<Self, EnvelopeError> {
        if kind == "ping" {
            return match data {
                Some(data) if !data.is_empty() => Err(EnvelopeError::member("data", "has an unknown member")),
                _ => Ok(Self::Ping),
            };
        }
        let data = Data(data);
        let call = match kind {
            "users.get_by_id" => Call::GetById(data.only(UserId::new)?),
            "users.get_by_email" => Call::GetByEmail(data.only(Email::new)?),
            "users.get_by_customer" => Call::GetByCustomer(data.only(CustomerId::new)?),
            "users.delete" => Call::Delete(data.only(UserId::new)?),
            "users.send_verification_email" => Call::SendVerificationEmail(data.only(UserId::new)?),
            "users.send_password_reset_email" => Call::SendPasswordResetEmail(data.only(Email::new)?),
            "users.mark_email_verified" => {
                data.check_members(&["id", "email"])?;
                Call::MarkEmailVerified { id: data.required(UserId::new)?, email: data.optional(Email::new)? }
            }
            _ => return Err(EnvelopeError::UnknownOperation),
        };
        Ok(Self::Users(call))
    }

    fn to_wire(&self) -> WireOperation {
        match self.clone() {
            Self::Ping => WireOperation::Ping(NoData {}),
            Self::Users(Call::GetById(id)) => WireOperation::GetById(IdData { id }),
            Self::Users(Call::GetByEmail(email)) => WireOperation::GetByEmail(EmailData { email }),
            Self::Users(Call::GetByCustomer(customer)) => WireOperation::GetByCustomer(CustomerData { customer }),
            Self::Users(Call::Delete(id)) => WireOperation::Delete(IdData { id }),
            Self::Users(Call::MarkEmailVerified { id, email }) => {
                WireOperation::MarkEmailVerified(MarkEmailVerifiedData { id, email })
            }
            Self::Users(Call::SendVerificationEmail(id)) => WireOperation::SendVerificationEmail(IdData { id }),
            Self::Users(Call::SendPasswordResetEmail(email)) => {
                WireOperation::SendPasswordResetEmail(EmailData { email })
            }
        }
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &str, field: &'static str) -> Result<&'a str, EnvelopeError> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(EnvelopeError::member(field, "is not a string")),
        None => Err(EnvelopeError::member(field, "is missing")),
    }
}

/// A value with its name in `data`.
trait Member: Sized {
    const KEY: &'static str;
    const FIELD: &'static str;
}

impl Member for UserId {
    const KEY: &'static str = "id";
    const FIELD: &'static str = "data.id";
}

impl Member for Email {
    const KEY: &'static str = "email";
    const FIELD: &'static str = "data.email";
}

impl Member for CustomerId {
    const KEY: &'static str = "customer";
    const FIELD: &'static str = "data.customer";
}

/// The members of `data`.
#[derive(Clone, Copy)]
struct Data<'a>(Option<&'a Map<String, Value>>);

impl<'a> Data<'a> {
    /// Fails if `data` is missing, or has other members than these.
    fn check_members(self, keys: &[&str]) -> Result<&'a Map<String, Value>, EnvelopeError> {
        let data = self.0.ok_or(EnvelopeError::member("data", "is missing"))?;
        if data.keys().any(|key| !keys.contains(&key.as_str())) {
            return Err(EnvelopeError::member("data", "has an unknown member"));
        }
        Ok(data)
    }

    fn only<T: Member>(self, new: fn(&'a str) -> Result<T, InvalidValue>) -> Result<T, EnvelopeError> {
        self.check_members(&[T::KEY])?;
        self.required(new)
    }

    fn required<T: Member>(self, new: fn(&'a str) -> Result<T, InvalidValue>) -> Result<T, EnvelopeError> {
        self.optional(new)?.ok_or(EnvelopeError::member(T::FIELD, "is missing"))
    }

    fn optional<T: Member>(self, new: fn(&'a str) -> Result<T, InvalidValue>) -> Result<Option<T>, EnvelopeError> {
        let Some(data) = self.0.filter(|data| data.contains_key(T::KEY)) else {
            return Ok(None);
        };
        let value = new(text(data, T::KEY, T::FIELD)?);
        value.map(Some).map_err(|error| EnvelopeError::member(T::FIELD, error.reason()))
    }
}

/// The body of a signed call.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Envelope")]
pub struct WireEnvelope {
    #[serde(flatten)]
    operation: WireOperation,
    /// The time of the call as in RFC 3339. Informative: any value is accepted.
    #[serde(default)]
    #[schemars(with = "serde_json::Value", extend("examples" = ["2026-01-02T03:04:05Z"]))]
    timestamp: String,
    /// The tenant. Must equal the tenant in the path.
    tenant: TenantId,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
#[schemars(rename = "Operation")]
enum WireOperation {
    /// Get the capabilities of the tenant.
    #[serde(rename = "ping")]
    Ping(NoData),
    /// Get the user with this id.
    #[serde(rename = "users.get_by_id")]
    GetById(IdData),
    /// Get the user with this address.
    #[serde(rename = "users.get_by_email")]
    GetByEmail(EmailData),
    /// Get the user of this customer.
    #[serde(rename = "users.get_by_customer")]
    GetByCustomer(CustomerData),
    /// Delete the user with this id, if it exists.
    #[serde(rename = "users.delete")]
    Delete(IdData),
    /// Mark the user's address as verified.
    #[serde(rename = "users.mark_email_verified")]
    MarkEmailVerified(MarkEmailVerifiedData),
    /// Request a mail that lets the user verify the address.
    #[serde(rename = "users.send_verification_email")]
    SendVerificationEmail(IdData),
    /// Request a mail that lets the user choose a new password.
    #[serde(rename = "users.send_password_reset_email")]
    SendPasswordResetEmail(EmailData),
}

/// An empty object.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
struct NoData {}

/// A user's id.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
struct IdData {
    /// The identity provider's id of the user.
    id: UserId,
}

/// An email address.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
struct EmailData {
    /// The address. Compared without ASCII case.
    email: Email,
}

/// A customer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
struct CustomerData {
    /// The tenant's identifier for the customer the user belongs to. Case-sensitive.
    customer: CustomerId,
}

/// A user's id, and the expected address.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
struct MarkEmailVerifiedData {
    /// The identity provider's id of the user.
    id: UserId,
    /// The expected address. The error is `user_conflict` if the user has another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Email")]
    email: Option<Email>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Operation, EnvelopeError> {
        Envelope::parse(body.as_bytes()).map(|envelope| envelope.operation)
    }

    #[test]
    fn every_operation_survives_the_wire() {
        let id = UserId::new("u-\"1\"").unwrap();
        let email = Email::new("a@b.c").unwrap();
        let calls = [
            Call::GetById(id.clone()),
            Call::GetByEmail(email.clone()),
            Call::GetByCustomer(CustomerId::new("c").unwrap()),
            Call::Delete(id.clone()),
            Call::MarkEmailVerified { id: id.clone(), email: Some(email.clone()) },
            Call::MarkEmailVerified { id: id.clone(), email: None },
            Call::SendVerificationEmail(id),
            Call::SendPasswordResetEmail(email),
        ];
        let mut fingerprints = std::collections::HashSet::new();
        for operation in calls.map(Operation::Users).into_iter().chain([Operation::Ping]) {
            let envelope = Envelope { tenant: TenantId::new("acme").unwrap(), operation };
            let body = envelope.to_body("2026-01-02T03:04:05Z".into());
            assert_eq!(Envelope::parse(&body).unwrap(), envelope);
            assert!(fingerprints.insert(envelope.operation.fingerprint()));
        }
    }

    #[test]
    fn fingerprint_ignores_the_formatting() {
        let one = parse(r#"{"type":"users.get_by_id","tenant":"acme","data":{"id":"u-1"},"timestamp":"a"}"#).unwrap();
        let two = parse(r#"{ "data": {"id":"u\u002d1"}, "x": 1, "type":"users.get_by_id","tenant":"acme"}"#).unwrap();
        assert_eq!(one.fingerprint(), two.fingerprint());
    }

    #[test]
    fn invalid_member_is_named_without_its_value() {
        let field = |body: &str| parse(body).unwrap_err().field();
        let with_data = |data: &str| format!(r#"{{"type":"users.mark_email_verified","tenant":"acme","data":{data}}}"#);
        assert_eq!(field(r#"{"tenant":"acme"}"#), Some("type"));
        assert_eq!(field(r#"{"type":"ping"}"#), Some("tenant"));
        assert_eq!(field(r#"{"type":"ping","tenant":"-"}"#), Some("tenant"));
        assert_eq!(field(r#"{"type":"ping","tenant":"acme","data":{"a":1}}"#), Some("data"));
        assert_eq!(field(r#"{"type":"users.delete","tenant":"acme"}"#), Some("data"));
        assert_eq!(field(&with_data("[]")), Some("data"));
        assert_eq!(field(&with_data(r#"{"id":"u","other":1}"#)), Some("data"));
        assert_eq!(field(&with_data(r#"{"email":"a@b.c"}"#)), Some("data.id"));
        assert_eq!(field(&with_data(r#"{"id":7}"#)), Some("data.id"));
        assert_eq!(field(&with_data(r#"{"id":".."}"#)), Some("data.id"));
        assert_eq!(field(&with_data(r#"{"id":"u","email":null}"#)), Some("data.email"));
        assert_eq!(field(&with_data(r#"{"id":"u","email":"no-at-sign"}"#)), Some("data.email"));
        for unknown in ["users.create", "", "PING", "users.get_by_id "] {
            let parsed = parse(&format!(r#"{{"type":"{unknown}","tenant":"acme","data":{{}}}}"#));
            assert_eq!(parsed, Err(EnvelopeError::UnknownOperation), "{unknown}");
        }
    }

    #[test]
    fn ping_has_no_data_or_an_empty_object() {
        assert_eq!(parse(r#"{"type":"ping","tenant":"acme"}"#), Ok(Operation::Ping));
        assert_eq!(parse(r#"{"type":"ping","tenant":"acme","data":{},"new":[1]}"#), Ok(Operation::Ping));
    }

    #[test]
    fn schema_has_one_variant_per_operation() {
        let schema = serde_json::to_value(schemars::schema_for!(WireEnvelope)).unwrap();
        let one_of = schema["oneOf"].as_array().unwrap();
        let types: Vec<_> = one_of.iter().map(|one| one["properties"]["type"]["const"].clone()).collect();
        assert_eq!(types.len(), 8);
        assert!(types.contains(&"users.mark_email_verified".into()), "{types:?}");
    }
}
