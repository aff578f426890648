//! Counts tests from the output of `cargo test`.

use std::fmt;
use std::ops::AddAssign;

use anyhow::{Result, bail};

/// Counts of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    ignored: u64,
}

impl Tally {
    /// Adds the counts of a line, if it is the summary of a test target.
    pub(crate) fn read_line(&mut self, line: &str) {
        let Some(counts) = line.trim().strip_prefix("test result: ") else { return };
        let count = |suffix: &str| {
            let part = counts.split([';', '.']).find_map(|part| part.trim().strip_suffix(suffix));
            part.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        self.passed += count(" passed");
        self.ignored += count(" ignored");
    }

    /// Fails if a test was ignored: a test that cannot run must fail and name what is missing.
    pub(crate) fn check(self) -> Result<()> {
        if self.ignored > 0 {
            bail!("{} ignored; hint: remove `#[ignore]`, and let the test fail with what is missing", self.ignored);
        }
        Ok(())
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.ignored += other.ignored;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} tests passed", self.passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_summary_lines_are_counted() {
        let mut tally = Tally::default();
        for line in [
            "running 2 tests",
            "test a ... ok",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.04s",
            "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ] {
            tally.read_line(line);
        }
        assert_eq!(tally, Tally { passed: 13, ignored: 1 });
    }
}
