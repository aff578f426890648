//! Recorded traffic of real tenants and Auth0's own OpenAPI document, held against the connector and its fake.
//!
//! The recordings and the document are other projects' data and are not part of this repository: a run is given their places.
//!
//! - Every recorded answer is read with the connector's types, or is a refusal that becomes an error of the right kind; one that the
//!   connector never asks for is listed.
//! - Every recorded request that the connector would make too is made again, and must be the same; the recorded answer is given
//!   back, and the call must end as that answer says.
//! - Every request of a session with the fake, and every answer of the fake, must be as documented; what the document does not
//!   cover is listed.

mod openapi;
mod recording;
mod replay;
mod report;
mod session;
mod topic;

use std::path::Path;

use idp_bridge_conformance::Staged;
use idp_bridge_core::ErrorKind;

use openapi::OpenApi;
use recording::Recording;
pub use report::Report;
use topic::Read;

/// Holds all of a folder's recordings, and a session with the fake, against the connector and the document.
pub async fn run(recordings: &Path, openapi: &Path) -> Staged<Report> {
    let document = OpenApi::read(openapi)?;
    let recordings = recording::read_all(recordings)?;
    let mut report = Report::default();
    for recording in &recordings {
        check(recording, &document, &mut report);
        if let Some(request) = replay::own_request(recording) {
            report.row(recording).replayed += 1;
            for problem in replay::replay(recording, request).await? {
                report.problem(&recording.id, problem);
            }
        }
    }
    session::check(&document, &mut report).await?;
    Ok(report)
}

/// Reads one recorded answer, and compares it with the document where that covers it.
fn check(recording: &Recording, document: &OpenApi, report: &mut Report) {
    let operation = document.operation(&recording.method, &recording.segments);
    report.row(recording).recorded += 1;
    match recording.topic().read(recording) {
        Read::Good => report.row(recording).read += 1,
        Read::Partial => report.row(recording).partial += 1,
        Read::Refused(kind) => {
            report.row(recording).refused += 1;
            let says_missing = ["inexistent_user", "inexistent_email_template"].contains(&recording.error_code());
            if (kind == ErrorKind::NotFound) != says_missing {
                report.problem(&recording.id, format!("the refusal was taken for {kind:?}"));
            }
        }
        Read::NotAsked => {
            let path =
                operation.as_ref().map_or_else(|| format!("/{}", recording.segments.join("/")), |own| own.path.into());
            report.row(recording).not_asked += 1;
            report.not_asked(format!("{} {path}", recording.method));
        }
        Read::Unreadable => report.problem(&recording.id, "the connector's types cannot read the answer"),
    }
    let Some(operation) = operation else { return };
    if let Some(problems) = operation.answer(recording.status, recording.content_type(), &recording.answer) {
        report.row(recording).documented += 1;
        for problem in problems {
            report.problem(&recording.id, format!("the answer is not as documented: {problem}"));
        }
    }
}

#[cfg(test)]
mod tests;
