//! Runs the table of faults: each fault, each request, each connector.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use idp_bridge_test_http::Answer as Reply;
use serde::Serialize;

use crate::faults::{Fault, Place};
use crate::idp::{Answered, CALLS, CLOSED, Idp, Person, recover, send};
use crate::pulse::Pulse;
use crate::support::bridge::Bridge;
use crate::support::http::Request;

/// The maximum number of repetitions of a call after a fault.
const REPETITIONS: usize = 20;

/// A cell of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) fault: &'static str,
    pub(crate) connector: &'static str,
    pub(crate) call: &'static str,
    code: String,
    milliseconds: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    violation: Option<String>,
}

/// Returns what is wrong in these cells, one line for each.
pub(crate) fn violations(cells: &[Cell]) -> Vec<String> {
    let line = |cell: &Cell| {
        let violation = cell.violation.as_ref()?;
        Some(format!("{}, {}, {}: {violation}", cell.fault, cell.connector, cell.call))
    };
    cells.iter().filter_map(line).collect()
}

/// The requests that the tenant of a connector gets.
pub(crate) struct Requests {
    pub(crate) connector: &'static str,
    has_users: bool,
    has_mails: bool,
    has_federation: bool,
    /// Whether it speaks HTTP.
    is_http: bool,
}

/// Each connector of the table.
pub(crate) const CONNECTORS: [Requests; 7] = [
    Requests { connector: "keycloak", has_users: true, has_mails: true, has_federation: true, is_http: true },
    Requests { connector: "auth0", has_users: true, has_mails: true, has_federation: true, is_http: true },
    Requests { connector: "cognito", has_users: true, has_mails: true, has_federation: false, is_http: true },
    Requests { connector: "http", has_users: true, has_mails: true, has_federation: false, is_http: true },
    Requests { connector: "oidc", has_users: false, has_mails: false, has_federation: true, is_http: true },
    Requests { connector: "sql", has_users: true, has_mails: false, has_federation: false, is_http: false },
    Requests { connector: "ldap", has_users: true, has_mails: false, has_federation: false, is_http: false },
];

impl Requests {
    /// Returns the requests that are sent under a fault. None if the fault cannot occur.
    pub(crate) fn under(&self, fault: &Fault) -> Vec<&'static str> {
        let is_possible = match fault.place() {
            Place::Connection => true,
            Place::Http => self.is_http && (self.connector != "cognito" || !fault.needs_token),
            Place::Process => !self.is_http,
        };
        let is_sent = |call: &&str| match *call {
            // The token of an application is not the bridge's.
            "userinfo" | "logout" => self.has_federation && !fault.needs_token,
            call => self.has_users && (self.has_mails || !call.contains(".send_")),
        };
        CALLS.into_iter().filter(|call| is_possible && is_sent(call)).collect()
    }
}

/// Runs these rows. The connectors run at the same time.
pub(crate) fn run(faults: &[Fault]) -> Vec<Cell> {
    let (idps, pulse) = (Idp::start_all(), Pulse::start());
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    let config = folder.path().join("idp-bridge.toml");
    let server = "[server]\nshutdown_delay = \"0s\"\nstate_dir = \"state\"\nmetrics_listen = \"127.0.0.1:0\"\n";
    let tables: String = idps.iter().map(Idp::table).collect();
    std::fs::write(&config, format!("{server}{tables}")).unwrap();
    let bridge = Bridge::serve(&config);
    pulse.watch(bridge.process_id());
    let probes = bridge.probes_address();
    let stage = |idp| Stage { idp, address: bridge.address(), probes: &probes, pulse: &pulse };
    std::thread::scope(|scope| {
        let run = |idp| scope.spawn(move || stage(idp).run(faults));
        let running: Vec<_> = idps.iter().map(run).collect();
        running.into_iter().flat_map(|one| one.join().unwrap()).collect()
    })
}

/// A tenant of the running bridge.
#[derive(Clone, Copy)]
struct Stage<'a> {
    idp: &'a Idp,
    address: &'a str,
    /// The address of the listener for operators.
    probes: &'a str,
    pulse: &'a Pulse,
}

