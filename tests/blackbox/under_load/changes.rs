//! Tenants are added, changed, rotated, broken, mended and removed while others are called.

use std::sync::Arc;

use serde_json::json;

use super::{CALLS_PER_SECOND, IS_FULL};
use crate::fixture::{Configured, SAMPLE_USERS};
use crate::support::bridge::{Bridge, until};
use crate::support::http::Request;
use crate::support::load::{Load, Target};
use crate::support::sign::Signer;

/// The number of tenants that are called. The first one is rotated, and the others are left alone.
const TENANTS: usize = 10;
/// The number of rounds of ten changes.
const ROUNDS: usize = if IS_FULL { 20 } else { 2 };

/// Returns a shared key that no other number has.
fn key(number: usize) -> String {
    // 43 digits and a padding character are 32 bytes. The last digit of such a text has two bits that are zero.
    format!("whsec_{number:042}A=")
}

fn tenant(key_files: &str, more: &str) -> String {
    format!(
        "webhook_keys_file = [{key_files}]\n{more}\n[connector]\ntype = \"memory\"\nusers_file = \"../users.json\"\n"
    )
}

/// A folder with a configuration, and the bridge that serves it.
struct Stage {
    configured: Configured,
    bridge: Bridge,
}

impl Stage {
    fn start() -> Self {
        let configured = Configured::new("");
        configured.write("users.json", SAMPLE_USERS);
        std::fs::create_dir(configured.folder().join("tenants")).unwrap();
        configured.write("tenants/idp-bridge.toml", "[server]\nshutdown_delay = \"0s\"\n");
        for number in 0..TENANTS {
            configured.write(&format!("key{number}"), &key(number));
            configured.write(&format!("tenants/t{number}.toml"), &tenant(&format!("\"../key{number}\""), ""));
        }
        let bridge = Bridge::serve_at(&configured.folder().join("tenants"), "127.0.0.1:0");
        Self { configured, bridge }
    }

    /// Writes a file whole: no reader sees a part of it.
    fn replace(&self, name: &str, text: &str) {
        self.configured.write("next", text);
        std::fs::rename(self.configured.folder().join("next"), self.configured.folder().join(name)).unwrap();
    }

    /// Waits until a signed call has this status.
    fn wait_for_status(&self, tenant: &str, key: &str, status: u16) {
        let call =
            || Signer::new(key, tenant).call("users.get_by_id", json!({"id": "u-1"})).send(self.bridge.address());
        until(|| (call().status == status).then_some(())).unwrap_or_else(|| panic!("{tenant}: {:?}", call()));
    }

    fn wait_for_broken_tenants(&self, count: u64) {
        let broken = || Request::get("/readyz?verbose").send(self.bridge.address()).json()["broken_tenants"].as_u64();
        until(|| (broken() == Some(count)).then_some(())).unwrap_or_else(|| panic!("{:?} are broken", broken()));
    }

    /// Adds, changes, breaks, mends and removes a tenant.
    fn change_other(&self, round: usize) {
        let (name, file) = (format!("x{round}"), format!("tenants/x{round}.toml"));
        self.configured.write("other", &key(100 + round));
        let settings = tenant("\"../other\"", "");
        self.replace(&file, &settings);
        self.wait_for_status(&name, &key(100 + round), 200);
        self.replace(&file, &tenant("\"../other\"", "disabled_calls = [\"users.get_by_id\"]"));
        self.wait_for_status(&name, &key(100 + round), 403);
        self.replace(&file, "not = = toml");
        self.wait_for_broken_tenants(1);
        self.replace(&file, &settings);
        self.wait_for_broken_tenants(0);
        self.wait_for_status(&name, &key(100 + round), 200);
        std::fs::remove_file(self.configured.folder().join(&file)).unwrap();
        self.wait_for_status(&name, &key(100 + round), 401);
    }

    /// Replaces the key of the first tenant, and a file of its connector.
    fn rotate(&self, target: &Target, round: usize) {
        let (old, new) = (key(if round == 0 { 0 } else { 200 + round - 1 }), key(200 + round));
        let (old_file, new_file) = (round % 2, (round + 1) % 2);
        let files = |first: usize, second: usize| tenant(&format!("\"../r{first}\", \"../r{second}\""), "");
        self.configured.write(&format!("r{old_file}"), &old);
        self.configured.write(&format!("r{new_file}"), &new);
        self.replace("tenants/t0.toml", &files(old_file, new_file));
        self.wait_for_status("t0", &new, 200);
        target.set_keys(&self.bridge.url(), &[&old, &new]);
        target.set_keys(&self.bridge.url(), &[&new]);
        let before = target.counts().calls;
        until(|| (target.counts().calls > before + 10).then_some(())).expect("calls with the new key");
        self.replace("tenants/t0.toml", &tenant(&format!("\"../r{new_file}\""), ""));
        self.wait_for_status("t0", &old, 401);
        // A secret file that is replaced with equal contents changes nothing, and one with other contents does.
        self.replace("users.json", &format!("{SAMPLE_USERS}{}", " ".repeat(round + 1)));
        self.wait_for_status("t0", &new, 200);
    }
}

#[test]
fn changes_fail_no_call() {
    let stage = Stage::start();
    let target = |number: usize| Arc::new(Target::new(&format!("t{number}"), &[stage.bridge.url()], &[&key(number)]));
    let targets: Vec<_> = (0..TENANTS).map(target).collect();
    let load = Load::start(&targets, CALLS_PER_SECOND);
    for round in 0..ROUNDS {
        stage.change_other(round);
        stage.rotate(&targets[0], round);
    }
    load.stop();
    let counts: Vec<_> = targets.iter().map(|target| target.counts()).collect();
    let calls: usize = counts.iter().map(|counts| counts.calls).sum();
    println!("{} changes, {calls} calls, {} of the rotated tenant", 10 * ROUNDS, counts[0].calls);
    assert!(counts.iter().all(|counts| counts.calls > 10), "{counts:?}");
    assert!(counts.iter().all(|counts| counts.failed == 0), "{counts:?}");
}
