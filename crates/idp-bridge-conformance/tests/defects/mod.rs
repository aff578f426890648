//! Each defect fails exactly its cases.

use std::collections::BTreeSet;

use idp_bridge_conformance::run_only;

use crate::toy::{Defect, Toy};

macro_rules! defects {
    ($($test:ident $defect:ident [$($case:literal)*])*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            $crate::defects::fails_exactly($crate::toy::Defect::$defect, &[$($case),*]).await;
        }
    )*};
}

mod federation;
mod users;

/// Runs the groups of the expected cases, and checks that exactly these cases fail.
///
/// Slow cases run only if they are expected to fail.
async fn fails_exactly(defect: Defect, expected: &[&str]) {
    const SLOW: [&str; 5] = ["silence", "silent", "trickling", "oversized", "aborted"];
    let is_expected = |case: &str| expected.contains(&case.split('/').next().unwrap());
    let group = |case: &str| case.split("::").next().unwrap().to_owned();
    let groups: Vec<String> = expected.iter().map(|case| group(case)).collect();
    let runs =
        |case: &str| is_expected(case) || groups.contains(&group(case)) && !SLOW.iter().any(|slow| case.contains(slow));
    let report = run_only(Toy::with(defect).await, runs).await.unwrap();
    let failed: BTreeSet<&str> = report.failed.iter().filter_map(|failed| failed.case.split('/').next()).collect();
    assert_eq!(failed, BTreeSet::from_iter(expected.iter().copied()), "{defect:?}: {report}");
}

/// These defects affect the users of other cases or the machine, so only their own cases run.
#[tokio::test(flavor = "multi_thread")]
async fn defects_that_affect_other_cases() {
    for (defect, case_name, calls) in [
        (Defect::ReturnsAnyUser, "get::the_requested_user_is_returned_among_others", 3),
        (Defect::ReturnsAnyUser, "hostile::a_part_of_a_customer_finds_no_user", 1),
        (Defect::DiagnosisSendsAMail, "diagnose::it_has_no_side_effects", 1),
        (Defect::DiagnosisNeverEnds, "diagnose::a_silent_identity_provider_is_found_in_time", 1),
        (Defect::SendsUnsupportedCalls, "capabilities::an_unsupported_call_sends_no_request", 7),
        (Defect::ReadsWithoutBound, "faults::at_first_an_oversized_body_is_an_invalid_response", 1),
    ] {
        let report = run_only(Toy::with(defect).await, |case| case.starts_with(case_name)).await.unwrap();
        assert_eq!((report.failed.len(), report.passed.len()), (calls, 0), "{defect:?}: {report}");
    }
}
