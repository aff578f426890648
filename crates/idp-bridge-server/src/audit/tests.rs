//! The audit in files, and in an output with little space.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use idp_bridge_core::SystemClock;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::output::Tail;
use super::*;

const LONG: Duration = Duration::from_secs(60);

fn settings(file: &Path, required: bool) -> AuditSettings {
    AuditSettings { file: Some(file.to_owned()), fsync: AuditSync::Each, required }
}

fn open(file: &Path, required: bool) -> io::Result<Audit> {
    Audit::open(&settings(file, required), Arc::new(SystemClock))
}

fn entry(request: &str) -> AuditEntry {
    let call = AuditedCall {
        request: request.into(),
        tenant: "acme".into(),
        connector: "memory",
        surface: "webhook",
        call: "users.delete",
        ..AuditedCall::default()
    };
    AuditEntry::new(Timestamp::UNIX_EPOCH, AuditEvent::Write, call)
}

async fn record(audit: &Audit, request: &str) {
    audit.reserve().await.unwrap().record(entry(request), Instant::now() + LONG).await;
}

fn lines(file: &Path) -> Vec<Value> {
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn verify(texts: &[&str]) -> AuditReport {
    let files = texts.iter().enumerate().map(|(index, text)| (index.to_string(), text.as_bytes()));
    verify_audit(files).unwrap()
}

#[tokio::test]
async fn lines_form_a_chain_over_restarts_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let (file, rotated) = (folder.path().join("audit"), folder.path().join("audit.1"));
    let audit = open(&file, true).unwrap();
    record(&audit, "r-1").await;
    drop(audit);
    let audit = open(&file, true).unwrap();
    record(&audit, "r-2").await;
    fs::rename(&file, &rotated).unwrap();
    audit.reopen();
    record(&audit, "r-3").await;
    let events: Vec<_> = lines(&rotated).iter().chain(&lines(&file)).map(|line| line["event"].clone()).collect();
    assert_eq!(events, ["start", "write", "start", "write", "start", "write"]);
    let [first, second] = [&rotated, &file].map(|file| fs::read_to_string(file).unwrap());
    let report = verify(&[&first, &second]);
    assert_eq!((report.lines, &report.broken, report.incomplete), (6, &None, 0));
    assert_eq!(report.begins_after, Some("0".repeat(64)));
    assert!(verify(&[&second]).begins_after.is_some_and(|digest| digest != "0".repeat(64)));
    assert_eq!(verify(&[&second, &first]).broken.unwrap().file, "1");
}

#[tokio::test]
async fn changed_and_removed_lines_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit");
    let audit = open(&file, true).unwrap();
    for request in ["r-1", "r-2", "r-3"] {
        record(&audit, request).await;
    }
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(verify(&[&text]).broken, None);
    let all: Vec<_> = text.lines().collect();
    let without = [&all[..2], &all[3..]].concat().join("\n");
    let swapped = [all[0], all[2], all[1], all[3]].join("\n");
    for (wrong, line) in [
        (without, 3),
        (swapped, 2),
        (text.replace("\"r-2\"", "\"r-9\""), 4),
        (text.replace("\"code\":\"ok\"", "\"code\": \"ok\""), 3),
        (text.replacen("{\"time\"", "{time", 3), 1),
        (format!("{text}{{\"time\":"), 5),
    ] {
        assert_eq!(verify(&[&wrong]).broken.map(|broken| broken.line), Some(line), "{wrong}");
    }
}

#[tokio::test]
async fn line_cut_off_by_a_crash_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit");
    record(&open(&file, true).unwrap(), "r-1").await;
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}{{\"time\":\"2026")).unwrap();
    record(&open(&file, true).unwrap(), "r-2").await;
    let text = fs::read_to_string(&file).unwrap();
    let report = verify(&[&text]);
    assert_eq!((report.broken, report.incomplete, report.lines), (None, 1, 5), "{text}");
    assert!(verify(&[&text.replace("\"recovered\":true,", "")]).broken.is_some());
}

#[tokio::test]
async fn full_disk_at_start_fails_if_required() {
    let full = Path::new("/dev/full");
    assert!(open(full, true).is_err());
    let audit = open(full, false).unwrap();
    record(&audit, "r-1").await;
    let AuditCounts { written, failed, lost } = audit.counts();
    assert!(written == 0 && failed > 0 && lost == 0);
}

/// An output for some lines, which a test can extend.
#[derive(Clone, Default)]
struct Small(Arc<Mutex<SmallState>>);

#[derive(Default)]
struct SmallState {
    space: u64,
    /// Whether reservations fail, or only writes.
    reserves: bool,
    lines: Vec<Vec<u8>>,
    syncs: usize,
}

impl Output for Small {
    fn tail(&mut self) -> io::Result<Option<Tail>> {
        Ok(None)
    }

    fn reserve(&mut self, lines: u64) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let has_space = !state.reserves || lines <= state.space;
        if has_space { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.space = state.space.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
        state.lines.push(line.to_vec());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().syncs += 1;
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}

impl Small {
    fn start(space: u64, reserves: bool) -> (Self, Audit) {
        let small = Self(Arc::new(Mutex::new(SmallState { space, reserves, ..SmallState::default() })));
        let audit =
            Audit::start(Box::new(small.clone()), &settings(Path::new(""), true), Arc::new(SystemClock)).unwrap();
        (small, audit)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().lines.concat()).unwrap()
    }
}

#[tokio::test]
async fn reserved_line_is_written_to_full_disk() {
    // The first line and two calls.
    let (small, audit) = Small::start(3, true);
    let [one, two] = [audit.reserve().await.unwrap(), audit.reserve().await.unwrap()];
    let refused = audit.reserve().await.err().unwrap();
    assert_eq!((refused.kind(), refused.retry_after()), (ErrorKind::Unavailable, Some(RETRY_AFTER)));
    drop(one);
    two.record(entry("r-2"), Instant::now() + LONG).await;
    // The unused reservation is free again.
    record(&audit, "r-3").await;
    assert!(audit.reserve().await.is_err());
    assert_eq!((verify(&[&small.text()]).lines, audit.counts()), (3, AuditCounts { written: 3, failed: 0, lost: 0 }));
}

#[tokio::test]
async fn line_without_space_refuses_further_writes() {
    let (small, audit) = Small::start(1, false);
    record(&audit, "r-1").await;
    assert!(audit.reserve().await.is_err(), "a line is not written yet");
    assert!(!small.text().contains("r-1"));
    small.0.lock().unwrap().space = 2;
    record(&audit, "r-2").await;
    let text = small.text();
    assert!(text.find("r-1").unwrap() < text.find("r-2").unwrap(), "{text}");
    assert_eq!((verify(&[&text]).broken, verify(&[&text]).lines), (None, 3));
}

#[tokio::test]
async fn each_line_is_synced_before_the_answer() {
    let (small, audit) = Small::start(10, true);
    for calls in 1..=3 {
        record(&audit, "r-1").await;
        assert!(small.0.lock().unwrap().syncs >= calls);
    }
    assert_eq!(lines_of(&small)[1]["call"], json!("users.delete"));
}

fn lines_of(small: &Small) -> Vec<Value> {
    small.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
