//! The report of a run: counts and mismatches.

use std::collections::BTreeMap;
use std::fmt;

use super::recording::Recording;
use super::topic::Topic;

/// The report of a run.
#[derive(Default)]
pub struct Report {
    counts: BTreeMap<(Topic, Count), usize>,
    not_used: BTreeMap<String, usize>,
    not_covered: BTreeMap<String, usize>,
    problems: Vec<String>,
    pub(super) requests: usize,
    pub(super) answers: usize,
    pub(super) without_schema: usize,
}

/// A property of a recorded exchange that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Count {
    Recorded,
    /// The connector parsed the response.
    Read,
    /// The connector converted the response to the right error.
    Refused,
    /// The response lacks ids because its request excluded them, which the connector never does.
    Partial,
    /// The connector does not use the endpoint.
    NotUsed,
    /// The connector made an equal request.
    Replayed,
    /// The response is covered by the document.
    Documented,
}

use Count::{Documented, NotUsed, Partial, Read, Recorded, Refused, Replayed};

/// The columns of the report.
const COLUMNS: [Count; 7] = [Recorded, Read, Refused, Partial, NotUsed, Replayed, Documented];

impl Report {
    /// Returns whether there is no mismatch and every recording is accounted for.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty() && self.recorded() == self.accounted() && self.requests > 0
    }

    /// Returns how many exchanges were recorded.
    pub fn recorded(&self) -> usize {
        self.sum(&[Recorded])
    }

    /// Returns how many of them were parsed, as a success or as an error, or are not used by the connector.
    pub fn accounted(&self) -> usize {
        self.sum(&[Read, Refused, Partial, NotUsed])
    }

    fn sum(&self, counts: &[Count]) -> usize {
        self.counts.iter().filter(|((_, count), _)| counts.contains(count)).map(|(_, number)| number).sum()
    }

    pub(super) fn count(&mut self, recording: &Recording, count: Count) {
        *self.counts.entry((recording.topic(), count)).or_default() += 1;
    }

    pub(super) fn not_used(&mut self, recording: &Recording) {
        self.count(recording, NotUsed);
        let path = recording.segments.join("/");
        *self.not_used.entry(format!("{} /{path}", recording.method)).or_default() += 1;
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
        write!(f, "{:<20}", "")?;
        COLUMNS.iter().try_for_each(|count| write!(f, "{:>11}", format!("{count:?}")))?;
        let topics: std::collections::BTreeSet<Topic> = self.counts.keys().map(|(topic, _)| *topic).collect();
        for topic in topics {
            write!(f, "\n{:<20}", format!("{topic:?}"))?;
            let number = |count| self.counts.get(&(topic, count)).copied().unwrap_or_default();
            COLUMNS.iter().try_for_each(|count| write!(f, "{:>11}", number(*count)))?;
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
        self.problems.iter().try_for_each(|problem| writeln!(f, "MISMATCH {problem}"))?;
        let (recorded, accounted) = (self.recorded(), self.accounted());
        write!(f, "{recorded} exchanges recorded, {accounted} accounted for, {} mismatches", self.problems.len())
    }
}
