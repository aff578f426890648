//! Tests of the isolation of tenants: with an identity provider or a name server that hangs, and in an outage.
//!
//! With `IDP_BRIDGE_LOAD=full` in the environment of the build, 12,000 callers call the tenant that hangs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;
use idp_bridge_test_http::{Relay, Target};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;
use tokio::time::{Interval, interval};

use crate::fixture::{Configured, KEY};
use crate::load::raise_open_file_limit;
use crate::support::bridge::{Bridge, PATIENCE, until};
use crate::support::http::{Reply, Request};
use crate::support::keycloak;
use crate::support::namespace::SilentNameServer;
use crate::support::sign::Signer;
use crate::under_load::IS_FULL;

/// The number of tenants. The first one is behind the relay.
const TENANTS: usize = 10;
/// The number of callers of the tenant that hangs. They never close their connections.
const STUCK_CALLERS: usize = if IS_FULL { 12_000 } else { 2_000 };
/// The time between two calls of these callers, once each has made one. The machine is for the bridge, not for its callers.
const PAUSE: Duration = Duration::from_millis(if IS_FULL { 4 } else { 10 });
/// The number of calls of each other tenant in a measurement.
const CALLS: usize = if IS_FULL { 200 } else { 40 };

/// Tenants of one Keycloak, the first of them behind a relay.
struct Stage {
    bridge: Bridge,
    relay: Relay,
    /// The host and port of Keycloak.
    upstream: String,
    user: String,
    _configured: Configured,
    _harness: KeycloakHarness,
    _runtime: Runtime,
}

impl Stage {
    fn start(deadline: &str) -> Self {
        Self::start_with(deadline, None)
    }

    /// Starts a bridge. With a name server, the first tenant has a name that it does not resolve, instead of the relay.
    fn start_with(deadline: &str, names: Option<&SilentNameServer>) -> Self {
        let runtime = Runtime::new().unwrap();
        let (harness, url, user) = runtime.block_on(keycloak::start("ada@acme.example", "c-1"));
        let (relay, upstream) = (Relay::start(), url.trim_start_matches("http://").to_owned());
        relay.set_target(Target::At(upstream.clone()));
        let table = |number: usize| {
            let url = match (number, names) {
                (0, Some(_)) => "https://kc.acme.example".to_owned(),
                (0, None) => relay.url(),
                _ => url.clone(),
            };
            format!(
                "[tenants.t{number}]\nwebhook_keys = [\"{}\"]\ndeadline = \"{deadline}\"\n[tenants.t{number}.connector]\n\
                 type = \"keycloak\"\n{}",
                key(number),
                keycloak::settings(&harness, &url)
            )
        };
        // All callers have one address, and are not refused for that.
        let server = "[server]\nshutdown_delay = \"0s\"\nmetrics_listen = \"127.0.0.1:0\"\n\
                      [server.limits]\nconnections = 20000\nconnections_per_peer = 15000\n";
        let configured = Configured::new(&format!("{server}{}", (0..TENANTS).map(table).collect::<String>()));
        let bridge = names.map_or_else(|| configured.serve_at_info(), |names| names.serve(configured.folder()));
        Self { bridge, relay, upstream, user, _configured: configured, _harness: harness, _runtime: runtime }
    }

    /// Gets the user of a tenant.
    fn get(&self, tenant: usize) -> Reply {
        call(tenant, &self.user).send(self.bridge.address())
    }

    /// Makes calls of all tenants except the first, one after the other. Returns their durations, sorted.
    fn measure_others(&self) -> Vec<Duration> {
        let calls = (0..CALLS).flat_map(|_| 1..TENANTS).map(|tenant| {
            let begun = Instant::now();
            let reply = self.get(tenant);
            assert_eq!(reply.status, 200, "t{tenant}: {reply:?}");
            begun.elapsed()
        });
        let mut times: Vec<_> = calls.collect();
        times.sort();
        times
    }
}

/// Returns the key of a tenant.
fn key(tenant: usize) -> String {
    format!("whsec_{}{tenant}{}", &KEY["whsec_".len()..][..22], "A".repeat(9))
}

