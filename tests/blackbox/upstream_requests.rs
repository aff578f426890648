//! Tests of the requests to the identity provider: calls at the same time share them, and a revoked access token fails no call.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use idp_bridge_conformance::{Harness as _, NewUser};
use idp_bridge_connector_keycloak_testing::fake::{Exchange, FakeKeycloak};
use idp_bridge_connector_keycloak_testing::harness::{KeycloakHarness, Server as Keycloak};
use idp_bridge_core::{CustomerId, Email, Secret};
use idp_bridge_test_http::{Received, Server, answer};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::fixture::{Configured, KEY, TENANT, signer};
use crate::support::bridge::{Bridge, until};
use crate::support::http::{Reply, Request};
use crate::support::load::{Load, Target};
use crate::under_load::CALLS_PER_SECOND;

/// The number of calls at the same time.
const CALLERS: usize = 64;
/// The number of times that the access token is revoked, and the calls before each of them.
const REVOCATIONS: usize = 5;
const CALLS_BETWEEN: usize = 20;

/// Starts a bridge with one tenant of the Keycloak at this URL.
fn serve(url: &str, (realm, client_id, secret, attribute): (&str, &str, &str, &str)) -> (Bridge, Configured) {
    let configured = Configured::new(&format!(
        "[server]\nshutdown_delay = \"0s\"\nmetrics_listen = \"127.0.0.1:0\"\n\
         [tenants.{TENANT}]\nwebhook_keys_file = [\"webhook\"]\ndeadline = \"30s\"\n\
         [tenants.{TENANT}.connector]\ntype = \"keycloak\"\nurl = \"{url}\"\nrealm = \"{realm}\"\n\
         client_id = \"{client_id}\"\nclient_secret = \"{secret}\"\ncustomer_attribute = \"{attribute}\"\n"
    ));
    (configured.serve_at_info(), configured)
}

/// A bridge before a Keycloak that answers one kind of request only when a test lets it.
struct Gated {
    keycloak: Server,
    gate: Sender<()>,
    bridge: Bridge,
    _configured: Configured,
    _runtime: Runtime,
}

impl Gated {
    /// Holds back the answers to requests with this method, for this time at most.
    ///
    /// The bridge sends a request without an answer again: for a token after 2.5 s, and for a read after half of the deadline.
    fn start(method: &'static str, hold: Duration) -> Self {
        let runtime = Runtime::new().unwrap();
        let (gate, opened) = channel();
        let opened = Mutex::new(opened);
        let script = move |_, request: &Received| {
            if request.head.starts_with(method) {
                // Once opened, the gate stays open.
                let _ = opened.lock().unwrap().recv_timeout(hold);
            }
            respond(request)
        };
        let keycloak = runtime.block_on(Server::start(script));
        let (bridge, configured) = serve(&keycloak.base(), ("acme", "bridge", "s3cret", "customer_id"));
        Self { keycloak, gate, bridge, _configured: configured, _runtime: runtime }
    }

    /// Sends all requests at the same time, and opens the gate when the bridge has received all. Returns the replies, and the
    /// requests to Keycloak.
    fn send_together(self, requests: &[Request]) -> (Vec<Reply>, Vec<Received>) {
        let metrics = self.bridge.probes_address();
        let in_flight = format!("\nidp_bridge_calls_in_flight {}\n", requests.len());
        let replies = std::thread::scope(|scope| {
            let address = self.bridge.address();
            let sent: Vec<_> = requests.iter().map(|request| scope.spawn(move || request.send(address))).collect();
            until(|| {
                let are_received = Request::get("/metrics").send(&metrics).body.contains(&in_flight);
                (are_received || sent.iter().any(ScopedJoinHandle::is_finished)).then_some(())
            })
            .expect("the calls are received or answered");
            drop(self.gate);
            sent.into_iter().map(|sent| sent.join().unwrap()).collect()
        });
        (replies, self.keycloak.received())
    }
}

