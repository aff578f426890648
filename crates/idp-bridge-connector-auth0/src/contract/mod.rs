//! Compares recorded traffic of real tenants and Auth0's OpenAPI document with the connector and its fake.
//!
//! The recordings and the document are other projects' data and not part of this repository: a run gets their paths.
//!
//! - Each recorded response is parsed with the connector's types or converted to an error, whose kind must be right. Responses to
//!   requests that the connector never makes are listed.
//! - Each recorded request that the connector also makes is made again and must be equal. The recorded response is returned to it,
//!   and the call must end accordingly.
//! - All requests and responses of a session with the fake must be as documented. Those that the document does not cover are listed.

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

/// Checks all recordings of a folder, and a session with the fake.
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

/// Parses one recorded response, and validates it if the document covers it.
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
                report.problem(&recording.id, format!("the error response was converted to {kind:?}"));
            }
        }
        Read::NotUsed => {
            let path =
                operation.as_ref().map_or_else(|| format!("/{}", recording.segments.join("/")), |own| own.path.into());
            report.row(recording).not_used += 1;
            report.not_used(format!("{} {path}", recording.method));
        }
        Read::Unreadable => report.problem(&recording.id, "the connector's types cannot parse the response"),
    }
    let Some(operation) = operation else { return };
    if let Some(problems) = operation.answer(recording.status, recording.content_type(), &recording.answer) {
        report.row(recording).documented += 1;
        for problem in problems {
            report.problem(&recording.id, format!("the response is not as documented: {problem}"));
        }
    }
}

#[cfg(test)]
mod tests;
