//! What a connector, or a provider with a tenant's settings, can honestly promise.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CallKind, Error, FederationCapabilities, Result};

/// Whether a call is possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "support", rename_all = "snake_case")]
pub enum Support {
    /// Always.
    Supported,
    /// For some users or with a limit, named by the reason.
    Conditional {
        /// When it is possible, or what is limited.
        reason: String,
    },
    /// Never with this identity provider and these settings.
    Unsupported {
        /// Why, and what would make it possible.
        reason: String,
    },
}

impl Support {
    /// Conditional, with the reason.
    pub fn conditional(reason: impl Into<String>) -> Self {
        Self::Conditional { reason: reason.into() }
    }

    /// Unsupported, with the reason.
    pub fn unsupported(reason: impl Into<String>) -> Self {
        Self::Unsupported { reason: reason.into() }
    }

    /// Whether the call may be tried at all.
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

/// Where the value of a field comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// Never there: the identity provider cannot know it.
    Absent,
    /// Computed from something else, within limits that the connector's page names.
    Derived,
    /// The identity provider's own value.
    Exact,
}

/// A field of the User model that not every identity provider knows.
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
    /// All of them, in the order of the User model.
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
}

/// Per call whether it is possible, per field where it comes from, and what the OAuth side promises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capabilities {
    calls: BTreeMap<CallKind, Support>,
    fields: BTreeMap<Field, Fidelity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    federation: Option<FederationCapabilities>,
}

impl Capabilities {
    /// Every call supported and every field exact: what an ideal identity provider promises.
    pub fn all() -> Self {
        Self {
            calls: CallKind::ALL.into_iter().map(|kind| (kind, Support::Supported)).collect(),
            fields: Field::ALL.into_iter().map(|field| (field, Fidelity::Exact)).collect(),
            federation: None,
        }
    }

    /// No call supported, for the given reason, and every field absent.
    pub fn none(reason: &str) -> Self {
        Self {
            calls: CallKind::ALL.into_iter().map(|kind| (kind, Support::unsupported(reason))).collect(),
            fields: Field::ALL.into_iter().map(|field| (field, Fidelity::Absent)).collect(),
            federation: None,
        }
    }

    /// The same with this call changed.
    #[must_use]
    pub fn with_call(mut self, kind: CallKind, support: Support) -> Self {
        self.calls.insert(kind, support);
        self
    }

    /// The same with this field changed.
    #[must_use]
    pub fn with_field(mut self, field: Field, fidelity: Fidelity) -> Self {
        self.fields.insert(field, fidelity);
        self
    }

    /// The same with the OAuth side, or without.
    #[must_use]
    pub fn with_federation(mut self, federation: Option<FederationCapabilities>) -> Self {
        self.federation = federation;
        self
    }

    /// What the OAuth side promises; none without one.
    pub fn federation(&self) -> Option<&FederationCapabilities> {
        self.federation.as_ref()
    }

    /// Whether this call is possible. A call that is not listed is unsupported.
    pub fn call(&self, kind: CallKind) -> Support {
        self.calls.get(&kind).cloned().unwrap_or_else(|| Support::unsupported("not declared"))
    }

    /// Fails if this call is unsupported, with the reason.
    pub fn require(&self, kind: CallKind) -> Result<()> {
        match self.call(kind) {
            Support::Unsupported { reason } => Err(Error::unsupported(reason)),
            Support::Supported | Support::Conditional { .. } => Ok(()),
        }
    }

    /// Where this field comes from. A field that is not listed is absent.
    pub fn field(&self, field: Field) -> Fidelity {
        self.fields.get(&field).copied().unwrap_or(Fidelity::Absent)
    }

    /// Whether these promise no more than `most`: what a provider declares against what its connector declares.
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
    fn the_wire_form_is_the_documented_one() {
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
    fn a_provider_may_promise_less_than_its_connector_but_not_more() {
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
