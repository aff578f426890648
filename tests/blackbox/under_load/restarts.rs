//! Two bridges behind a balancer that follows `/readyz` are restarted in turn while they are called.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::Signal;

use super::{CALLS_PER_SECOND, IS_FULL};
use crate::fixture::{Configured, KEY, TENANT};
use crate::nginx::Nginx;
use crate::support::bridge::{Bridge, PATIENCE, until};
use crate::support::http::{Request, unused_address};
use crate::support::load::{Load, Target};

/// The number of restarts.
const RESTARTS: usize = if IS_FULL { 20 } else { 2 };
/// The time between two requests for the readiness of a bridge.
const INTERVAL: Duration = Duration::from_millis(50);

/// Follows the readiness of two bridges.
struct Follower {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Follower {
    /// Calls `apply` with the ready addresses when they change.
    fn start(addresses: [String; 2], mut apply: impl FnMut(&[String]) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut applied = Vec::new();
            while !is_stopped.load(SeqCst) {
                let ready: Vec<_> = addresses.iter().filter(|address| is_ready(address)).cloned().collect();
                if ready != applied && !ready.is_empty() {
                    apply(&ready);
                    applied = ready;
                }
                std::thread::park_timeout(INTERVAL);
            }
        });
        Self { stop, thread }
    }

    fn stop(self) {
        self.stop.store(true, SeqCst);
        self.thread.join().unwrap();
    }
}

fn is_ready(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = Vec::new();
    // A bridge that ends closes the connection.
    let _ = stream.write_all(&Request::get("/readyz").to_last_bytes()).and_then(|()| stream.read_to_end(&mut answer));
    answer.starts_with(b"HTTP/1.1 200")
}

/// Returns the directives of an nginx that passes requests on to these bridges.
///
/// Each call has a connection of its own (`keepalive_timeout 0`): a reload of nginx closes idle ones, on which the client may have
/// just sent a call.
fn to_directives(address: SocketAddr, ready: &[String]) -> String {
    let servers: String = ready.iter().map(|address| format!("server {address};")).collect();
    format!(
        "upstream bridges {{ {servers} keepalive 64; }}\n\
         keepalive_timeout 0; server {{ listen {address}; location / {{ proxy_pass http://bridges; proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\"; proxy_read_timeout 35s; }} }}"
    )
}

#[test]
fn restarts_fail_no_call() {
    let configured = Configured::with_server_keys("shutdown_delay = \"1s\"");
    let addresses = [unused_address().to_string(), unused_address().to_string()];
    let mut bridges: Vec<_> = addresses.iter().map(|address| Bridge::serve_at(&configured.config(), address)).collect();
    let balancer = unused_address();
    let nginx = IS_FULL.then(|| Nginx::start(balancer, &to_directives(balancer, &addresses), &[]));
    let urls = match &nginx {
        Some(_) => vec![format!("http://{balancer}")],
        None => addresses.iter().map(|address| format!("http://{address}")).collect(),
    };
    let target = Arc::new(Target::new(TENANT, &urls, &[KEY]));
    let follower = match &nginx {
        Some(nginx) => {
            let reload = nginx.reloader();
            Follower::start(addresses.clone(), move |ready| reload(&to_directives(balancer, ready)))
        }
        None => {
            let target = Arc::clone(&target);
            let urls = |ready: &[String]| ready.iter().map(|address| format!("http://{address}")).collect::<Vec<_>>();
            Follower::start(addresses.clone(), move |ready| target.set_urls(&urls(ready)))
        }
    };
    let load = Load::start(&[Arc::clone(&target)], CALLS_PER_SECOND);
    let mut clean = 0;
    for restart in 0..RESTARTS {
        let (failed, calls) = (target.counts().failed, target.counts().calls);
        until(|| (target.counts().calls > calls + 50).then_some(())).expect("calls before the restart");
        let bridge = &mut bridges[restart % 2];
        bridge.signal(Signal::TERM);
        assert_eq!(bridge.wait_for_exit().code(), Some(0));
        bridges[restart % 2] = Bridge::serve_at(&configured.config(), &addresses[restart % 2]);
        clean += usize::from(target.counts().failed == failed);
    }
    load.stop();
    follower.stop();
    let counts = target.counts();
    println!("{clean} of {RESTARTS} restarts without a failed call, {} calls", counts.calls);
    assert!(counts.calls > 100 * RESTARTS && counts.failed == 0, "{counts:?}");
}