impl Stage<'_> {
    fn run(self, faults: &[Fault]) -> Vec<Cell> {
        let connector = self.idp.home.tenant;
        let requests = CONNECTORS.iter().find(|one| one.connector == connector).unwrap();
        let mut cells = Vec::new();
        for fault in faults {
            let begun = Instant::now();
            for call in requests.under(fault) {
                let mut cell =
                    Cell { fault: fault.name, connector, call, code: String::new(), milliseconds: 0, violation: None };
                let run = AssertUnwindSafe(|| self.run_cell(fault, &mut cell));
                let result = catch_unwind(run).unwrap_or_else(|_| Err("the test panicked".to_owned()));
                cell.violation = result.err().map(|violation| self.add_steps(violation));
                cells.push(cell);
            }
            eprintln!("{connector}: {} ({:.1} s)", fault.name, begun.elapsed().as_secs_f32());
        }
        cells
    }

    /// Adds the steps of the call with the bad answer.
    fn add_steps(self, violation: String) -> String {
        let id = violation.split_once("\"x-request-id\": \"").and_then(|(_, rest)| rest.split_once('"'));
        match id {
            Some((id, _)) => format!("{violation}\n{}", Request::get(&format!("/calls/{id}")).send(self.probes).body),
            None => violation,
        }
    }

    fn run_cell(self, fault: &Fault, cell: &mut Cell) -> Result<(), String> {
        let (idp, call) = (self.idp, cell.call);
        let person = idp.create(call);
        let token = if call.starts_with("users.") { None } else { Some(idp.sign_in(&person)) };
        // The userinfo of a token also fetches the signing keys, so that the fault meets the requests after it.
        let (request, probe) = match &token {
            Some(token) => (idp.application_request(call, token), idp.application_request("userinfo", token)),
            None => (idp.call(call, &person), idp.probe()),
        };
        self.recover(&probe)?;
        idp.set_fault(fault);
        let first = self.send(&request);
        idp.heal(fault);
        let first = first?;
        (cell.code, cell.milliseconds) = (first.code.clone(), first.took.as_millis());
        if !first.has_code_of(fault.codes) {
            return Err(format!("answered {:?}", first.reply));
        }
        if fault.name.contains("retry-after") && first.reply.header("retry-after") != Some("7") {
            return Err(format!("another wait: {:?}", first.reply));
        }
        match call {
            "logout" => self.check_logout(&request, &probe),
            call if call == "userinfo" || call.starts_with("users.get") => self.recover(&probe),
            call => {
                self.recover(&probe)?;
                self.check_effect(call, &person, &request, &first)
            }
        }
    }

    fn send(self, request: &Request) -> Result<Answered, String> {
        Ok(send(self.address, request, self.pulse)?.ok_or(CLOSED)?)
    }

    /// Repeats a request until it succeeds.
    fn recover(self, request: &Request) -> Result<(), String> {
        recover(self.address, request, self.pulse)
    }

    /// Repeats a logout until it succeeds. Before and after that, userinfo refuses the token.
    fn check_logout(self, logout: &Request, userinfo: &Request) -> Result<(), String> {
        let check_refused = || match self.send(userinfo)? {
            answered if answered.reply.status == 401 => Ok(()),
            answered => Err(format!("userinfo after a logout: {:?}", answered.reply)),
        };
        check_refused()?;
        self.recover(logout)?;
        check_refused()
    }

    /// Repeats a write with its id until it succeeds, and checks that it took effect once.
    fn check_effect(self, call: &str, person: &Person, request: &Request, first: &Answered) -> Result<(), String> {
        let idp = self.idp;
        if first.code != "ok" && !first.is_unknown && self.has_effect(call, person)? {
            return Err(format!("the call took effect, but was answered {:?}", first.reply));
        }
        let mut last: Option<Reply> = None;
        for _ in 0..REPETITIONS {
            let answered = self.send(request)?;
            let is_ok = answered.code == "ok";
            last = Some(answered.reply);
            if is_ok {
                break;
            }
        }
        let last = last.filter(|reply| reply.status == 200).ok_or("the repetitions failed")?;
        if !self.has_effect(call, person)? {
            return Err("the call succeeded without an effect".to_owned());
        }
        let again = self.send(request)?.reply;
        if again.body != last.body || again.header("idempotent-replayed") != Some("true") {
            return Err(format!("not replayed: {again:?}"));
        }
        let mails = if call.contains(".send_") { idp.count_mails(person) } else { 1 };
        let most = 1 + usize::from(first.is_unknown);
        if mails > most { Err(format!("{mails} mails, at most {most} expected")) } else { Ok(()) }
    }

    /// Returns whether a write took effect.
    fn has_effect(self, call: &str, person: &Person) -> Result<bool, String> {
        if call.contains(".send_") {
            return Ok(self.idp.count_mails(person) > 0);
        }
        let read = self.send(&self.idp.call("users.get_by_id", person))?;
        match (call, read.code.as_str()) {
            ("users.delete", "ok") => Ok(false),
            ("users.delete", "user_not_found") => Ok(true),
            ("users.mark_email_verified", "ok") => Ok(read.reply.json()["user"]["email_verified"] == true),
            _ => Err(format!("cannot read the user: {:?}", read.reply)),
        }
    }
}
