//! Compares recorded traffic of real tenants and Auth0's OpenAPI document with the connector and its fake.
//!
//! The recordings and the document are other projects' data and not part of this repository: a run gets their paths.
//!
//! - Each recorded response is served to a call of the connector, which must end accordingly. Responses of endpoints that the
//!   connector does not use are listed.
//! - Each recorded request that the connector also makes must be equal to the request of that call.
//! - All requests and responses of a session with the fake must be as documented. Those that the document does not cover are listed.

mod openapi;
mod recording;
mod replay;
mod report;
mod session;
mod topic;

use std::path::Path;

use idp_bridge_conformance::TestResult;

use openapi::OpenApi;
use recording::Recording;
use report::Count;
pub use report::Report;

/// Checks all recordings of a folder, and a session with the fake.
pub async fn run(recordings: &Path, openapi: &Path) -> TestResult<Report> {
    let document = OpenApi::read(openapi)?;
    let mut report = Report::default();
    for recording in recording::read_all(recordings)? {
        report.count(&recording, Count::Recorded);
        check_document(&recording, &document, &mut report);
        replay::check(&recording, &mut report).await?;
    }
    session::check(&document, &mut report).await?;
    Ok(report)
}

/// Validates a recorded response, if the document covers it.
fn check_document(recording: &Recording, document: &OpenApi, report: &mut Report) {
    let Some(operation) = document.operation(&recording.method, &recording.segments) else { return };
    if let Some(problems) = operation.answer(recording.status, recording.content_type(), &recording.answer) {
        report.count(recording, Count::Documented);
        for problem in problems {
            report.problem(&recording.id, format!("the response is not as documented: {problem}"));
        }
    }
}
