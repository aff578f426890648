//! How many tests ran, read from what `cargo test` prints.

use std::fmt;

/// Counts of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Counts a line, if it is the last one of a test target.
    pub(crate) fn read(&mut self, line: &str) {
        let Some(counts) = line.trim().strip_prefix("test result: ") else { return };
        let count = |what: &str| {
            let part = counts.split([';', '.']).find_map(|part| part.trim().strip_suffix(what));
            part.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        self.passed += count(" passed");
        self.failed += count(" failed");
        self.ignored += count(" ignored");
    }

    /// What came after the earlier count.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            passed: self.passed - earlier.passed,
            failed: self.failed - earlier.failed,
            ignored: self.ignored - earlier.ignored,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, ignored } = self;
        write!(formatter, "{passed} tests passed")?;
        if *failed > 0 {
            write!(formatter, ", {failed} failed")?;
        }
        if *ignored > 0 {
            write!(formatter, ", {ignored} ignored")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_of_each_target_is_counted() {
        let mut tally = Tally::default();
        for line in [
            "running 2 tests",
            "test a ... ok",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.04s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ] {
            tally.read(line);
        }
        assert_eq!(tally, Tally { passed: 13, failed: 2, ignored: 1 });
        assert_eq!(tally.to_string(), "13 tests passed, 2 failed, 1 ignored");
    }

    #[test]
    fn a_phase_counts_from_where_the_one_before_ended() {
        let earlier = Tally { passed: 5, failed: 0, ignored: 0 };
        let later = Tally { passed: 9, failed: 0, ignored: 0 };
        assert_eq!(later.since(earlier).to_string(), "4 tests passed");
    }
}
