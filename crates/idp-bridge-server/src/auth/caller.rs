//! An authenticated caller of REST, and the scopes that calls require.

use std::collections::BTreeSet;

use idp_bridge_core::CallKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Refusal;

/// A permission of a REST caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    /// The gets.
    #[serde(rename = "users.read")]
    Read,
    /// The writes.
    #[serde(rename = "users.write")]
    Write,
}

impl Scope {
    /// Returns the scope that a call requires.
    pub fn required_by(call: CallKind) -> Self {
        if call.is_write() { Self::Write } else { Self::Read }
    }

    /// Parses the name of a scope.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "users.read" => Some(Self::Read),
            "users.write" => Some(Self::Write),
            _ => None,
        }
    }
}

/// An authenticated caller of REST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The name in the log.
    pub(crate) name: String,
    /// The namespace of its idempotency keys. Callers with different kinds of tokens may share a name, but not this.
    pub(crate) key: String,
    pub(crate) scopes: BTreeSet<Scope>,
}

impl Caller {
    /// Fails unless the caller has this scope.
    pub(crate) fn require(&self, scope: Scope) -> Result<(), Refusal> {
        let detail = match scope {
            Scope::Read => "the token lacks the scope `users.read`",
            Scope::Write => "the token lacks the scope `users.write`",
        };
        if self.scopes.contains(&scope) { Ok(()) } else { Err(Refusal::insufficient_scope().with_detail(detail)) }
    }
}