fn call(tenant: usize, user: &str) -> Request {
    Signer::new(&key(tenant), &format!("t{tenant}")).call("users.get_by_id", json!({"id": user}))
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// The callers of the first tenant. They repeat their calls until this is dropped, and keep their connections open.
struct StuckCallers {
    answered: Arc<AtomicUsize>,
    /// The connections that the bridge closed.
    closed: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl StuckCallers {
    fn start(stage: &Stage) -> Self {
        let address: SocketAddr = stage.bridge.address().parse().unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (answered, closed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        runtime.block_on(async {
            let turns = Arc::new(Mutex::new(interval(PAUSE)));
            for number in 0..STUCK_CALLERS {
                let caller = Caller { stream: connect(address).await, number, turns: Arc::clone(&turns) };
                let (answered, closed) = (Arc::clone(&answered), Arc::clone(&closed));
                tokio::spawn(async move {
                    caller.call_until_closed(&answered).await;
                    closed.fetch_add(1, SeqCst);
                });
            }
        });
        Self { answered, closed, _runtime: runtime }
    }
}

/// Connects from another address, as another client would have.
async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket.connect(address).await.unwrap()
}

/// One of the callers.
struct Caller {
    stream: TcpStream,
    number: usize,
    turns: Arc<Mutex<Interval>>,
}

impl Caller {
    async fn call_until_closed(mut self, answered: &AtomicUsize) {
        let request = || call(0, &format!("u-{}", self.number)).to_bytes();
        while self.stream.write_all(&request()).await.is_ok() {
            // A response arrives at once, since it is small.
            if !self.stream.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {
                return;
            }
            answered.fetch_add(1, SeqCst);
            self.turns.lock().await.tick().await;
        }
    }
}

#[test]
fn hanging_tenant_does_not_disturb_others() {
    raise_open_file_limit();
    let stage = Stage::start("4s");
    assert_eq!(stage.get(0).status, 200);
    measure_while_stuck(&stage, || stage.relay.set_target(Target::Hanging));
}

#[test]
fn hanging_name_server_does_not_disturb_others() {
    raise_open_file_limit();
    let names = SilentNameServer::start("127.0.53.2");
    let stage = Stage::start_with("4s", Some(&names));
    assert!([503, 504].contains(&stage.get(0).status));
    measure_while_stuck(&stage, || assert!(names.was_queried(), "the name server got no query"));
}

/// Compares the durations of other tenants' calls before and while the callers of the first tenant are stuck.
fn measure_while_stuck(stage: &Stage, begin: impl FnOnce()) {
    stage.measure_others();
    let before = stage.measure_others();
    begin();
    let callers = StuckCallers::start(stage);
    until(|| (callers.answered.load(SeqCst) > 0).then_some(())).expect("calls beyond the queue are answered");
    let probes = stage.bridge.wait_for_log("serving probes");
    let probes = probes.split("\"address\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let (begun, mut during, mut health) = (Instant::now(), Vec::new(), Vec::new());
    // Longer than a deadline, so that the calls that wait for the identity provider end, too.
    while begun.elapsed() < Duration::from_secs(6) {
        during.extend(stage.measure_others());
        for address in [stage.bridge.address(), probes] {
            let asked = Instant::now();
            assert_eq!(Request::get("/healthz").send(address).status, 200);
            health.push(asked.elapsed());
        }
    }
    during.sort();
    health.sort();
    let (p99_before, p99_during) = (percentile(&before, 99), percentile(&during, 99));
    assert_eq!(callers.closed.load(SeqCst), 0, "the bridge closed connections");
    println!(
        "{} calls before: p50 {:?}, p99 {p99_before:?}; {} calls with {STUCK_CALLERS} stuck callers ({} answers): p50 {:?}, \
         p99 {p99_during:?} ({:.2} times); /healthz {:?} at most",
        before.len(),
        percentile(&before, 50),
        during.len(),
        callers.answered.load(SeqCst),
        percentile(&during, 50),
        p99_during.as_secs_f64() / p99_before.as_secs_f64(),
        health.last().unwrap()
    );
    // The tests of a busy machine without optimization have wider bounds.
    let (max_p99, max_health) = match IS_FULL {
        true => (p99_before.mul_f64(1.2), Duration::from_millis(50)),
        false => (10 * p99_before + Duration::from_millis(250), Duration::from_millis(500)),
    };
    assert!(p99_during < max_p99, "{p99_before:?} became {p99_during:?}");
    assert!(*health.last().unwrap() < max_health, "{health:?}");
}

/// Runs an outage, and returns the number of calls and of upstream requests after its first second, and the time to recover.
fn run_outage(outage: Target) -> (usize, usize, Duration) {
    let stage = Stage::start("1s");
    assert_eq!(stage.get(0).status, 200);
    stage.relay.set_target(outage);
    let begun = Instant::now();
    let line = until(|| {
        assert!([503, 504].contains(&stage.get(0).status));
        let is_open = |line: &String| line.contains("\"circuit\":\"open\"") && line.contains("\"tenant.id\":\"t0\"");
        stage.bridge.log().into_iter().find(is_open)
    });
    println!("the breaker opened after {:?}: {}", begun.elapsed(), line.expect("the breaker opens"));
    let (mut calls, before) = (0, stage.relay.accepted());
    let measured = Instant::now();
    while measured.elapsed() < Duration::from_secs(3) {
        let reply = stage.get(0);
        assert!([503, 504].contains(&reply.status), "{reply:?}");
        calls += 1;
    }
    let requests = stage.relay.accepted() - before;
    assert_eq!(stage.get(1).status, 200, "another tenant");
    stage.relay.set_target(Target::At(stage.upstream.clone()));
    let ended = Instant::now();
    until(|| (stage.get(0).status == 200).then_some(())).expect("the tenant is served again");
    let recovered = ended.elapsed();
    stage.bridge.wait_for_log("\"circuit\":\"closed\"");
    (calls, requests, recovered)
}

#[test]
fn outage_is_not_multiplied_and_ends_soon() {
    for outage in [Target::Down, Target::Hanging] {
        let name = format!("{outage:?}");
        let (calls, requests, recovered) = run_outage(outage);
        println!("{name}: {calls} calls, {requests} upstream requests; recovered after {recovered:?}");
        assert!(5 * requests <= 6 * calls, "{name}: {requests} requests for {calls} calls");
        assert!(recovered < Duration::from_secs(3) && recovered < PATIENCE, "{name}: {recovered:?}");
    }
}
