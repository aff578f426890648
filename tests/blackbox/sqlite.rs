//! `serve --sqlite`: users in a file, which survives restarts and SIGKILL.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rustix::process::Signal;
use serde_json::json;

use crate::fixture::{KEY, SAMPLE_USERS, TENANT, signer};
use crate::support::bridge::Bridge;
use crate::support::http::Request;
use crate::support::program::{Output, command, run_in};

fn serve(folder: &Path) -> Bridge {
    Bridge::start(command(folder).args(["serve", "--sqlite", "users.db", "--listen", "127.0.0.1:0"]))
}

fn run(folder: &Path, line: &str) -> Output {
    run_in(folder, line.split_whitespace())
}

/// Imports as many users, `u-0` and following ones.
fn import(folder: &Path, count: usize) {
    let line = |index| {
        let (id, email, customer) = (format!("u-{index}"), format!("u-{index}@acme.example"), format!("c-{index}"));
        json!({"id": id, "email": email, "customer": customer}).to_string()
    };
    let lines: Vec<String> = (0..count).map(line).collect();
    std::fs::write(folder.join("users.jsonl"), lines.join("\n")).unwrap();
    let imported = run(folder, "users import users.jsonl --sqlite users.db --json").with_code(0).json();
    assert_eq!(imported["imported"], count);
}

/// Makes a signed call with the key that the first start wrote.
fn call(folder: &Path, bridge: &Bridge, line: &str) -> Output {
    let options = format!("--url {} --tenant default --key-file users.platform.key --json", bridge.url());
    run(folder, &format!("call {line} {options}"))
}

#[test]
fn users_and_keys_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("users.json"), SAMPLE_USERS).unwrap();
    let bridge = serve(folder);
    bridge.wait_for_output("users import users.json --sqlite ");
    assert_eq!(call(folder, &bridge, "get-by-email ada@acme.example").with_code(1).json()["code"], "user_not_found");
    run(folder, "users import users.json --sqlite users.db").with_code(0);
    let ada = call(folder, &bridge, "get-by-email ADA@acme.example").with_code(0).json();
    assert_eq!((&ada["user"]["customer"], &ada["user"]["logins_count"]), (&json!("cust-1"), &json!("42")));
    call(folder, &bridge, "mark-email-verified u-3 --email linus@acme.example").with_code(0);
    call(folder, &bridge, "delete u-2").with_code(0);
    drop(bridge);
    let bridge = serve(folder);
    assert_eq!(call(folder, &bridge, "get-by-id u-1").with_code(0).json(), ada);
    assert_eq!(call(folder, &bridge, "get-by-customer cust-3").with_code(0).json()["user"]["email_verified"], true);
    assert_eq!(call(folder, &bridge, "get-by-id u-2").with_code(1).json()["code"], "user_not_found");
    let direct = run(folder, "users get-by-email linus@acme.example --sqlite users.db --json").with_code(0).json();
    assert_eq!(direct["user"]["email_verified"], true);
}

/// Sends a call, and returns whether the bridge has acknowledged it before it was killed.
fn is_acknowledged(address: &str, request: &Request) -> bool {
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&request.to_last_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    exchange().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 ") && answer.ends_with('}'))
}

#[test]
fn acknowledged_writes_survive_a_kill() {
    const USERS: usize = 2_000;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    import(folder, USERS);
    // A key of the platform's own.
    std::fs::write(folder.join("users.bridge.key"), KEY).unwrap();
    let start = || {
        let options = ["serve", "--sqlite", "users.db", "--tenant", TENANT, "--listen", "127.0.0.1:0"];
        Bridge::start(command(folder).args(options))
    };
    let mut bridge = start();
    let (address, next) = (bridge.address().to_owned(), AtomicUsize::new(0));
    let (deleted, marked) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, SeqCst);
                    let (kind, done) = match index % 2 {
                        0 => ("users.delete", &deleted),
                        _ => ("users.mark_email_verified", &marked),
                    };
                    let request = signer().call(kind, json!({"id": format!("u-{index}")}));
                    if index >= USERS || !is_acknowledged(&address, &request) {
                        break;
                    }
                    done.lock().unwrap().push(index);
                }
            });
        }
        while deleted.lock().unwrap().len() < 50 {
            std::thread::yield_now();
        }
        bridge.signal(Signal::KILL);
    });
    bridge.wait_for_exit();
    let (deleted, marked) = (deleted.into_inner().unwrap(), marked.into_inner().unwrap());
    assert!(next.into_inner() < USERS && marked.len() > 20, "the bridge was killed in the middle of the writes");
    let bridge = start();
    let get = |index| signer().call("users.get_by_id", json!({"id": format!("u-{index}")})).send(bridge.address());
    for index in deleted {
        assert_eq!(get(index).verdict(), (404, "user_not_found".to_owned()), "u-{index}");
    }
    for index in marked {
        assert_eq!(get(index).json()["user"]["email_verified"], true, "u-{index}");
    }
}

#[test]
fn wrong_options_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("text.db"), "this is a text, and not a database at all. ".repeat(40)).unwrap();
    std::fs::write(folder.join("users.jsonl"), "{\"id\":\"u-1\"}\n{\"emial\":\"x\"}").unwrap();
    for (line, part) in [
        ("serve --sqlite users.db --config idp-bridge.toml", "cannot be used with"),
        ("serve --tenant acme", "--sqlite"),
        ("serve --sqlite text.db", "not a SQLite database"),
        ("users get-by-id u-1 --sqlite missing.db", "does not exist"),
        ("users import users.jsonl --sqlite users.db", "line 2 is invalid"),
        ("users import missing.jsonl --sqlite users.db", "missing.jsonl"),
    ] {
        let ran = run(folder, line).with_code(2);
        assert!(ran.stderr.contains(part), "{line}: {ran:?}");
    }
    assert!(!folder.join("missing.db").exists());
    std::fs::write(folder.join("users.bridge.key"), "no key").unwrap();
    let ran = run(folder, "serve --sqlite users.db").with_code(2);
    assert!(ran.stderr.contains("users.bridge.key"), "{ran:?}");
}
