//! The tenants' identity providers, their users, and the calls about them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use idp_bridge_conformance::{Harness as _, NewUser, SignIn};
use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;
use idp_bridge_core::{CustomerId, Email, Secret, UserId};
use idp_bridge_test_http::Target;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::faults::{Fault, Kind};
use crate::home::{Home, tap};
use crate::pulse::Pulse;
use crate::servers::{Server, start_oidc};
use crate::support::http::{Reply, Request};
use crate::support::sign::Signer;

/// The deadline of each call.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);
/// The time beyond the deadline within which a call is answered.
const MARGIN: Duration = Duration::from_millis(100);
/// The time to wait for an answer that does not come.
const TOO_LONG: Duration = Duration::from_secs(20);
/// The maximum time until a tenant is served again after a fault.
const RECOVERY: Duration = Duration::from_secs(3);
/// The violation of a request without an answer.
pub(crate) const CLOSED: &str = "the bridge closed the connection";
const PASSWORD: &str = "correct-horse-battery-staple-9";
const DEFINITION: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../idp-bridge-connector-http/testing/definitions/keycloak.toml");

/// The requests of the table. The first three are reads of users, the last two need a login.
pub(crate) const CALLS: [&str; 9] = [
    "users.get_by_id",
    "users.get_by_email",
    "users.get_by_customer",
    "users.send_verification_email",
    "users.send_password_reset_email",
    "users.mark_email_verified",
    "users.delete",
    "userinfo",
    "logout",
];

/// The identity provider of a tenant, behind a relay.
pub(crate) struct Idp {
    pub(crate) home: Home,
    upstream: String,
    signer: Signer,
    runtime: Arc<Runtime>,
    /// The real server, if it is not one of HTTP.
    server: Option<Server>,
}

/// A user.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) email: Email,
    customer: String,
}

impl Idp {
    /// Starts one for each connector with a fake that has users.
    pub(crate) fn start_fakes() -> Vec<Self> {
        let runtime = Arc::new(Runtime::new().unwrap());
        let homes = runtime.block_on(async {
            let mut homes = Home::start_all().await.unwrap();
            homes.push(start_definition().await);
            homes
        });
        homes.into_iter().map(|home| Self::new(home, None, &runtime)).collect()
    }

    /// Starts one for each connector.
    pub(crate) fn start_all() -> Vec<Self> {
        let mut idps = Self::start_fakes();
        let runtime = Arc::new(Runtime::new().unwrap());
        let (oidc, servers) =
            runtime.block_on(async { (start_oidc().await.unwrap(), Server::start_all().await.unwrap()) });
        idps.push(Self::new(oidc, None, &runtime));
        idps.extend(servers.into_iter().map(|(home, server)| Self::new(home, Some(server), &runtime)));
        idps
    }

    fn new(home: Home, server: Option<Server>, runtime: &Arc<Runtime>) -> Self {
        let upstream = runtime.block_on(home.harness.upstream()).unwrap();
        let signer = Signer::new(&home.key, home.tenant);
        let upstream = upstream["http://".len()..].to_owned();
        Self { home, upstream, signer, runtime: Arc::clone(runtime), server }
    }

    /// Returns the tenant's part of the configuration.
    pub(crate) fn table(&self) -> String {
        let Home { tenant, key, settings, clients, .. } = &self.home;
        let client = |id: &str, secret: Option<&Secret>| {
            let secret = secret.map(|secret| format!(", secret = \"{}\"", secret.expose()));
            format!("{{ id = \"{id}\"{} }},", secret.unwrap_or_default())
        };
        let clients: String = clients.iter().map(|one| client(&one.id, one.secret.as_ref())).collect();
        let federation = format!(
            "[tenants.{tenant}.federation]\nclients = [{clients}]\ncache = \"0s\"\nanonymous_per_second = 100000\n"
        );
        format!(
            "[tenants.{tenant}]\nwebhook_keys = [\"{key}\"]\ndeadline = \"{}ms\"\n{}\
             [tenants.{tenant}.connector]\ntype = \"{tenant}\"\n{settings}\n\
             [tenants.{tenant}.limits]\nbreaker_pause = \"100ms\"\n",
            DEADLINE.as_millis(),
            if self.has_federation() { federation } else { String::new() }
        )
    }

