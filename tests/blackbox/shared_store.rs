//! Two bridges over one Redis server: each write takes effect once, even if callers leave and a bridge ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use idp_bridge_test_redis::RedisServer;
use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpStream;

use crate::fixture::{Configured, KEY, TENANT, signer};
use crate::support::bridge::{Bridge, until};
use crate::support::http::{Connection, Request, Server, answer, within};

/// The number of writes, unless the variable `IDP_BRIDGE_WRITES` has another one.
const WRITES: usize = 300;
/// The number of calls with equal ids, at the same time and once more later.
const TWINS: usize = 5;
/// One caller in so many leaves before its answer.
const CUT: usize = 10;
/// The number of writes in flight.
const AT_ONCE: usize = 8;

#[expect(clippy::disallowed_methods, reason = "the configuration of a test")]
fn number_of_writes() -> usize {
    std::env::var("IDP_BRIDGE_WRITES").map_or(WRITES, |number| number.parse().unwrap())
}

/// A Keycloak that has every user, and counts the mails to each.
struct Keycloak {
    server: Server,
    mails: Arc<Mutex<HashMap<String, usize>>>,
}

impl Keycloak {
    async fn start() -> Self {
        let mails = Arc::new(Mutex::new(HashMap::<String, usize>::new()));
        let counted = Arc::clone(&mails);
        let server = Server::start(move |_, request| {
            let mut words = request.head.split([' ', '?']);
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let json = "content-type: application/json";
            let user = path.split("/users/").nth(1).map(|rest| rest.split('/').next().unwrap().to_owned());
            match (method, user) {
                ("PUT", Some(user)) => {
                    *counted.lock().unwrap().entry(user).or_default() += 1;
                    answer(204, &[], "")
                }
                ("GET", Some(user)) => {
                    let user = json!({"id": user, "username": user, "email": format!("{user}@acme.example"), "enabled": true,
                        "emailVerified": false, "attributes": {"customer_id": ["c-1"]}});
                    answer(200, &[json], &user.to_string())
                }
                _ => answer(
                    200,
                    &[json],
                    &json!({"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}).to_string(),
                ),
            }
        });
        Self { server: server.await, mails }
    }

    fn configuration(&self, redis: &RedisServer) -> String {
        format!(
            "[server]\nshutdown_delay = \"0s\"\n[server.store]\ntype = \"redis\"\nurls = [\"{}\"]\n\
             [tenants.{TENANT}]\nwebhook_keys = [\"{KEY}\"]\n[tenants.{TENANT}.connector]\ntype = \"keycloak\"\n\
             url = \"{}\"\nrealm = \"acme\"\nclient_id = \"b\"\nclient_secret = \"s\"\n",
            redis.url(),
            self.server.base()
        )
    }
}

/// The addresses of the bridges, and the answers of their callers.
struct Callers {
    bridges: Mutex<[SocketAddr; 2]>,
    answers: Mutex<BTreeMap<String, usize>>,
    /// The writes with callers that wait.
    running: Mutex<BTreeSet<usize>>,
    done: AtomicUsize,
}

impl Callers {
    fn address(&self, caller: usize) -> SocketAddr {
        self.bridges.lock().unwrap()[caller % 2]
    }

    fn count(&self, phase: &str, answer: &str) {
        *self.answers.lock().unwrap().entry(format!("{phase}: {answer}")).or_default() += 1;
    }

    /// Makes the call of one caller.
    async fn call(&self, phase: &str, write: usize, caller: usize) {
        let request = call(write).to_bytes();
        let Ok(stream) = TcpStream::connect(self.address(caller)).await else {
            return self.count(phase, "no connection");
        };
        let mut connection = Connection::over(stream);
        connection.write(&request).await;
        if phase == "at once" && (write * TWINS + caller).is_multiple_of(CUT) {
            return self.count(phase, "the caller left");
        }
        match connection.answer().await {
            Some(answer) => {
                let replayed = if answer.header("idempotent-replayed").is_some() { " (replayed)" } else { "" };
                let code = if answer.status == 200 { String::new() } else { answer.json()["code"].to_string() };
                self.count(phase, &format!("{}{replayed}{code}", answer.status));
            }
            None => self.count(phase, "the connection broke"),
        }
    }

    /// Repeats a call until it succeeds, as a platform does.
    async fn call_until_success(&self, write: usize, caller: usize) {
        let begun = Instant::now();
        loop {
            let answer = Connection::open(self.address(caller)).await.send(&call(write)).await;
            let is_replay = answer.header("idempotent-replayed").is_some();
            match (answer.status, is_replay) {
                (200, true) => return self.count("later", "200 (replayed)"),
                (200, false) => return self.count("later", "200"),
                (status, _) => self.count("later", &format!("{status} {}, and again", answer.json()["code"])),
            }
            assert!(begun.elapsed() < Duration::from_secs(40), "{answer:?}");
        }
    }
}

fn call(write: usize) -> Request {
    signer().call_with_id(&format!("msg_{write}"), "users.send_verification_email", json!({"id": format!("u-{write}")}))
}

async fn serve(configured: &Configured) -> Bridge {
    let config = configured.config();
    tokio::task::spawn_blocking(move || Bridge::serve(&config)).await.unwrap()
}

fn address(bridge: &Bridge) -> SocketAddr {
    bridge.address().parse().unwrap()
}

/// Runs a job for each write, some at the same time.
async fn for_each_write<F>(writes: usize, job: impl Fn(usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = tokio::task::JoinSet::new();
    for write in 0..writes {
        if running.len() == AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(job(write));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_take_effect_once_over_two_bridges() {
    let (writes, redis, keycloak) = (number_of_writes(), RedisServer::start(), Keycloak::start().await);
    let configured = Configured::new(&keycloak.configuration(&redis));
    let (killed, other) = (serve(&configured).await, serve(&configured).await);
    let callers = Arc::new(Callers {
        bridges: Mutex::new([address(&killed), address(&other)]),
        answers: Mutex::default(),
        running: Mutex::default(),
        done: AtomicUsize::new(0),
    });
    let begun = Instant::now();
    let at_once = for_each_write(writes, |write| {
        let callers = Arc::clone(&callers);
        async move {
            callers.running.lock().unwrap().insert(write);
            let mut twins = tokio::task::JoinSet::new();
            for caller in 0..TWINS {
                let callers = Arc::clone(&callers);
                twins.spawn(async move { callers.call("at once", write, caller).await });
            }
            twins.join_all().await;
            callers.running.lock().unwrap().remove(&write);
            callers.done.fetch_add(1, SeqCst);
        }
    });
    let kill = async {
        while callers.done.load(SeqCst) < writes / 2 {
            tokio::task::yield_now().await;
        }
        let mut running = callers.running.lock().unwrap().clone();
        killed.signal(Signal::KILL);
        running.extend(callers.running.lock().unwrap().iter());
        let restarted = serve(&configured).await;
        callers.bridges.lock().unwrap()[0] = address(&restarted);
        (restarted, running)
    };
    let ((), (_restarted, running)) = tokio::join!(at_once, kill);
    for_each_write(writes, |write| {
        let callers = Arc::clone(&callers);
        async move {
            for caller in 0..TWINS {
                callers.call_until_success(write, caller).await;
            }
        }
    })
    .await;
    let mails = keycloak.mails.lock().unwrap();
    let doubles: Vec<_> = (0..writes).filter(|write| mails[&format!("u-{write}")] > 1).collect();
    println!("{writes} writes in {:?}: {} doubles ({doubles:?})", begun.elapsed(), doubles.len());
    println!("writes with callers when one bridge was killed: {running:?}");
    println!("answers: {:#?}", callers.answers.lock().unwrap());
    assert_eq!(mails.len(), writes, "each write took effect");
    // A bridge that is killed between a mail and its record cannot know, so that mail may be sent again.
    assert!(doubles.iter().all(|write| running.contains(write)), "{doubles:?} but {running:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_need_no_store() {
    let (redis, keycloak) = (RedisServer::start(), Keycloak::start().await);
    let configured = Configured::new(&keycloak.configuration(&redis));
    let bridge = serve(&configured).await;
    let send = async |request: Request| within(Connection::open(address(&bridge)).await.send(&request)).await;
    let read = || signer().call("users.get_by_id", json!({"id": "u-1"}));
    let write = || signer().call("users.send_verification_email", json!({"id": "u-1"}));
    assert_eq!((send(read()).await.status, send(write()).await.status), (200, 200));
    redis.pause();
    let asked = Instant::now();
    let refused = send(write()).await;
    assert_eq!((refused.status, &refused.json()["outcome"]), (503, &json!("not_applied")), "{refused:?}");
    assert!(refused.header("retry-after").is_some() && asked.elapsed() < Duration::from_secs(4), "{refused:?}");
    assert_eq!(send(read()).await.status, 200);
    redis.resume();
    let back = Instant::now();
    while send(write()).await.status != 200 {
        assert!(back.elapsed() < Duration::from_secs(1), "{:?}", bridge.log());
    }
    assert_eq!(keycloak.mails.lock().unwrap()["u-1"], 2, "refused writes did not run");
    bridge.wait_for_log("the store is unavailable");
    bridge.wait_for_log("the store is available again");
}

#[test]
fn repeated_write_is_replayed_after_a_crash() {
    let configured = Configured::with_server_keys("state_dir = \".\"");
    let user = json!({"id": "u-1"});
    let write = |bridge: &Bridge| signer().call_with_id("msg_1", "users.delete", user.clone()).send(bridge.address());
    let mut bridge = configured.serve();
    let first = write(&bridge);
    assert_eq!((first.status, first.header("idempotent-replayed")), (200, None), "{first:?}");
    bridge.signal(Signal::KILL);
    bridge.wait_for_exit();
    let again = write(&configured.serve());
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")), "{again:?}");
    // The sample users are new after the restart, so a second delete would find the user.
    assert_eq!(again.body, first.body);
}

#[test]
fn unsafe_and_unreachable_stores_are_reported() {
    let mut redis = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru", "--requirepass", "hunter2"]);
    let server =
        format!("[server.store]\ntype = \"redis\"\nurls = [\"{}\"]\npassword_file = \"password\"", redis.url());
    let configured = Configured::with_server_keys(&server);
    configured.write("password", "hunter2\n");
    let run = |arguments: &[&str]| crate::support::program::run_in(configured.folder(), arguments);
    assert_eq!(run(&["check", "--json"]).with_code(0).json()["store"], "redis");
    let report = |text: &str| {
        let doctor = run(&["doctor"]).with_code(1);
        assert!(doctor.stdout.contains(text) && !doctor.stdout.contains("hunter"), "{doctor:?}");
        let bridge = configured.serve();
        let line = bridge.wait_for_log("a check of the shared store failed");
        assert!(until(|| bridge.log().concat().contains(text).then_some(())).is_some(), "{line}");
    };
    report("`maxmemory-policy` is `allkeys-lru`");
    configured.write("password", "hunter3\n");
    report("refuses the bridge's password");
    redis.kill();
    report("could not be reached");
}
