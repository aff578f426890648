//! Conflicts between tenants, with the place of each.

use std::rc::Rc;

use idp_bridge_core::TenantId;
use idp_bridge_server::TenantsError;

use super::document::Document;
use super::path::KeyPath;
use super::problem::Problem;

/// The location of a tenant.
pub(super) struct TenantPlace<'f> {
    pub(super) id: String,
    pub(super) path: KeyPath,
    /// `None` for an unchanged tenant.
    pub(super) document: Option<Rc<Document<'f>>>,
}

impl TenantPlace<'_> {
    fn problem(&self, path: &KeyPath, message: String) -> Problem {
        match &self.document {
            Some(document) => document.problem(path, message),
            None => Problem::new(message),
        }
    }
}

/// Returns the problem of two conflicting tenants, or of two conflicting tokens of one tenant.
pub(super) fn conflict_problem(places: &[TenantPlace<'_>], error: &TenantsError) -> Option<Problem> {
    let problem_at = |place: &TenantPlace<'_>| {
        let is_about_tokens = matches!(error, TenantsError::TokenName(..) | TenantsError::SameToken(..));
        let path = if is_about_tokens { place.path.key("rest").key("tokens") } else { place.path.clone() };
        place.problem(&path, error.to_string())
    };
    let last = places.iter().rev().find(|place| place.id == error.tenant().as_str()).map(problem_at)?;
    let first_place = |id: &TenantId| {
        places.iter().find(|place| place.id == id.as_str()).map(problem_at).and_then(|first| first.place)
    };
    let hint = match error {
        TenantsError::Twice(id) => first_place(id).map(|place| format!("it is at {place} too: remove one of them")),
        TenantsError::SharedKey(id, _) => first_place(id).map(|place| format!("the other one is at {place}")),
        TenantsError::TokenName(..) | TenantsError::SameToken(..) => None,
    };
    Some(match hint {
        Some(hint) => last.with_hint(hint),
        None => last,
    })
}
