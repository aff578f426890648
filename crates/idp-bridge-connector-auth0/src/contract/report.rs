//! The report of a run: counts and mismatches.

use std::collections::BTreeMap;
use std::fmt;

use super::recording::Recording;
use super::topic::Topic;

/// The report of a run.
#[derive(Default)]
pub struct Report {
    rows: BTreeMap<Topic, Row>,
    not_used: BTreeMap<String, usize>,
    not_covered: BTreeMap<String, usize>,
    problems: Vec<String>,
    pub(super) requests: usize,
    pub(super) answers: usize,
    pub(super) without_schema: usize,
}

/// The counts of one topic.
#[derive(Default)]
pub(super) struct Row {
    pub(super) recorded: usize,
    pub(super) read: usize,
    pub(super) partial: usize,
    pub(super) refused: usize,
    pub(super) not_used: usize,
    pub(super) replayed: usize,
    pub(super) documented: usize,
}

impl Row {
    /// Returns how many were parsed, as a success or as an error, or are not used by the connector.
    fn accounted(&self) -> usize {
        self.read + self.partial + self.refused + self.not_used
    }
}

impl Report {
    /// Returns whether there is no mismatch and every recording is accounted for.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty() && self.recorded() == self.accounted() && self.requests > 0
    }

    /// Returns how many exchanges were recorded.
    pub fn recorded(&self) -> usize {
        self.rows.values().map(|row| row.recorded).sum()
    }

    /// Returns how many of them were parsed, as a success or as an error, or are not used by the connector.
    pub fn accounted(&self) -> usize {
        self.rows.values().map(Row::accounted).sum()
    }

    pub(super) fn row(&mut self, recording: &Recording) -> &mut Row {
        self.rows.entry(recording.topic()).or_default()
    }

    pub(super) fn not_used(&mut self, name: String) {
        *self.not_used.entry(name).or_default() += 1;
    }

    pub(super) fn not_covered(&mut self, name: &str) {
        *self.not_covered.entry(name.to_owned()).or_default() += 1;
    }

    pub(super) fn problem(&mut self, place: &str, problem: impl fmt::Display) {
        self.problems.push(format!("{place}: {problem}"));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["recorded", "read", "refused", "partial", "not used", "replayed", "documented"];
        write!(f, "{:<20}", "")?;
        head.iter().try_for_each(|name| write!(f, "{name:>11}"))?;
        for (topic, row) in &self.rows {
            let numbers =
                [row.recorded, row.read, row.refused, row.partial, row.not_used, row.replayed, row.documented];
            write!(f, "\n{:<20}", topic.name())?;
            numbers.iter().try_for_each(|number| write!(f, "{number:>11}"))?;
        }
        writeln!(f, "\n\nnot used by the connector:")?;
        self.not_used.iter().try_for_each(|(name, count)| writeln!(f, "  {count} × {name}"))?;
        writeln!(f, "requests of the session with the fake that the document does not cover:")?;
        self.not_covered.iter().try_for_each(|(name, count)| writeln!(f, "  {count} × {name}"))?;
        writeln!(f, "requests of the session as documented: {}", self.requests)?;
        writeln!(
            f,
            "responses of the fake as documented: {} ({} without a schema)",
            self.answers, self.without_schema
        )?;
        for problem in &self.problems {
            writeln!(f, "MISMATCH {problem}")?;
        }
        let (recorded, accounted) = (self.recorded(), self.accounted());
        write!(f, "{recorded} exchanges recorded, {accounted} accounted for, {} mismatches", self.problems.len())
    }
}
