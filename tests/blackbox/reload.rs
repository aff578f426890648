//! Tests of a configuration that changes while the bridge runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::json;

use crate::fixture::{Configured, KEY, signer};
use crate::support::bridge::{Bridge, until};
use crate::support::http::{Reply, Request};
use crate::support::sign::Signer;

const OTHER_KEY: &str = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU=";

fn get(signer: &Signer, bridge: &Bridge) -> Reply {
    signer.call("users.get_by_id", json!({"id": "u-1"})).send(bridge.address())
}

/// Returns the number of tenants with invalid settings.
fn broken_tenants(bridge: &Bridge) -> u64 {
    let reply = Request::get("/readyz?verbose").send(bridge.address());
    assert_eq!(reply.status, 200);
    reply.json()["broken_tenants"].as_u64().unwrap()
}

#[test]
fn keys_rotate_without_a_failed_call() {
    let configured = Configured::with_tenant_keys("");
    let bridge = Arc::new(configured.serve());
    let (rotated, stop) = (Signer::new(OTHER_KEY, "acme"), Arc::new(AtomicBool::new(false)));
    assert_eq!(get(&rotated, &bridge).problem(), (401, "invalid_signature".into()));
    let caller = std::thread::spawn({
        let (bridge, stop) = (Arc::clone(&bridge), Arc::clone(&stop));
        move || {
            let (mut calls, mut failed) = (0, 0);
            while !stop.load(Relaxed) {
                calls += 1;
                failed += usize::from(get(&signer(), &bridge).status != 200);
            }
            (calls, failed)
        }
    });
    let config = std::fs::read_to_string(configured.config()).unwrap();
    configured.write("next", OTHER_KEY);
    configured.write("idp-bridge.toml", &config.replace("[\"webhook\"]", "[\"webhook\", \"next\"]"));
    until(|| (get(&rotated, &bridge).status == 200).then_some(())).expect("the new key is accepted");
    // The secret file alone changes.
    configured.write("next", KEY);
    until(|| (get(&rotated, &bridge).status == 401).then_some(())).expect("the replaced key is refused");
    stop.store(true, Relaxed);
    let (calls, failed) = caller.join().unwrap();
    assert!(calls > 0 && failed == 0, "{failed} of {calls} failed");
}

#[test]
fn broken_settings_change_nothing() {
    let configured = Configured::with_tenant_keys("");
    let bridge = configured.serve();
    assert_eq!(broken_tenants(&bridge), 0);
    let config = std::fs::read_to_string(configured.config()).unwrap();
    configured.write("idp-bridge.toml", &config.replace("webhook_keys_file", "webhook_key_file"));
    assert!(bridge.wait_for_log("settings of a tenant are invalid").contains("\"is_served\":true"));
    assert!(bridge.wait_for_log("webhook_key_file").contains("idp-bridge.toml"));
    assert_eq!((get(&signer(), &bridge).status, broken_tenants(&bridge)), (200, 1));
    configured.write("idp-bridge.toml", "not toml");
    bridge.wait_for_log("all tenants keep their settings");
    assert_eq!(get(&signer(), &bridge).status, 200);
    configured.write("idp-bridge.toml", &config.replace("[tenants.acme]", "[tenants.acme]\ndeadline = \"2s\""));
    until(|| (broken_tenants(&bridge) == 0).then_some(())).expect("the configuration is valid again");
    assert_eq!(get(&signer(), &bridge).status, 200);
}

#[test]
fn removed_tenant_is_refused() {
    let configured = Configured::with_tenant_keys("");
    let bridge = configured.serve();
    let config = std::fs::read_to_string(configured.config()).unwrap();
    configured.write("idp-bridge.toml", &config.replace("tenants.acme", "tenants.globex"));
    until(|| (get(&signer(), &bridge).status == 401).then_some(())).expect("the tenant is removed");
    assert_eq!(get(&Signer::new(KEY, "globex"), &bridge).status, 200);
}
