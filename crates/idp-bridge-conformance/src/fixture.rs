//! Values for the tests of connectors.

use std::cmp::Ordering;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_core::{CallKind, CallScope, CustomerId, Email, FederationSettings, Finding, Secret, Verdict};
use serde_json::Value;

use crate::TestResult;

/// Returns the address of a user with this name.
#[expect(clippy::expect_used, reason = "a test with an invalid value must fail")]
pub fn email(name: &str) -> Email {
    Email::new(format!("{name}@acme.example")).expect("the name must make an address")
}

/// Returns a customer id.
#[expect(clippy::expect_used, reason = "a test with an invalid value must fail")]
pub fn customer(text: &str) -> CustomerId {
    CustomerId::new(text).expect("the text must be a customer id")
}

/// Returns a scope with ample time.
pub fn scope() -> CallScope {
    CallScope::new("test", Duration::from_secs(10))
}

/// Returns the settings with a wrong secret of the first client, for [`Setup::WrongClientSecret`](crate::Setup).
pub fn with_wrong_secret(mut settings: FederationSettings) -> FederationSettings {
    settings.clients.iter_mut().take(1).for_each(|client| client.secret = Some(Secret::new("wrong")));
    settings
}

/// Checks that exactly these findings are not ok, by their verdict and a part of their fix.
#[track_caller]
pub fn assert_faults(findings: &[Finding], expected: &[(Verdict, &str)]) {
    let faults: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict != Verdict::Ok).collect();
    let is_expected = |fault: &Finding, (verdict, fix): &(Verdict, &str)| {
        fault.verdict == *verdict && fault.fix.as_deref().is_some_and(|own| own.contains(fix))
    };
    let all = faults.len() == expected.len() && faults.iter().zip(expected).all(|(fault, own)| is_expected(fault, own));
    assert!(all, "expected {expected:?}: {faults:#?}");
}

/// Checks that one finding about all calls failed with this fix, that those before are ok, and that it hides those after.
#[track_caller]
pub fn assert_first_failure(findings: &[Finding], number: usize, fix: &str) {
    let verdict = |at: usize| match at.cmp(&number) {
        Ordering::Less => Verdict::Ok,
        Ordering::Equal => Verdict::Failed,
        Ordering::Greater => Verdict::NotVisible,
    };
    let verdicts = findings.iter().enumerate().all(|(at, finding)| finding.verdict == verdict(at));
    let failed = findings.get(number).filter(|failed| failed.calls == CallKind::ALL);
    let is_fixed = failed.and_then(|failed| failed.fix.as_deref()).is_some_and(|own| own.contains(fix));
    assert!(verdicts && is_fixed, "expected finding {number} to fail with `{fix}`: {findings:#?}");
}

/// Returns the header and the claims of a JWT, without verifying it.
pub fn decode_jwt(token: &str) -> TestResult<(Value, Value)> {
    let mut parts = token.split('.').map(|part| -> TestResult<Value> {
        let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| "the token is not a JWT")?;
        Ok(serde_json::from_slice(&bytes)?)
    });
    Ok((parts.next().ok_or("the token has no header")??, parts.next().ok_or("the token has no claims")??))
}

/// Returns a text claim of a JWT, without verifying it.
pub fn text_claim(token: &str, name: &str) -> TestResult<String> {
    let (_, claims) = decode_jwt(token)?;
    let text = claims.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| format!("the token has no text `{name}`").into())
}
