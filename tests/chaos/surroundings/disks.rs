//! Full disks.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::stage::{OK, Served, Stage};
use crate::support::bridge::Bridge;
use crate::support::namespace;

/// Mounts a small disk at the first argument.
const SMALL_DISK: &str = "mount -t tmpfs -o size=8m tmpfs \"$1\"";

/// The most writes that a file has room for on a full disk.
const MOST_WRITES: usize = 5_000;

/// A folder on a small disk that only the bridge sees.
struct SmallDisk {
    /// The folder, as this process reaches it.
    path: PathBuf,
}

impl SmallDisk {
    /// Starts a bridge with the folder `small` on a disk of its own.
    fn serve<'a>(stage: &Stage<'a>, folder: &Path, tables: &str) -> (Served<'a>, Self) {
        let small = folder.join("small");
        std::fs::create_dir(&small).unwrap();
        stage.configure(folder, tables);
        let served = stage.serve(namespace::serve(folder, SMALL_DISK, &[&small]));
        let root = PathBuf::from(format!("/proc/{}/root", served.bridge.process_id()));
        let path = root.join(small.strip_prefix("/").unwrap());
        (served, Self { path })
    }

    /// Writes until the disk is full.
    fn fill(&self) {
        let mut file = File::create(self.path.join("filling")).unwrap();
        // Down to single bytes, so that no small write fits.
        for size in [64 * 1024, 1024, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Frees the space.
    fn free(&self) {
        std::fs::remove_file(self.path.join("filling")).unwrap();
    }
}

pub(super) fn store_is_full(stage: &Stage<'_>) -> Result<(), String> {
    let server = "[server]\nshutdown_delay = \"0s\"\nstate_dir = \"small\"\n";
    with_full_disk(stage, server, |served| {
        served.check_all(|idp| {
            let requests = served.requests_of(idp);
            let [_, _, userinfo, logout] = requests.as_slice() else { return Ok(()) };
            // The file may have room for it.
            match served.expect(&["ok", "overloaded"], logout)?.code.as_str() {
                "ok" => served.expect(&["invalid_token"], userinfo).map(drop),
                _ => Ok(()),
            }
        })
    })
}

pub(super) fn audit_is_full(stage: &Stage<'_>) -> Result<(), String> {
    let server = "[server]\nshutdown_delay = \"0s\"\nstate_dir = \"state\"\n\
                  [audit]\nfile = \"small/audit.jsonl\"\nrequired = true\n";
    with_full_disk(stage, server, |_| Ok(()))
}

/// Fills the disk, and checks that writes are refused without an effect until it has space again.
fn with_full_disk(
    stage: &Stage<'_>,
    server: &str,
    check: impl Fn(&Served<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    let (served, disk) = SmallDisk::serve(stage, folder.path(), server);
    served.check_all_served()?;
    disk.fill();
    let during = check_writes_are_refused(&served).and_then(|()| check(&served));
    disk.free();
    during?;
    served.check_all_served()
}

fn check_writes_are_refused(served: &Served<'_>) -> Result<(), String> {
    // A repeated deletion succeeds. The file has room for some of them.
    let idp = &served.stage.idps[0];
    let deleted = idp.create("users.delete");
    let is_refused = |_| {
        let answered = served.expect(&["ok", "overloaded"], &idp.call("users.delete", &deleted))?;
        Ok::<_, String>(answered.code == "overloaded")
    };
    let refused = (0..MOST_WRITES).map(is_refused).find(|refused| *refused != Ok(false));
    refused.ok_or("all writes succeeded on a full disk")??;
    served.check_all(|idp| {
        let person = idp.create("users.delete");
        let answered = served.expect(&["ok", "overloaded"], &idp.call("users.delete", &person))?;
        // Space that the file has freed is used again.
        let read: &[&str] = if answered.code == "ok" { &["user_not_found"] } else { OK };
        served.expect(read, &idp.call("users.get_by_id", &person)).map(drop)
    })
}

pub(super) fn log_is_full(stage: &Stage<'_>) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    stage.configure(folder.path(), "[server]\nshutdown_delay = \"0s\"\nstate_dir = \"state\"\n");
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let config = folder.path().join("idp-bridge.toml");
    let served = stage.serve(Bridge::serve_with_log(&config, full.into()));
    served.check_all(|idp| served.requests_of(idp).iter().try_for_each(|request| served.expect(OK, request).map(drop)))
}
