//! The features that a connector or provider supports.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CallKind, Error, FederationCapabilities, Result};

/// Whether a call is supported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "support", rename_all = "snake_case")]
pub enum Support {
    /// Supported for every user.
    Supported,
    /// Supported for some users, or with a limit.
    Conditional {
        /// The condition or limit.
        reason: String,
    },
    /// Not supported by this identity provider with these settings.
    Unsupported {
        /// The reason, and the setting that would change it.
        reason: String,
    },
}

impl Support {
    /// Creates a conditional support with this reason.
    pub fn conditional(reason: impl Into<String>) -> Self {
        Self::Conditional { reason: reason.into() }
    }

    /// Creates an unsupported call with this reason.
    pub fn unsupported(reason: impl Into<String>) -> Self {
        Self::Unsupported { reason: reason.into() }
    }

    /// Returns whether the call may be tried.
    pub fn is_possible(&self) -> bool {
        !matches!(self, Self::Unsupported { .. })
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Unsupported { .. } => 0,
            Self::Conditional { .. } => 1,
            Self::Supported => 2,
        }
    }
}

/// The origin of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// Never present: the identity provider does not store it.
    Absent,
    /// Computed from other data, within the limits that the connector's page documents.
    Derived,
    /// The identity provider's own value.
    Exact,
}

impl Fidelity {
    /// Returns the name in documents and in `ping`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Derived => "derived",
            Self::Exact => "exact",
        }
    }
}

/// A field of the User model that an identity provider may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// `customer`
    Customer,
    /// `email`
    Email,
    /// `create_time`
    CreateTime,
    /// `update_time`
    UpdateTime,
    /// `login_time`
    LoginTime,
    /// `logins_count`
    LoginsCount,
    /// `email_verified`
    EmailVerified,
    /// `blocked`
    Blocked,
}

impl Field {
    /// All fields, in the order of the User model.
    pub const ALL: [Self; 8] = [
        Self::Customer,
        Self::Email,
        Self::CreateTime,
        Self::UpdateTime,
        Self::LoginTime,
        Self::LoginsCount,
        Self::EmailVerified,
        Self::Blocked,
    ];

    /// Returns the name in the User model.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Email => "email",
            Self::CreateTime => "create_time",
            Self::UpdateTime => "update_time",
            Self::LoginTime => "login_time",
            Self::LoginsCount => "logins_count",
            Self::EmailVerified => "email_verified",
            Self::Blocked => "blocked",
        }
    }
}

/// The supported calls, the origin of each field, and the features of the OAuth side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capabilities {
    calls: BTreeMap<CallKind, Support>,
    fields: BTreeMap<Field, Fidelity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    federation: Option<FederationCapabilities>,
}

impl Capabilities {
    /// Creates capabilities with every call supported and every field exact.
    pub fn all() -> Self {
        Self {
            calls: CallKind::ALL.into_iter().map(|kind| (kind, Support::Supported)).collect(),
            fields: Field::ALL.into_iter().map(|field| (field, Fidelity::Exact)).collect(),
            federation: None,
        }
    }

    /// Creates capabilities with no call, for this reason, and no field.
    pub fn none(reason: &str) -> Self {
        Self {
            calls: CallKind::ALL.into_iter().map(|kind| (kind, Support::unsupported(reason))).collect(),
            fields: Field::ALL.into_iter().map(|field| (field, Fidelity::Absent)).collect(),
            federation: None,
        }
    }

    /// Sets the support of a call.
    #[must_use]
    pub fn with_call(mut self, kind: CallKind, support: Support) -> Self {
        self.calls.insert(kind, support);
        self
    }

    /// Sets the origin of a field.
    #[must_use]
    pub fn with_field(mut self, field: Field, fidelity: Fidelity) -> Self {
        self.fields.insert(field, fidelity);
        self
    }

    /// Sets or removes the OAuth side.
    #[must_use]
    pub fn with_federation(mut self, federation: Option<FederationCapabilities>) -> Self {
        self.federation = federation;
        self
    }

    /// Returns the features of the OAuth side, if there is one.
    pub fn federation(&self) -> Option<&FederationCapabilities> {
        self.federation.as_ref()
    }

    /// Returns the support of a call. A call that is not listed is unsupported.
    pub fn call(&self, kind: CallKind) -> Support {
        self.calls.get(&kind).cloned().unwrap_or_else(|| Support::unsupported("not declared"))
    }

    /// Returns `Unsupported` with the reason if this call is unsupported.
    pub fn require(&self, kind: CallKind) -> Result<()> {
        match self.call(kind) {
            Support::Unsupported { reason } => Err(Error::unsupported(reason)),
            Support::Supported | Support::Conditional { .. } => Ok(()),
        }
    }

    /// Returns the origin of a field. A field that is not listed is absent.
    pub fn field(&self, field: Field) -> Fidelity {
        self.fields.get(&field).copied().unwrap_or(Fidelity::Absent)
    }

    /// Returns whether these declare nothing beyond `most`. A provider's capabilities are within its connector's.
    pub fn is_within(&self, most: &Self) -> bool {
        CallKind::ALL.into_iter().all(|kind| self.call(kind).rank() <= most.call(kind).rank())
            && Field::ALL.into_iter().all(|field| self.field(field) <= most.field(field))
            && (self.federation.is_none() || most.federation.is_some())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Liveness, LogoutReach};

    #[test]
    fn the_wire_form_is_as_documented() {
        let capabilities = Capabilities::all()
            .with_call(CallKind::Delete, Support::conditional("database users only"))
            .with_field(Field::LoginTime, Fidelity::Derived);
        let wire = serde_json::to_value(&capabilities).unwrap();
        assert_eq!(wire["calls"]["users.delete"], json!({"support": "conditional", "reason": "database users only"}));
        assert_eq!(wire["calls"]["users.get_by_id"], json!({"support": "supported"}));
        assert_eq!(wire["fields"]["login_time"], "derived");
        assert_eq!(wire.get("federation"), None);
        assert_eq!(serde_json::from_value::<Capabilities>(wire).unwrap(), capabilities);
    }

    #[test]
    fn names_are_those_of_the_wire_form() {
        for field in Field::ALL {
            assert_eq!(serde_json::to_value(field).unwrap(), field.as_str());
        }
        for fidelity in [Fidelity::Absent, Fidelity::Derived, Fidelity::Exact] {
            assert_eq!(serde_json::to_value(fidelity).unwrap(), fidelity.as_str());
        }
    }

    #[test]
    fn a_provider_may_declare_less_than_its_connector() {
        let most = Capabilities::all().with_field(Field::UpdateTime, Fidelity::Absent);
        assert!(most.is_within(&most));
        assert!(Capabilities::none("off").is_within(&most));
        assert!(!Capabilities::all().is_within(&most));
        let less = most.clone().with_call(CallKind::Delete, Support::unsupported("read only"));
        assert!(less.is_within(&most));
        assert!(!most.is_within(&less));
        let with = most.clone().with_federation(Some(FederationCapabilities {
            liveness: Liveness::Signature,
            logout: LogoutReach::RefreshToken,
            back_channel: Support::Supported,
            opaque_tokens: false,
            cache_seconds: 0,
        }));
        assert!(most.is_within(&with) && !with.is_within(&most));
    }
}
