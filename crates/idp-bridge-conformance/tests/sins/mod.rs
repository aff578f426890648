//! Each sin fails exactly the cases that are about it.

use std::collections::BTreeSet;

use idp_bridge_conformance::run_only;

use crate::toy::{Sin, Toy};

macro_rules! sins {
    ($($test:ident $sin:ident [$($case:literal)*])*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            $crate::sins::fails_exactly($crate::toy::Sin::$sin, &[$($case),*]).await;
        }
    )*};
}

mod federation;
mod users;

/// Runs the groups of the given cases, and expects that these fail, by every call if they have several, and no other.
///
/// Cases that wait or move megabytes are run only if they are among them.
async fn fails_exactly(sin: Sin, wanted: &[&str]) {
    const LONG: [&str; 5] = ["silence", "silent", "trickling", "oversized", "aborted"];
    let is_wanted = |case: &str| wanted.contains(&case.split('/').next().unwrap());
    let group = |case: &str| case.split("::").next().unwrap().to_owned();
    let groups: Vec<String> = wanted.iter().map(|case| group(case)).collect();
    let runs =
        |case: &str| is_wanted(case) || groups.contains(&group(case)) && !LONG.iter().any(|long| case.contains(long));
    let report = run_only(Toy::with(sin).await, runs).await.unwrap();
    let failed: BTreeSet<&str> = report.failed.iter().filter_map(|failed| failed.case.split('/').next()).collect();
    assert_eq!(failed, BTreeSet::from_iter(wanted.iter().copied()), "{sin:?}: {report}");
}

/// These sins touch the users of other cases, or the machine, so only the cases about them are run.
#[tokio::test(flavor = "multi_thread")]
async fn a_sin_that_spoils_other_cases_is_found_out_alone() {
    for (sin, wanted, calls) in [
        (Sin::AnswersAnybody, "get::the_asked_user_is_answered_among_others", 3),
        (Sin::AnswersAnybody, "hostile::a_part_of_a_customer_finds_nobody", 1),
        (Sin::DiagnosisSendsAMail, "diagnose::it_has_no_side_effects", 1),
        (Sin::DiagnosisWaitsForEver, "diagnose::a_silent_identity_provider_is_found_in_time", 1),
        (Sin::TriesTheUnsupported, "capabilities::an_unsupported_call_asks_nothing", 7),
        (Sin::ReadsWithoutBound, "faults::at_first_an_oversized_body_is_an_invalid_response", 1),
    ] {
        let report = run_only(Toy::with(sin).await, |case| case.starts_with(wanted)).await.unwrap();
        assert_eq!((report.failed.len(), report.passed.len()), (calls, 0), "{sin:?}: {report}");
    }
}