/// Returns a token, or the user with the id at the end of the path.
fn respond(request: &Received) -> idp_bridge_test_http::Reply {
    let json = &["content-type: application/json"];
    if request.head.starts_with("POST") {
        return answer(200, json, r#"{"access_token":"t-1","expires_in":300,"token_type":"Bearer"}"#);
    }
    let path = request.head.split(' ').nth(1).unwrap_or_default();
    let id = path.rsplit('/').next().unwrap_or_default();
    let user = json!({"id": id, "email": "ada@acme.example", "attributes": {"customer_id": ["c-1"]}});
    answer(200, json, &user.to_string())
}

fn get(id: &str) -> Request {
    signer().call("users.get_by_id", json!({"id": id}))
}

fn count(received: &[Received], method: &str) -> usize {
    received.iter().filter(|request| request.head.starts_with(method)).count()
}

#[test]
fn cold_calls_share_one_token_request() {
    let requests: Vec<_> = (0..CALLERS).map(|number| get(&format!("u-{number}"))).collect();
    let (replies, received) = Gated::start("POST", Duration::from_secs(2)).send_together(&requests);
    for (number, reply) in replies.iter().enumerate() {
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["user"]["id"], format!("u-{number}"));
    }
    assert_eq!((count(&received, "POST"), count(&received, "GET")), (1, CALLERS));
}

#[test]
fn equal_reads_share_one_upstream_request() {
    let requests: Vec<_> = (0..CALLERS).map(|_| get("u-1")).collect();
    let (replies, received) = Gated::start("GET", Duration::from_secs(10)).send_together(&requests);
    for reply in &replies {
        assert_eq!((reply.status, &reply.body), (200, &replies[0].body));
    }
    assert_eq!((count(&received, "POST"), count(&received, "GET")), (1, 1));
}

/// A bridge before a fake Keycloak that can revoke its tokens.
struct Revoking {
    fake: Arc<FakeKeycloak>,
    /// The path of the bridge's token requests.
    token_path: String,
    token_requests: AtomicUsize,
    user: String,
    bridge: Bridge,
    _configured: Configured,
    _harness: KeycloakHarness,
    _runtime: Runtime,
}

impl Revoking {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let (fake, harness, user) = runtime.block_on(async {
            let fake = Arc::new(FakeKeycloak::start().await.unwrap());
            let harness = KeycloakHarness::start(Keycloak::fake(Arc::clone(&fake))).await.unwrap();
            let mut user = NewUser::person(Email::new("ada@acme.example").unwrap());
            user.customers = vec![CustomerId::new("c-1").unwrap()];
            let user = harness.create(user).await.unwrap();
            (fake, harness, user.as_str().to_owned())
        });
        let config = harness.config();
        let secret = config.client_secret.as_ref().map(Secret::expose).unwrap();
        let settings = (config.realm.as_str(), config.client_id.as_str(), secret, config.customer_attribute.as_str());
        let (bridge, configured) = serve(&fake.url(), settings);
        let token_path = format!("/realms/{}/protocol/openid-connect/token", config.realm);
        fake.take_exchanges();
        Self {
            fake,
            token_path,
            token_requests: AtomicUsize::new(0),
            user,
            bridge,
            _configured: configured,
            _harness: harness,
            _runtime: runtime,
        }
    }

    /// Waits until a call has used a token that was requested after the last call of this function.
    fn wait_for_new_token(&self) {
        let mut is_new = false;
        let is_used = || {
            let mut is_used = false;
            for Exchange { request, answer, .. } in self.fake.take_exchanges() {
                let is_token = request.target == self.token_path;
                self.token_requests.fetch_add(usize::from(is_token), SeqCst);
                is_new |= is_token;
                is_used |= is_new && !is_token && answer.status == 200;
            }
            is_used.then_some(())
        };
        until(is_used).expect("a call uses a new token");
    }
}

#[test]
fn revoked_access_token_fails_no_call() {
    let stage = Revoking::start();
    let target = Arc::new(Target::with_user(TENANT, &stage.user, &[stage.bridge.url()], &[KEY]));
    let load = Load::start(&[Arc::clone(&target)], CALLS_PER_SECOND);
    stage.wait_for_new_token();
    for number in 1..=REVOCATIONS {
        let is_under_load = || (target.counts().calls >= number * CALLS_BETWEEN).then_some(());
        until(is_under_load).expect("calls are made");
        stage.fake.expire_tokens();
        stage.wait_for_new_token();
    }
    load.stop();
    let counts = target.counts();
    println!("{} calls while the access token was revoked {REVOCATIONS} times", counts.calls);
    assert!(counts.calls >= REVOCATIONS * CALLS_BETWEEN && counts.failed == 0, "{counts:?}");
    assert_eq!(stage.token_requests.load(SeqCst), 1 + REVOCATIONS);
}