    /// Returns whether users can log in.
    pub(crate) fn has_federation(&self) -> bool {
        !self.home.clients.is_empty()
    }

    /// Injects a fault, until [`heal`](Self::heal).
    pub(crate) fn set_fault(&self, fault: &Fault) {
        self.home.tap.set_target(fault.target(&self.upstream));
        match (&fault.kind, &self.server) {
            (Kind::Paused, Some(server)) => server.pause(),
            (Kind::Killed, Some(server)) => server.kill(),
            _ => {}
        }
    }

    /// Ends a fault.
    pub(crate) fn heal(&self, fault: &Fault) {
        match (&fault.kind, &self.server) {
            (Kind::Paused, Some(server)) => server.resume(false),
            (Kind::Killed, Some(server)) => server.resume(true),
            _ => self.connect(),
        }
    }

    /// Connects the bridge with the identity provider.
    pub(crate) fn connect(&self) {
        self.home.tap.set_target(Target::At(self.upstream.clone()));
    }

    /// Creates a user that a request can be about, not through the bridge.
    ///
    /// Cognito sends verification mails only to users that have not signed up, and resets passwords only of verified ones.
    pub(crate) fn create(&self, request: &str) -> Person {
        static CREATED: AtomicUsize = AtomicUsize::new(0);
        let number = CREATED.fetch_add(1, SeqCst);
        let (email, customer) = (Email::new(format!("p{number}@acme.example")).unwrap(), format!("c-p{number}"));
        let mut user = NewUser::person(email.clone());
        user.customers = vec![CustomerId::new(&customer).unwrap()];
        let resets = request == "users.send_password_reset_email";
        user.email_verified = resets;
        user.password = (resets || !request.starts_with("users.")).then(|| PASSWORD.to_owned());
        let id = self.runtime.block_on(self.home.harness.create(user)).unwrap();
        Person { id, email, customer }
    }

    /// Returns the number of mails to a user.
    pub(crate) fn count_mails(&self, person: &Person) -> usize {
        self.runtime.block_on(self.home.harness.mails(&person.email)).unwrap()
    }

    /// Logs a user in, not through the bridge, and returns the access token.
    pub(crate) fn sign_in(&self, person: &Person) -> String {
        let sign_in = SignIn::new(person.email.clone(), PASSWORD);
        let tokens = self.runtime.block_on(self.home.harness.federation().unwrap().sign_in(&sign_in)).unwrap();
        tokens.access.expose().to_owned()
    }

    /// Returns a signed call about a user.
    pub(crate) fn call(&self, kind: &str, person: &Person) -> Request {
        self.call_with(&self.signer, kind, person)
    }

    /// Returns a call of another tenant about a user.
    pub(crate) fn call_with(&self, signer: &Signer, kind: &str, person: &Person) -> Request {
        let (id, email) = (person.id.as_str(), person.email.as_str());
        let data: Value = match kind {
            "users.get_by_email" | "users.send_password_reset_email" => json!({"email": email}),
            "users.get_by_customer" => json!({"customer": person.customer}),
            "users.mark_email_verified" => json!({"id": id, "email": email}),
            _ => json!({"id": id}),
        };
        signer.call(kind, data)
    }

    /// Returns a request of an application.
    pub(crate) fn application_request(&self, path: &str, token: &str) -> Request {
        let method = if path == "logout" { "POST" } else { "GET" };
        Request::new(method, format!("/v1/tenants/{}/{path}", self.home.tenant))
            .header("authorization", format!("Bearer {token}"))
    }

    /// Returns a read of the user that every tenant has.
    pub(crate) fn probe(&self) -> Request {
        self.signer.call("users.get_by_id", json!({"id": self.home.user.as_str()}))
    }
}

