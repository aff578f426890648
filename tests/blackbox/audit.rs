//! Tests of the audit: rotation, `audit verify`, and a file that reaches its maximum size.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::json;

use crate::fixture::{Configured, signer};
use crate::support::bridge::{Bridge, until};
use crate::support::http::Reply;
use crate::support::program::run_in;

const AUDITED: &str = "shutdown_delay = \"0s\"\n[audit]\nfile = \"audit.jsonl\"\nrequired = true\n";

fn delete(bridge: &Bridge, id: &str) -> Reply {
    signer().call("users.delete", json!({"id": id})).send(bridge.address())
}

fn lines(file: &Path) -> usize {
    std::fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

#[test]
fn hangup_opens_the_audit_again() {
    let configured = Configured::with_server_keys(AUDITED);
    let [current, rotated] = ["audit.jsonl", "audit.1.jsonl"].map(|name| configured.folder().join(name));
    let mut bridge = configured.serve();
    assert_eq!(delete(&bridge, "u-1").status, 200);
    std::fs::rename(&current, &rotated).unwrap();
    bridge.signal(Signal::HUP);
    until(|| current.exists().then_some(())).expect("a new file");
    assert_eq!(delete(&bridge, "u-2").status, 200);
    bridge.signal(Signal::TERM);
    assert_eq!(bridge.wait_for_exit().code(), Some(0));
    assert_eq!((lines(&rotated), lines(&current)), (2, 2));

    let verify = |files: &[&str]| run_in(configured.folder(), [&["audit", "verify"], files].concat());
    let good = verify(&["audit.1.jsonl", "audit.jsonl"]).with_code(0);
    assert!(good.stdout.starts_with("unbroken: 4 lines\n"), "{good:?}");
    let text = std::fs::read_to_string(&rotated).unwrap();
    configured.write("audit.1.jsonl", &text.lines().take(1).map(|line| format!("{line}\n")).collect::<String>());
    let bad = verify(&["audit.1.jsonl", "audit.jsonl"]).with_code(1);
    assert!(bad.stdout.starts_with("broken at audit.jsonl:1: "), "{bad:?}");
    let json = verify(&["--json", "audit.1.jsonl", "audit.jsonl"]).with_code(1).json();
    assert_eq!((&json["broken"]["file"], &json["broken"]["line"]), (&json!("audit.jsonl"), &json!(1)));
    assert!(verify(&["missing.jsonl"]).with_code(2).stderr.contains("missing.jsonl"));
    let folder = verify(&["/tmp", "audit.jsonl"]).with_code(2);
    assert!(folder.stderr.contains("at: /tmp") && !folder.stderr.contains("audit.jsonl"), "{folder:?}");
}

#[test]
fn write_beyond_the_maximum_size_is_refused() {
    let configured = Configured::with_server_keys(AUDITED);
    let file = configured.folder().join("audit.jsonl");
    // A line per missing user. The signal of a too large file is ignored, as by a full disk.
    let program = env!("CARGO_BIN_EXE_idp-bridge");
    let script = format!("trap '' XFSZ; ulimit -f 4; exec '{program}' serve --listen 127.0.0.1:0");
    let mut command = Command::new("sh");
    command.env_clear().current_dir(configured.folder()).args(["-c", &script]);
    let mut bridge = Bridge::start(&mut command);
    let refused = until(|| Some(delete(&bridge, "u-missing")).filter(|reply| reply.status != 200)).expect("a refusal");
    assert_eq!(refused.problem(), (503, "overloaded".into()));
    let before = lines(&file);
    assert_eq!(delete(&bridge, "u-1").problem(), (503, "overloaded".into()));
    let read = signer().call("users.get_by_id", json!({"id": "u-1"})).send(bridge.address());
    assert_eq!(read.status, 200, "reads go on, and the user was not deleted: {read:?}");
    // A smaller file has space again.
    std::fs::rename(&file, configured.folder().join("full.jsonl")).unwrap();
    bridge.signal(Signal::HUP);
    until(|| Some(delete(&bridge, "u-1")).filter(|reply| reply.status == 200)).expect("a recovery");
    bridge.signal(Signal::TERM);
    assert_eq!(bridge.wait_for_exit().code(), Some(0));
    assert!(before > 1 && lines(&configured.folder().join("full.jsonl")) == before);
    run_in(configured.folder(), ["audit", "verify", "full.jsonl", "audit.jsonl"]).with_code(0);
}

#[test]
fn unwritable_audit_prevents_the_start_if_required() {
    for (file, reason) in [("missing/audit.jsonl", "the audit cannot be written"), ("/dev/full", "not a regular file")]
    {
        let configured = Configured::with_server_keys(&format!("[audit]\nfile = \"{file}\"\nrequired = true\n"));
        let ran = run_in(configured.folder(), ["serve", "--listen", "127.0.0.1:0"]).with_code(2);
        assert!(ran.stderr.contains(reason) && ran.stderr.contains(file), "{ran:?}");
    }
}
