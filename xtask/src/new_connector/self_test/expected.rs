//! What the suite must say of a new connector.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use serde::Deserialize;

/// The calls that are left to write; all but the first, which is the example.
const LEFT: [&str; 6] = [
    "users.get_by_email",
    "users.get_by_customer",
    "users.delete",
    "users.mark_email_verified",
    "users.send_verification_email",
    "users.send_password_reset_email",
];

/// The report of the suite, as far as it is checked.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    /// The cases that passed.
    pub(super) passed: Vec<Case>,
    /// The cases that failed.
    pub(super) failed: Vec<Case>,
    /// The cases that were not run.
    pub(super) not_applicable: Vec<Case>,
}

/// A case, with the reason why it did not pass.
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    case: String,
    #[serde(default)]
    reason: String,
}

impl Case {
    /// Many identity providers have no OAuth side: it is not left to write until somebody begins it.
    fn is_about_federation(&self) -> bool {
        self.case.starts_with("federation") && self.reason == "there is no federation"
    }

    /// Whether it is about a field that the example declares absent.
    fn is_about_an_absent_field(&self) -> bool {
        self.reason.starts_with("the field ") && self.reason.ends_with("is declared Absent, not exact")
    }
}

impl Report {
    /// Red is what is left and nothing else; whatever does not apply waits for that; the example is green.
    pub(super) fn check(&self) -> Result<()> {
        let red = LEFT.map(|call| format!("capabilities::an_unsupported_call_is_not_just_unwritten/{call}"));
        let mut expected = BTreeSet::from(red);
        expected.insert("capabilities::nothing_is_left_to_stage".to_owned());
        let failed: BTreeSet<String> = self.failed.iter().map(|case| case.case.clone()).collect();
        if failed != expected {
            bail!("the suite of a new connector should be red in {expected:#?}, and is red in {:#?}", self.failed);
        }
        let says_so = |case: &&Case| {
            let is_left = case.reason.contains("not written yet");
            is_left || case.is_about_federation() || case.is_about_an_absent_field()
        };
        if let Some(case) = self.failed.iter().chain(&self.not_applicable).find(|case| !says_so(case)) {
            bail!("a case is not green, and does not say that something is left to write: {case:?}");
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
        let left = |name: String| case(&name, "`x` is not written yet: do it");
        let mut failed: Vec<Case> = LEFT
            .iter()
            .map(|call| left(format!("capabilities::an_unsupported_call_is_not_just_unwritten/{call}")))
            .collect();
        failed.push(left("capabilities::nothing_is_left_to_stage".to_owned()));
        let passed = (0..30).map(|number| case(&format!("get::case_{number}/users.get_by_id"), "")).collect();
        Report { passed, failed, not_applicable: vec![left("delete::a".to_owned())] }
    }

    #[test]
    fn the_page_says_how_many_cases_are_red() {
        let page = include_str!("../../../../docs/connectors/new.md");
        assert!(page.contains(&format!("passed; {} failed;", LEFT.len() + 1)), "the figure of the page is stale");
    }

    #[test]
    fn red_must_be_what_is_left_and_nothing_else() {
        report().check().unwrap();
        let mut red_example = report();
        red_example.failed.push(case("get::a/users.get_by_id", "not written yet"));
        assert!(red_example.check().is_err());
        let mut green = report();
        green.failed.pop();
        assert!(green.check().is_err());
    }

    #[test]
    fn what_does_not_apply_must_wait_for_something_that_is_left() {
        let mut hidden = report();
        hidden.not_applicable.push(case("faults::a", "nobody knows why"));
        assert!(hidden.check().unwrap_err().to_string().contains("nobody knows why"));
        let mut without = report();
        without.not_applicable.push(case("federation_users::a", "there is no federation"));
        without.check().unwrap();
        let mut empty = report();
        empty.passed.clear();
        assert!(empty.check().is_err());
    }
}
