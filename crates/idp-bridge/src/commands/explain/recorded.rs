//! A recorded call, as text.

use serde::Deserialize;

use crate::commands::hints::hint_for_code;

/// A call of `GET /calls/{request_id}`.
#[derive(Debug, Deserialize)]
pub(super) struct RecordedCall {
    request_id: String,
    time: String,
    duration_us: u64,
    tenant: String,
    connector: Option<String>,
    surface: String,
    call: Option<String>,
    code: String,
    status: u16,
    outcome: Option<String>,
    #[serde(default)]
    replayed: bool,
    user_hash: Option<String>,
    webhook_id: Option<String>,
    trace_id: Option<String>,
    error: Option<String>,
    hint: Option<String>,
    steps: Vec<RecordedStep>,
}

/// A step of a call.
#[derive(Debug, Deserialize)]
struct RecordedStep {
    name: String,
    parent: Option<usize>,
    start_us: u64,
    duration_us: Option<u64>,
    host: Option<String>,
    number: Option<u32>,
    breaker: Option<String>,
    status: Option<u16>,
    result: Option<String>,
}

impl RecordedCall {
    /// Returns the call as text: its kind, its steps, and the reason of a failure.
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.facts() {
            text += &format!("{name:<9} {value}\n");
        }
        text += "\n      start       took\n";
        self.steps.iter().for_each(|step| text += &self.describe_step(step));
        for (name, value) in self.explanation() {
            text += &format!("\n{name:<9} {value}");
        }
        text
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let connector = self.connector.as_deref().map(|connector| format!(" ({connector})")).unwrap_or_default();
        let call = self.call.as_deref().unwrap_or(&self.surface);
        let status = if self.status == 0 { String::new() } else { format!("{} ", self.status) };
        let replayed = if self.replayed { ", the result of an earlier call with this id" } else { "" };
        let result = format!("{status}{} after {}{replayed}", self.code, milliseconds(self.duration_us).trim_start());
        let optional = [("user", &self.user_hash), ("webhook", &self.webhook_id), ("trace", &self.trace_id)];
        let mut facts = vec![
            ("request", self.request_id.clone()),
            ("time", self.time.clone()),
            ("call", format!("{call}, by {}", self.surface)),
            ("tenant", format!("{}{connector}", self.tenant)),
        ];
        facts.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        facts.push(("result", result));
        facts
    }

    fn describe_step(&self, step: &RecordedStep) -> String {
        let depth = std::iter::successors(step.parent, |parent| self.steps.get(*parent)?.parent).take(8).count();
        let took = step.duration_us.map_or_else(|| format!("{:>10}", "unfinished"), milliseconds);
        let (start, indent) = (milliseconds(step.start_us), "  ".repeat(depth));
        format!("{start} {took}  {indent}{}{}\n", step.name, step.describe_attempt())
    }

    /// Returns the likely cause and the next step of a failed call.
    fn explanation(&self) -> Vec<(&'static str, &str)> {
        if self.code == "ok" {
            return Vec::new();
        }
        let cause = match (&self.error, self.code.as_str()) {
            (Some(error), _) => error,
            (None, "abandoned") => "the caller closed the connection before the response",
            (None, "invalid_signature") => "no key of this tenant verifies the signature, or there is no such tenant",
            (None, "timestamp_out_of_range") => "the call was signed more than five minutes ago, or in the future",
            (None, _) => "the request itself was refused, before the identity provider was called",
        };
        let outcome = (self.outcome.as_deref() == Some("unknown")).then_some("the write may have taken effect");
        let next = self.hint.as_deref().or_else(|| hint_for_code(&self.code));
        let lines = [("cause", Some(cause)), ("outcome", outcome), ("next step", next)];
        lines.into_iter().filter_map(|(name, line)| Some((name, line?))).collect()
    }
}

impl RecordedStep {
    fn describe_attempt(&self) -> String {
        let Some(host) = &self.host else { return String::new() };
        let number = match self.number {
            Some(number) if number > 1 => format!(", attempt {number}"),
            _ => String::new(),
        };
        let result = match (self.status, self.result.as_deref(), self.breaker.as_deref()) {
            (_, _, Some("held_back")) => "not sent, since the circuit breaker was open".to_owned(),
            (Some(status), ..) => status.to_string(),
            (None, Some("no_response"), _) => "no response".to_owned(),
            (None, Some("abandoned"), _) => "given up at the deadline, or another attempt was faster".to_owned(),
            (None, other, _) => other.unwrap_or("unfinished").to_owned(),
        };
        let probe = if self.breaker.as_deref() == Some("probe") { ", probe of an open circuit breaker" } else { "" };
        format!(" {host}: {result}{number}{probe}")
    }
}

/// Formats a time in milliseconds, right-aligned.
fn milliseconds(micros: u64) -> String {
    format!("{:>6}.{} ms", micros / 1_000, micros % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn describe(more: Value) -> String {
        let mut call = json!({
            "request_id": "4f2a", "time": "2027-01-15T08:00:00Z", "duration_us": 1_204_321, "tenant": "acme",
            "connector": "keycloak", "method": "POST", "route": "/", "surface": "webhook", "call": "users.get_by_id",
            "code": "ok", "status": 200, "steps": [],
        });
        call.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        serde_json::from_value::<RecordedCall>(call).unwrap().describe()
    }

    #[test]
    fn failed_call_has_steps_cause_and_next_step() {
        let attempt = |number, start_us, status| {
            json!({"name": "GET", "parent": 1, "start_us": start_us, "duration_us": 300_000, "host": "idp.example",
                   "number": number, "breaker": "closed", "status": status, "result": "5xx"})
        };
        let text = describe(json!({
            "code": "upstream_unavailable", "status": 503, "outcome": "unknown", "user_hash": "ab12",
            "error": "the identity provider answered 503", "hint": "check the host",
            "steps": [
                {"name": "verify", "start_us": 120, "duration_us": 310},
                {"name": "dispatch", "start_us": 500, "duration_us": 1_203_000},
                attempt(1, 600, 503), attempt(2, 401_000, 503),
                {"name": "GET", "parent": 1, "start_us": 900_000, "host": "idp.example", "number": 3, "breaker": "held_back"},
            ],
        }));
        let expected = "\
request   4f2a
time      2027-01-15T08:00:00Z
call      users.get_by_id, by webhook
tenant    acme (keycloak)
user      ab12
result    503 upstream_unavailable after 1204.3 ms

      start       took
     0.1 ms      0.3 ms  verify
     0.5 ms   1203.0 ms  dispatch
     0.6 ms    300.0 ms    GET idp.example: 503
   401.0 ms    300.0 ms    GET idp.example: 503, attempt 2
   900.0 ms unfinished    GET idp.example: not sent, since the circuit breaker was open, attempt 3

cause     the identity provider answered 503
outcome   the write may have taken effect
next step check the host";
        assert_eq!(text, expected);
    }

    #[test]
    fn successful_call_has_no_cause() {
        let text = describe(json!({"replayed": true}));
        assert!(
            text.contains("200 ok after 1204.3 ms, the result of an earlier call") && !text.contains("cause"),
            "{text}"
        );
    }

    #[test]
    fn refusal_without_error_is_explained_by_its_code() {
        let text = describe(json!({"code": "invalid_signature", "status": 401}));
        assert!(
            text.contains("cause     no key of this tenant") && text.contains("next step check the tenant"),
            "{text}"
        );
        let text = describe(json!({"code": "abandoned", "status": 0}));
        assert!(text.contains("result    abandoned after") && text.contains("closed the connection"), "{text}");
    }
}
