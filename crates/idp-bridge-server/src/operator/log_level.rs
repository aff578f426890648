//! `/log-level`: shows the log filter, and replaces it for a while without a restart.

use std::time::Duration;

use http::request::Parts;
use hyper::body::Incoming;
use idp_bridge_protocol::Code;
use jiff::SignedDuration;
use serde::Deserialize;

use crate::error::Refusal;
use crate::request;
use crate::response::{self, JSON, Response};
use crate::state::ServerState;

/// The time for which a replaced filter is used if the request sets none.
const DEFAULT_TIME: Duration = Duration::from_secs(10 * 60);
/// The longest time for which a filter can be replaced.
const MAX_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The body of a `PUT`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    filter: String,
    #[serde(rename = "for")]
    time: Option<String>,
}

/// Responds to `GET /log-level`.
pub(super) fn show(state: &ServerState) -> Result<Response, Refusal> {
    let level = state.log_level.as_ref().ok_or(Refusal::new(Code::RouteNotFound))?;
    Ok(response::new(response::to_json(&level.show()), JSON))
}

/// Responds to `PUT /log-level`.
pub(super) async fn set(state: &ServerState, head: &Parts, body: Incoming) -> Result<Response, Refusal> {
    let level = state.log_level.as_ref().ok_or(Refusal::new(Code::RouteNotFound))?;
    if !request::is_json(&head.headers) {
        return Err(Refusal::new(Code::UnsupportedMediaType).with_detail("send `content-type: application/json`"));
    }
    let body = request::read_body(body, state.limits.body).await?;
    let change: Change = serde_json::from_slice(&body).map_err(|_| {
        let detail = r#"expected a body such as `{"filter": "debug", "for": "10m"}`"#;
        Refusal::new(Code::InvalidRequest).with_detail(detail)
    })?;
    let time = change.time.as_deref().map_or(Ok(DEFAULT_TIME), parse_time)?;
    level.check(&change.filter).map_err(|message| Refusal::invalid("filter", message))?;
    // Before the change, which may switch this line off.
    tracing::warn!(filter = change.filter, seconds = time.as_secs(), "an operator replaces the log filter");
    let replaced = level.replace(change.filter, time, state.clock.now());
    replaced.map_err(|message| Refusal::invalid("filter", message))?;
    show(state)
}

fn parse_time(text: &str) -> Result<Duration, Refusal> {
    let time = text.parse().ok().and_then(|time: SignedDuration| Duration::try_from(time).ok());
    time.filter(|time| (Duration::from_secs(1)..=MAX_TIME).contains(time))
        .ok_or_else(|| Refusal::invalid("for", "`for` is not a time from `1s` to `24h`"))
}