/// Starts Keycloak with a definition instead of its connector.
async fn start_definition() -> Home {
    let keycloak = KeycloakHarness::start_with_fake().await.unwrap();
    let tap = tap(&keycloak.upstream().await.unwrap());
    let config = keycloak.config();
    let settings = format!(
        "definition_file = \"{DEFINITION}\"\nsettings.url = \"{}\"\nsettings.realm = \"{}\"\nsettings.client_id = \"{}\"\n\
         settings.customer_attribute = \"{}\"\nsecrets.client_secret = \"{}\"\n",
        tap.url(),
        config.realm,
        config.client_id,
        config.customer_attribute,
        config.client_secret.as_ref().map(Secret::expose).unwrap()
    );
    Home::new("http", tap, (settings, Vec::new()), Box::new(keycloak)).await.unwrap()
}

/// An answer, and what is wrong with it at first sight.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    pub(crate) took: Duration,
    /// The code of the problem, or `ok`.
    pub(crate) code: String,
    /// Whether a write may have taken effect without a success.
    pub(crate) is_unknown: bool,
    /// For how long the machine stalled the request.
    pub(crate) stalled: Duration,
}

impl Answered {
    /// Returns whether the answer has one of these codes. A stalled request may also exceed its deadline, or be shed.
    pub(crate) fn has_code_of(&self, codes: &[&str]) -> bool {
        let is_late = matches!(self.code.as_str(), "deadline_exceeded" | "overloaded");
        codes.contains(&self.code.as_str()) || (is_late && self.stalled > MARGIN)
    }
}

/// Sends a request. Returns `None` if the connection was refused or closed.
///
/// An answer after the deadline, with another status than its code's or with an unlisted code is an error.
pub(crate) fn send(address: &str, request: &Request, pulse: &Pulse) -> Result<Option<Answered>, String> {
    let (begun, mark) = (Instant::now(), pulse.mark());
    let Some(reply) = exchange(address, request) else { return Ok(None) };
    let took = begun.elapsed();
    let stalled = pulse.stalled_since(&mark);
    if took > DEADLINE + MARGIN + stalled {
        return Err(format!("answered after {took:?}, of which the machine stalled {stalled:?}: {reply:?}"));
    }
    let (code, is_unknown) = if (200..300).contains(&reply.status) {
        ("ok".to_owned(), false)
    } else {
        let problem: Value = serde_json::from_str(&reply.body).map_err(|_| format!("no problem: {reply:?}"))?;
        let code = problem["code"].as_str().unwrap_or_default().to_owned();
        let is_listed = idp_bridge_client::Code::ALL.iter().any(|listed| listed.as_str() == code);
        if !is_listed || problem["status"] != reply.status {
            return Err(format!("an unlisted answer: {reply:?}"));
        }
        if matches!(reply.status, 429 | 503) && reply.header("retry-after").is_none() {
            return Err(format!("no retry-after: {reply:?}"));
        }
        (code, problem["outcome"] == "unknown")
    };
    Ok(Some(Answered { reply, took, code, is_unknown, stalled }))
}

/// Repeats a request until it succeeds.
pub(crate) fn recover(address: &str, request: &Request, pulse: &Pulse) -> Result<(), String> {
    let (begun, mark) = (Instant::now(), pulse.mark());
    loop {
        let answered = send(address, request, pulse)?.ok_or(CLOSED)?;
        match answered.code.as_str() {
            "ok" => return Ok(()),
            _ if begun.elapsed() < RECOVERY + pulse.stalled_since(&mark) => {
                std::thread::park_timeout(Duration::from_millis(20));
            }
            _ => return Err(format!("{:?} after the fault: {:?}", begun.elapsed(), answered.reply)),
        }
    }
}

fn exchange(address: &str, request: &Request) -> Option<Reply> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(TOO_LONG)).ok()?;
    stream.write_all(&request.to_last_bytes()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    bytes.windows(4).any(|part| part == b"\r\n\r\n").then(|| Reply::parse(&bytes))
}
