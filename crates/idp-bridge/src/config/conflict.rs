//! Conflicts between tenants, with the place of each.

use idp_bridge_core::TenantId;
use idp_bridge_server::TenantsError;

use super::document::{Document, File};
use super::files::Files;
use super::path::KeyPath;
use super::problem::Problem;

/// Returns the problem of two conflicting tenants, or of two conflicting tokens of one tenant.
pub(super) fn conflict_problem(files: &Files, error: &TenantsError) -> Problem {
    let mut problems = problems(files, error.tenant(), error);
    let last = problems.pop().unwrap_or_else(|| Problem::new(error.to_string()));
    let place_of_first = |problems: Vec<Problem>| problems.into_iter().next().and_then(|first| first.place);
    let hint = match error {
        TenantsError::Twice(_) => {
            place_of_first(problems).map(|place| format!("it is at {place} too: remove one of them"))
        }
        TenantsError::SharedKey(other, _) => {
            place_of_first(self::problems(files, other, error)).map(|place| format!("the other one is at {place}"))
        }
        TenantsError::TokenName(..) | TenantsError::SameToken(..) => None,
    };
    match hint {
        Some(hint) => last.with_hint(hint),
        None => last,
    }
}

/// Returns the problem at each place of a tenant. The files are parsed again, since a conflict is rare.
fn problems(files: &Files, id: &TenantId, error: &TenantsError) -> Vec<Problem> {
    let is_about_tokens = matches!(error, TenantsError::TokenName(..) | TenantsError::SameToken(..));
    let problem_in = |file: &File, tenant: &KeyPath| {
        let document = Document::parse(file).ok()?;
        let path = if is_about_tokens { tenant.key("rest").key("tokens") } else { tenant.clone() };
        document.has(tenant).then(|| document.problem(&path, error.to_string()))
    };
    let in_main = files.main.iter().filter_map(|file| problem_in(file, &KeyPath::tenant(id.as_str())));
    let own_files = files.tenants.iter().filter(|file| file.id == id.as_str());
    let in_own = own_files.filter_map(|file| problem_in(&file.read().ok()?, &KeyPath::default()));
    in_main.chain(in_own).collect()
}
