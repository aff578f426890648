//! The suite itself is tested: an honest provider passes every case, and each sin fails exactly the cases that are about it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod sins;
mod toy;

use std::collections::BTreeSet;

use idp_bridge_conformance::{Need, Report, run, run_only};
use toy::{Sin, Toy};

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_provider_passes_every_case() {
    let report = run(Toy::honest().await).await.unwrap();
    report.assert_ok();
    assert!(report.not_applicable.is_empty(), "{report}");
    // A case that is lost by accident would otherwise be missed by nobody.
    assert!(report.passed.len() >= 498, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_supports_nothing_has_its_own_cases_and_no_other_call() {
    let report = run(Toy::unable().await).await.unwrap();
    report.assert_ok();
    let unsupported = report.passed.iter().filter(|passed| passed.case.contains("an_unsupported_call_asks_nothing"));
    assert_eq!(unsupported.count(), 7, "{report}");
    assert!(report.not_applicable.iter().all(|beside| beside.reason.contains("out of order")), "{report}");
    assert!(report.not_applicable.len() > 200, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_staged_is_counted_with_its_reason_and_never_passes() {
    let report = run_only(Toy::without(Need::SharedEmail).await, |case| case.starts_with("get::")).await.unwrap();
    report.assert_ok();
    let beside: Vec<&str> = report.not_applicable.iter().map(|beside| beside.case.as_str()).collect();
    assert_eq!(
        beside,
        ["get::two_users_with_one_address_are_ambiguous", "mail::a_shared_address_is_ambiguous_and_gets_no_reset"]
    );
    assert!(!report.passed.iter().any(|passed| beside.contains(&passed.case.as_str())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_its_case_and_stops_no_other() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.to_string().contains("this provider panics") {
            default(panic);
        }
    }));
    let report = run_only(Toy::with(Sin::Panics).await, |case| !case.starts_with("hostile::")).await.unwrap();
    assert!(report.failed.len() > 200, "{report}");
    assert!(report.failed.iter().all(|failed| failed.reason.contains("this provider panics")), "{report}");
    assert!(report.passed.iter().any(|passed| passed.case.starts_with("capabilities::")), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_died_at_a_logout_is_reported() {
    let report = run_only(Toy::honest().await, |case| case.starts_with("federation_logout::")).await.unwrap();
    let lives = |logout: &str, what: &str| {
        let mut seen = report.observations.iter().filter(|seen| seen.logout == logout && seen.what == what);
        seen.next().map(|seen| seen.lives)
    };
    assert_eq!(lives("with all its tokens", "refresh token"), Some(false));
    assert_eq!(lives("with the access token alone", "access token at userinfo"), Some(false));
    assert_eq!(lives("with all its tokens", "another login's refresh token"), Some(true));
    // An expired access token is dead before the logout.
    assert_eq!(lives("with an expired access token", "access token at userinfo"), None);
    assert_eq!(report.observations.len(), 50, "{:?}", report.observations);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_federation_one_case_says_so_and_no_other_is_run() {
    let report = run_only(Toy::without_oauth().await, |case| case.starts_with("federation")).await.unwrap();
    report.assert_ok();
    let passed: Vec<&str> = report.passed.iter().map(|passed| passed.case.as_str()).collect();
    assert_eq!(passed, ["federation::it_is_there_exactly_if_it_is_declared"]);
    assert!(report.not_applicable.iter().all(|beside| beside.reason == "there is no federation"), "{report}");
    assert!(report.not_applicable.len() > 110, "{report}");
}

/// Whatever a case checks, there is a provider that fails it.
#[tokio::test(flavor = "multi_thread")]
async fn every_case_can_fail() {
    let everything = names(&run(Toy::with(Sin::CallsEverythingUnexpected).await).await.unwrap(), true);
    let mut never_failed = everything.clone();
    for sin in [
        Sin::CallsEverythingUnexpected,
        Sin::CannotBeSwitchedOff,
        Sin::DiagnosisForgetsACall,
        Sin::DiagnosisIsAlwaysFine,
        Sin::DiagnosisSendsAMail,
        Sin::FindsServiceAccounts,
        Sin::HidesItsFederation,
        Sin::LeavesANeedUnstaged,
        Sin::LimitsWithoutReason,
        Sin::PromisesTooMuch,
    ] {
        let still = never_failed.clone();
        let report = run_only(Toy::with(sin).await, |case| still.contains(case)).await.unwrap();
        for name in names(&report, false) {
            never_failed.remove(&name);
        }
    }
    assert!(everything.len() >= 498);
    assert_eq!(never_failed, BTreeSet::new());
}

/// The names of the cases that failed, and of those that passed if wanted.
fn names(report: &Report, passed: bool) -> BTreeSet<String> {
    let passed = report.passed.iter().filter(|_| passed).map(|case| &case.case);
    report.failed.iter().map(|case| &case.case).chain(passed).cloned().collect()
}
