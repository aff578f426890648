//! What a report of the conformance suite was run on.

use crate::conformance::Report;

/// A connector, and the fake, stand-in or real identity provider before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) report: &'a Report,
    pub(super) connector: &'a str,
    pub(super) kind: Kind,
    /// The stand-in's name.
    pub(super) beside: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Fake,
    StandIn,
    Real,
}

impl<'a> Target<'a> {
    /// By the harness's name: `keycloak (fake)`, `cognito (ministack)`, and `keycloak` for the real one.
    pub(super) fn of(report: &'a Report) -> Self {
        let named = report.harness.strip_suffix(')').and_then(|name| name.split_once(" ("));
        let (connector, kind, beside) = match named {
            None => (report.harness.as_str(), Kind::Real, None),
            Some((connector, "fake")) => (connector, Kind::Fake, None),
            Some((connector, stand_in)) => (connector, Kind::StandIn, Some(stand_in)),
        };
        Self { report, connector, kind, beside }
    }

    /// The kind for a reader: `fake`, the stand-in's name, or `real`.
    pub(super) fn place(&self) -> &'a str {
        match self.kind {
            Kind::Fake => "fake",
            Kind::StandIn => self.beside.unwrap_or("stand-in"),
            Kind::Real => "real",
        }
    }
}
