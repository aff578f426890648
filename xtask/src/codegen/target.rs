//! What a conformance report was run against.

use crate::conformance::Report;

/// A connector and the identity provider it was tested with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) report: &'a Report,
    pub(super) connector: &'a str,
    pub(super) kind: Kind<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// The connector's own fake.
    Fake,
    /// Another project's stand-in, with its name.
    StandIn(&'a str),
    /// The real identity provider.
    Real,
}

impl<'a> Target<'a> {
    /// Parses the harness's name: `keycloak (fake)`, `cognito (ministack)`, or `keycloak` for the real one.
    pub(super) fn new(report: &'a Report) -> Self {
        let named = report.harness.strip_suffix(')').and_then(|name| name.split_once(" ("));
        let (connector, kind) = match named {
            None => (report.harness.as_str(), Kind::Real),
            Some((connector, "fake")) => (connector, Kind::Fake),
            Some((connector, stand_in)) => (connector, Kind::StandIn(stand_in)),
        };
        Self { report, connector, kind }
    }

    /// Returns `fake`, the stand-in's name, or `real`.
    pub(super) fn place(&self) -> &'a str {
        match self.kind {
            Kind::Fake => "fake",
            Kind::StandIn(name) => name,
            Kind::Real => "real",
        }
    }
}
