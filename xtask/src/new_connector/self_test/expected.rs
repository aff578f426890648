//! The expected report of the suite for a new connector.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use serde::Deserialize;

/// The unwritten calls: all but `users.get_by_id`, which is the example.
const UNWRITTEN: [&str; 6] = [
    "users.get_by_email",
    "users.get_by_customer",
    "users.delete",
    "users.mark_email_verified",
    "users.send_verification_email",
    "users.send_password_reset_email",
];

/// The checked part of the suite's report.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    /// The cases that passed.
    pub(super) passed: Vec<Case>,
    /// The cases that failed.
    pub(super) failed: Vec<Case>,
    /// The cases that were not run.
    pub(super) not_applicable: Vec<Case>,
}

/// A case, with the reason if it did not pass.
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    case: String,
    #[serde(default)]
    reason: String,
}

impl Case {
    /// Returns whether the case is about federation, which is optional for a connector.
    fn is_about_federation(&self) -> bool {
        self.case.starts_with("federation") && self.reason == "there is no federation"
    }

    /// Returns whether the case is about a field that the example declares absent.
    fn is_about_an_absent_field(&self) -> bool {
        self.reason.starts_with("the field ") && self.reason.ends_with("is declared Absent, not exact")
    }
}

impl Report {
    /// Checks that only the expected cases fail, that every other reason is explained, and that the example passes.
    pub(super) fn check(&self) -> Result<()> {
        let unwritten = UNWRITTEN.map(|call| format!("capabilities::an_unsupported_call_is_not_unwritten/{call}"));
        let mut expected = BTreeSet::from(unwritten);
        expected.insert("capabilities::every_need_is_met_or_impossible".to_owned());
        let failed: BTreeSet<String> = self.failed.iter().map(|case| case.case.clone()).collect();
        if failed != expected {
            bail!("the suite of a new connector should fail {expected:#?}, and fails {:#?}", self.failed);
        }
        let is_explained = |case: &&Case| {
            let is_unwritten = case.reason.contains("not written yet");
            is_unwritten || case.is_about_federation() || case.is_about_an_absent_field()
        };
        if let Some(case) = self.failed.iter().chain(&self.not_applicable).find(|case| !is_explained(case)) {
            bail!("a case did not pass, and its reason is not that something is unwritten: {case:?}");
        }
        let is_example = |case: &&Case| case.case.ends_with("/users.get_by_id");
        let green = self.passed.iter().filter(is_example).count();
        if green < 30 {
            bail!("the example of a new connector passes only {green} cases");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, reason: &str) -> Case {
        Case { case: name.to_owned(), reason: reason.to_owned() }
    }

    fn report() -> Report {
        let unwritten = |name: String| case(&name, "`x` is not written yet: do it");
        let mut failed: Vec<Case> = UNWRITTEN
            .iter()
            .map(|call| unwritten(format!("capabilities::an_unsupported_call_is_not_unwritten/{call}")))
            .collect();
        failed.push(unwritten("capabilities::every_need_is_met_or_impossible".to_owned()));
        let passed = (0..30).map(|number| case(&format!("get::case_{number}/users.get_by_id"), "")).collect();
        Report { passed, failed, not_applicable: vec![unwritten("delete::a".to_owned())] }
    }

    #[test]
    fn the_page_has_the_number_of_failures() {
        let page = include_str!("../../../../docs/connectors/new.md");
        assert!(
            page.contains(&format!("passed; {} failed;", UNWRITTEN.len() + 1)),
            "the number in the page is out of date"
        );
    }

    #[test]
    fn only_the_unwritten_cases_may_fail() {
        report().check().unwrap();
        let mut failing_example = report();
        failing_example.failed.push(case("get::a/users.get_by_id", "not written yet"));
        assert!(failing_example.check().is_err());
        let mut complete = report();
        complete.failed.pop();
        assert!(complete.check().is_err());
    }

    #[test]
    fn an_unexplained_reason_is_rejected() {
        let mut hidden = report();
        hidden.not_applicable.push(case("faults::a", "for no known reason"));
        assert!(hidden.check().unwrap_err().to_string().contains("for no known reason"));
        let mut without = report();
        without.not_applicable.push(case("federation_users::a", "there is no federation"));
        without.check().unwrap();
        let mut empty = report();
        empty.passed.clear();
        assert!(empty.check().is_err());
    }
}
