//! Checks the chain of digests in files of the audit.

use std::io::{self, BufRead};

use serde::Serialize;
use serde_json::{Map, Value};

use super::chain::{LineDigest, PREVIOUS};

/// The result of checking files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// The number of checked lines.
    pub lines: u64,
    /// The number of lines that are incomplete, since the program ended while it wrote them.
    pub incomplete: u64,
    /// The first line that breaks the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<BrokenLine>,
    /// The digest before the first line: zeros, unless an earlier file exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begins_after: Option<String>,
    /// The digest of the last line. A later file begins after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_with: Option<String>,
}

/// A line that breaks the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenLine {
    /// The name of the file.
    pub file: String,
    /// The number of the line, from 1.
    pub line: u64,
    /// The reason.
    pub reason: &'static str,
}

/// The state of a check.
#[derive(Default)]
struct Check {
    report: AuditReport,
    /// The digest of the line before.
    last: Option<LineDigest>,
    /// The line before, if it is not valid.
    unreadable: Option<BrokenLine>,
}

/// Checks the lines of files, in the order in which they were written. Stops at the first line that breaks the chain.
///
/// Fails with the name of a file that cannot be read.
pub fn verify_audit<R: BufRead>(
    files: impl IntoIterator<Item = (String, R)>,
) -> Result<AuditReport, (String, io::Error)> {
    let mut check = Check::default();
    for (name, file) in files {
        for (index, line) in file.split(b'\n').enumerate() {
            let number = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
            let broken = |reason| BrokenLine { file: name.clone(), line: number, reason };
            check.add(&line.map_err(|error| (name.clone(), error))?, broken);
            if check.report.broken.is_some() {
                return Ok(check.report);
            }
        }
    }
    check.report.broken = check.unreadable.take();
    check.report.ends_with = check.last.map(|last| last.0);
    Ok(check.report)
}

impl Check {
    fn add(&mut self, line: &[u8], broken: impl Fn(&'static str) -> BrokenLine) {
        self.report.lines += 1;
        let digest = LineDigest::from_line(line);
        let before = self.last.replace(digest);
        let members: Option<Map<String, Value>> = serde_json::from_slice(line).ok();
        let previous = members.as_ref().and_then(|members| members.get(PREVIOUS)).and_then(Value::as_str);
        let Some(previous) = previous else {
            let earlier = self.unreadable.replace(broken("the line is not an audit line"));
            self.report.broken = earlier;
            return;
        };
        let is_recovery = members.as_ref().and_then(|members| members.get("recovered")) == Some(&Value::Bool(true));
        match self.unreadable.take() {
            Some(_) if is_recovery => self.report.incomplete += 1,
            Some(earlier) => {
                self.report.broken = Some(earlier);
                return;
            }
            None => {}
        }
        match before {
            None => self.report.begins_after = Some(previous.to_owned()),
            Some(before) if before.0 == previous => {}
            Some(_) => {
                self.report.broken =
                    Some(broken("the line before it was changed or removed, or this one was inserted"));
            }
        }
    }
}
