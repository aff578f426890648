//! The checks of `doctor`, each with the step in Rolodex that repairs it.

use idp_bridge_core::{CallKind, CallScope, Error, ErrorKind, Finding};

use crate::client::PeopleApi;

/// The calls that need the right `write`.
const WRITES: [CallKind; 4] =
    [CallKind::Delete, CallKind::MarkEmailVerified, CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail];

/// Checks the API key and its rights with one request, which only reads.
pub(crate) async fn check_key(api: &PeopleApi, scope: &CallScope) -> Vec<Finding> {
    let rights = api.rights(scope).await;
    let checks = [
        ("Rolodex is reachable", "check `url`, and that it can be reached from here".to_owned()),
        ("the API key is valid", "create a key in Rolodex → Keys, and copy it to `api_key`".to_owned()),
    ];
    let step = |error: &Error| usize::from(error.kind() == ErrorKind::Unauthenticated);
    let failed = rights.as_ref().err().map(|error| (step(error), error));
    let mut findings = Finding::chain(&CallKind::ALL, checks, failed);
    for (right, calls) in [("read", &CallKind::ALL[..]), ("write", &WRITES)] {
        let (check, fix) = (format!("the API key may {right}"), format!("tick `{right}` in Rolodex → Keys"));
        findings.push(match &rights {
            Ok(rights) if rights.iter().any(|own| own == right) => Finding::ok(check, calls),
            Ok(_) => Finding::failed(check, calls, fix),
            Err(_) => Finding::not_visible(check, calls, "repair the failed check, and check again"),
        });
    }
    findings
}
