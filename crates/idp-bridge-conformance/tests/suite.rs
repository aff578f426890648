//! Tests of the suite: a correct provider passes every case, and each defect fails exactly its cases.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

mod defects;
mod toy;

use std::collections::BTreeSet;

use idp_bridge_conformance::{Need, Report, run, run_only};
use toy::{Defect, Toy};

/// The number of cases for a provider that supports everything. Detects cases that are lost by accident.
const CASES: usize = 511;

#[tokio::test(flavor = "multi_thread")]
async fn a_correct_provider_passes_every_case() {
    let report = run(Toy::correct().await).await.unwrap();
    report.assert_ok();
    assert!(report.not_applicable.is_empty(), "{report}");
    assert_eq!(report.passed.len(), CASES, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unsupported_calls_have_their_own_cases() {
    let report = run(Toy::without_calls().await).await.unwrap();
    report.assert_ok();
    let unsupported =
        report.passed.iter().filter(|passed| passed.case.contains("an_unsupported_call_sends_no_request"));
    assert_eq!(unsupported.count(), 7, "{report}");
    assert!(report.not_applicable.iter().all(|skipped| skipped.reason.contains("out of order")), "{report}");
    assert!(report.not_applicable.len() > 200, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmet_need_is_not_applicable() {
    let report = run_only(Toy::without(Need::SharedEmail).await, |case| case.starts_with("get::")).await.unwrap();
    report.assert_ok();
    let skipped: Vec<&str> = report.not_applicable.iter().map(|skipped| skipped.case.as_str()).collect();
    assert_eq!(
        skipped,
        ["get::two_users_with_one_address_are_ambiguous", "mail::a_shared_address_is_ambiguous_and_gets_no_reset"]
    );
    assert!(!report.passed.iter().any(|passed| skipped.contains(&passed.case.as_str())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_only_its_case() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.to_string().contains("this provider panics") {
            default(panic);
        }
    }));
    let report = run_only(Toy::with(Defect::Panics).await, |case| !case.starts_with("hostile::")).await.unwrap();
    assert!(report.failed.len() > 200, "{report}");
    assert!(report.failed.iter().all(|failed| failed.reason.contains("this provider panics")), "{report}");
    assert!(report.passed.iter().any(|passed| passed.case.starts_with("capabilities::")), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn observations_of_logouts_are_reported() {
    let report = run_only(Toy::correct().await, |case| case.starts_with("federation_logout::")).await.unwrap();
    let is_valid = |logout: &str, what: &str| {
        let mut seen = report.observations.iter().filter(|seen| seen.logout == logout && seen.what == what);
        seen.next().map(|seen| seen.is_valid)
    };
    assert_eq!(is_valid("with all its tokens", "refresh token"), Some(false));
    assert_eq!(is_valid("with the access token alone", "access token at userinfo"), Some(false));
    assert_eq!(is_valid("with all its tokens", "another login's refresh token"), Some(true));
    // An expired access token is invalid before the logout.
    assert_eq!(is_valid("with an expired access token", "access token at userinfo"), None);
    assert_eq!(report.observations.len(), 50, "{:?}", report.observations);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_federation_only_one_case_runs() {
    let report = run_only(Toy::without_oauth().await, |case| case.starts_with("federation")).await.unwrap();
    report.assert_ok();
    let passed: Vec<&str> = report.passed.iter().map(|passed| passed.case.as_str()).collect();
    assert_eq!(passed, ["federation::federation_is_implemented_exactly_if_declared"]);
    assert!(report.not_applicable.iter().all(|skipped| skipped.reason == "there is no federation"), "{report}");
    assert!(report.not_applicable.len() > 110, "{report}");
}

/// Each case fails for one of these defects.
#[tokio::test(flavor = "multi_thread")]
async fn every_case_can_fail() {
    let everything = names(&run(Toy::with(Defect::CallsEverythingUnexpected).await).await.unwrap(), true);
    let mut never_failed = everything.clone();
    for defect in [
        Defect::CallsEverythingUnexpected,
        Defect::IgnoresFederationOff,
        Defect::DiagnosisOmitsACall,
        Defect::DiagnosisIsAlwaysFine,
        Defect::DiagnosisSendsAMail,
        Defect::FindsServiceAccounts,
        Defect::OmitsItsFederation,
        Defect::LeavesANeedOpen,
        Defect::LimitsWithoutReason,
        Defect::DeclaresTooMuch,
    ] {
        let still = never_failed.clone();
        let report = run_only(Toy::with(defect).await, |case| still.contains(case)).await.unwrap();
        for name in names(&report, false) {
            never_failed.remove(&name);
        }
    }
    assert!(everything.len() >= CASES);
    assert_eq!(never_failed, BTreeSet::new());
}

/// Returns the names of the failed cases, and optionally of the passed ones.
fn names(report: &Report, passed: bool) -> BTreeSet<String> {
    let passed = report.passed.iter().filter(|_| passed).map(|case| &case.case);
    report.failed.iter().map(|case| &case.case).chain(passed).cloned().collect()
}
