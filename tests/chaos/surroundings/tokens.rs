//! The bridge's access tokens, and the signing keys and the clocks of identity providers.

use std::time::{Duration, Instant};

use idp_bridge_conformance::fixture::decode_jwt;
use idp_bridge_test_http::{Fault as Wire, TOO_LONG};
use serde_json::Value;
use tokio::runtime::Builder;

use super::stage::{OK, Served, Stage};
use crate::faults::{Fault, Kind};
use crate::idp::Idp;
use crate::support::bridge::Bridge;
use crate::support::http::Request;

/// Parts of the targets of the signing keys of all products.
const KEYS: &[&str] = &["/openid-connect/certs", "/.well-known/jwks.json"];
/// The number of access tokens that each tenant needs in the row about their expiry.
const TOKENS: usize = 3;
/// The time between two rounds of calls in that row.
const PAUSE: Duration = Duration::from_millis(50);

/// Starts a bridge with a store in a file.
fn serve<'a>(stage: &Stage<'a>) -> (Served<'a>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    stage.configure(folder.path(), "[server]\nshutdown_delay = \"0s\"\nstate_dir = \"state\"\n");
    (stage.serve(Bridge::serve(&folder.path().join("idp-bridge.toml"))), folder)
}

const fn wire(fault: Wire) -> Fault {
    Fault { name: "", kind: Kind::Wire(fault), codes: OK, needs_token: false }
}

pub(super) fn keys_are_gone(stage: &Stage<'_>) -> Result<(), String> {
    let idps = stage.faulty.lock().unwrap();
    let stage = Stage { idps: &idps, ..*stage };
    let (served, _folder) = serve(&stage);
    served.check_all(|idp| {
        check_without_keys(&served, idp, &["upstream_unavailable"])?;
        check_without_keys(&served, idp, OK)
    })
}

/// Checks the requests to a tenant without the keys, and afterwards.
fn check_without_keys(served: &Served<'_>, idp: &Idp, codes: &[&str]) -> Result<(), String> {
    let requests = served.requests_of(idp);
    let (users, application) = requests.split_at(2);
    idp.set_fault(&wire(Wire::ResetTargets(KEYS)));
    let during = application.iter().try_for_each(|request| {
        served.expect(codes, request)?;
        users.iter().try_for_each(|request| served.expect(OK, request).map(drop))
    });
    idp.connect();
    during?;
    // After a logout its token is refused.
    let after: &[Request] = if codes == OK { users } else { &requests };
    after.iter().try_for_each(|request| served.recover(request))
}

pub(super) fn tokens_expire(stage: &Stage<'_>) -> Result<(), String> {
    let idps = stage.faulty.lock().unwrap();
    let stage = Stage { idps: &idps, ..*stage };
    // Calls to Cognito have no access token.
    let with_token = || idps.iter().filter(|idp| idp.home.tenant != "cognito");
    let people: Vec<_> = with_token().map(|idp| (idp, idp.create("users.mark_email_verified"))).collect();
    with_token().for_each(|idp| idp.set_fault(&wire(Wire::TokensExpire(2))));
    let (served, _folder) = serve(&stage);
    let begun = Instant::now();
    let call_all = || {
        people.iter().try_for_each(|(idp, person)| {
            served.expect(OK, &idp.probe())?;
            served.expect(OK, &idp.call("users.mark_email_verified", person)).map(drop)
        })
    };
    let mut result = Ok(());
    while result.is_ok() && with_token().any(|idp| idp.home.tap.expiring_tokens() < TOKENS) {
        let is_late = begun.elapsed() > TOO_LONG;
        result = if is_late { Err("the tokens were not renewed".to_owned()) } else { call_all() };
        std::thread::park_timeout(PAUSE);
    }
    with_token().for_each(Idp::connect);
    result
}

pub(super) fn clocks_of_idps_differ(stage: &Stage<'_>) -> Result<(), String> {
    let (served, _folder) = serve(stage);
    served.check_all(|idp| {
        if !idp.has_federation() {
            return Ok(());
        }
        // Tokens live for five minutes at least.
        for (ahead, codes) in [(-4 * 60, OK), (20, OK), (4 * 60, &["invalid_token"])] {
            check_with_clock(&served, idp, ahead, codes).map_err(|error| format!("{ahead} s ahead: {error}"))?;
        }
        Ok(())
    })
}

/// Checks the requests with a token of a clock that is some seconds ahead.
fn check_with_clock(served: &Served<'_>, idp: &Idp, ahead: i64, codes: &[&str]) -> Result<(), String> {
    let person = idp.create("userinfo");
    let token = shift(idp, &idp.sign_in(&person), ahead);
    for call in ["users.get_by_id", "users.mark_email_verified"] {
        served.expect(OK, &idp.call(call, &person))?;
    }
    let request = |path| idp.application_request(path, &token);
    served.expect(codes, &request("userinfo"))?;
    served.expect(codes, &request("logout"))?;
    served.expect(&["invalid_token"], &request("userinfo")).map(drop)
}

/// Signs the claims of a token again, with all times moved by some seconds.
fn shift(idp: &Idp, token: &str, seconds: i64) -> String {
    let (header, mut claims) = decode_jwt(token).unwrap();
    for name in ["iat", "nbf", "exp", "auth_time"] {
        if let Some(time) = claims.get(name).and_then(Value::as_i64) {
            claims[name] = (time + seconds).into();
        }
    }
    let federation = idp.home.harness.federation().unwrap();
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(federation.sign(&header, &claims)).unwrap()
}
