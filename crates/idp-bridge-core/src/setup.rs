//! The report of a setup: the parts of an identity provider that were created or found.

/// A part of the identity provider that was created or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupStep {
    /// The part, such as "the client `idp-bridge`".
    pub part: String,
    /// Whether it was created. It was found otherwise.
    pub is_created: bool,
}

impl SetupStep {
    /// Creates the step of a part that was created.
    pub fn created(part: impl Into<String>) -> Self {
        Self { part: part.into(), is_created: true }
    }

    /// Creates the step of a part that was found.
    pub fn found(part: impl Into<String>) -> Self {
        Self { part: part.into(), is_created: false }
    }
}
