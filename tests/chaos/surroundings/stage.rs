//! Bridges in front of the identity providers of all rows, and what is expected of them.

use std::path::Path;
use std::sync::Mutex;

use crate::idp::{Answered, CLOSED, Idp, recover, send};
use crate::pulse::Pulse;
use crate::support::bridge::Bridge;
use crate::support::http::Request;

pub(super) const OK: &[&str] = &["ok"];

/// The common state of the rows.
#[derive(Clone, Copy)]
pub(super) struct Stage<'a> {
    pub(super) idps: &'a [Idp],
    /// Others, of rows that inject faults into them, one row after the other.
    pub(super) faulty: &'a Mutex<Vec<Idp>>,
    pub(super) pulse: &'a Pulse,
}

/// A running bridge of a row.
pub(super) struct Served<'a> {
    pub(super) stage: Stage<'a>,
    pub(super) bridge: Bridge,
}

impl<'a> Stage<'a> {
    /// Writes a configuration with all tenants and these tables into a folder.
    pub(super) fn configure(&self, folder: &Path, tables: &str) {
        let tenants: String = self.idps.iter().map(Idp::table).collect();
        std::fs::write(folder.join("idp-bridge.toml"), format!("{tables}\n{tenants}")).unwrap();
    }

    /// Watches a bridge that was started.
    pub(super) fn serve(&self, bridge: Bridge) -> Served<'a> {
        self.pulse.watch(bridge.process_id());
        Served { stage: *self, bridge }
    }
}

impl Served<'_> {
    /// Sends a request. An answer with another code is an error.
    pub(super) fn expect(&self, codes: &[&str], request: &Request) -> Result<Answered, String> {
        let answered = send(self.bridge.address(), request, self.stage.pulse)?.ok_or(CLOSED)?;
        if !answered.has_code_of(codes) {
            return Err(format!("{} {}: {codes:?} was expected: {:?}", request.method, request.target, answered.reply));
        }
        Ok(answered)
    }

    /// Repeats a request until it succeeds.
    pub(super) fn recover(&self, request: &Request) -> Result<(), String> {
        recover(self.bridge.address(), request, self.stage.pulse)
    }

    /// Checks that a read, a write, userinfo and a logout of each tenant succeed.
    pub(super) fn check_all_served(&self) -> Result<(), String> {
        self.check_all(|idp| self.requests_of(idp).iter().try_for_each(|request| self.recover(request)))
    }

    /// Runs a check for each tenant.
    pub(super) fn check_all(&self, check: impl Fn(&Idp) -> Result<(), String>) -> Result<(), String> {
        self.stage.idps.iter().try_for_each(|idp| check(idp).map_err(|error| format!("{}: {error}", idp.home.tenant)))
    }

    /// Returns a read, a write and, with federation, userinfo and a logout, about a new user.
    pub(super) fn requests_of(&self, idp: &Idp) -> Vec<Request> {
        let person = idp.create("userinfo");
        let mut requests = vec![idp.call("users.get_by_id", &person), idp.call("users.mark_email_verified", &person)];
        if idp.has_federation() {
            let token = idp.sign_in(&person);
            requests.extend(["userinfo", "logout"].map(|path| idp.application_request(path, &token)));
        }
        requests
    }
}
