//! The checks of `doctor`: the probes of the definition.

use idp_bridge_core::{CallKind, CallScope, Finding, Result};
use serde_json::Value;

use crate::api::Kind;
use crate::definition::{Definition, Probe};
use crate::provider::Http;
use crate::refusal::Place;
use crate::request::BoundRequest;
use crate::select::Check;
use crate::settings::Settings;
use crate::values::Values;

/// A probe with the settings filled in.
pub(crate) struct BoundProbe {
    check: String,
    request: BoundRequest,
    expect: Vec<Check>,
    fix: String,
    calls: Vec<CallKind>,
    authority: bool,
}

impl BoundProbe {
    pub(crate) fn new(definition: &Definition, probe: &Probe, settings: &Settings) -> Result<Self> {
        let is_meant = |name: &str| probe.calls.is_empty() || probe.calls.iter().any(|own| own == name);
        let calls = definition.calls.iter().filter(|(_, name, call)| call.unsupported.is_none() && is_meant(name));
        Ok(Self {
            check: probe.check.clone(),
            request: BoundRequest::new(&probe.request, settings)?,
            expect: probe.expect.clone(),
            authority: probe.authority,
            fix: probe.fix.clone(),
            calls: calls.map(|(kind, ..)| kind).collect(),
        })
    }

    /// Sends the request and checks its answer.
    async fn run(&self, http: &Http, scope: &CallScope) -> Finding {
        let sent = http.api.send(scope, PLACE, Kind::Lookup, (&self.request, &Values::default())).await;
        let answer = match sent {
            Ok(_) if self.expect.is_empty() && !self.request.reads_answer() => Ok(Value::Null),
            Ok(response) => response.json::<Value>(),
            Err(error) => Err(error),
        };
        match answer {
            Ok(answer) if http.api.meets(&self.expect, &answer) => Finding::ok(self.check.clone(), &self.calls),
            Ok(_) => Finding::failed(self.check.clone(), &self.calls, self.fix.clone()),
            Err(error) => Finding::failed_by(self.check.clone(), &self.calls, &error, self.fix.clone()),
        }
    }
}

/// The rules of `errors` for calls do not apply to probes, except those without a call.
const PLACE: Place = Place { call: "doctor", step: 1 };

/// Runs the probes one after the other.
pub(crate) async fn run(http: &Http, scope: &CallScope) -> Vec<Finding> {
    let mut findings = Vec::with_capacity(http.probes.len());
    for probe in &http.probes {
        let finding = probe.run(http, scope).await;
        findings.push(if probe.authority { finding.with_authority() } else { finding });
    }
    if !http.probes.iter().any(|probe| probe.authority) {
        findings.extend(report_authority(&http.definition));
    }
    findings
}

/// Reports who can write the customer, for a definition that maps one and has no probe for it.
fn report_authority(definition: &Definition) -> Option<Finding> {
    definition.user.customer.as_ref()?;
    let check = "users cannot write their customer";
    let finding = match &definition.user.customer_protected {
        Some(reason) => Finding::ok(check, &[]).with_detail(reason.clone()),
        None => {
            let fix = format!(
                "look up at {} who may write the customer: only administrators may, and users must not be able to set it in \
                 their profile or at registration",
                definition.product.name
            );
            Finding::not_visible(check, &[], fix)
        }
    };
    Some(finding.with_authority())
}
