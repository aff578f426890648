//! Loads the configuration again on SIGHUP, and when its files change.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use idp_bridge_core::{Clock as _, SystemClock, TenantId};
use idp_bridge_server::{CurrentTenants, CurrentTls, LastReload, Tls};
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher, recommended_watcher};

use super::systemd;
use crate::certificate;
use crate::config::{Loader, Problem, Reload, TlsChange};

/// The time without further changes after which the configuration is loaded.
const QUIET: Duration = Duration::from_millis(100);
/// The longest time from a change until the configuration is loaded.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// The maximum number of problems on the status page.
const MAX_SHOWN: usize = 50;

/// The reason for a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Signal,
    FileChange,
}

/// Starts reloads of a running server.
#[derive(Debug, Clone)]
pub(super) struct ReloadTrigger(SyncSender<Reason>);

impl ReloadTrigger {
    /// Reloads the configuration soon.
    pub(super) fn reload(&self) {
        self.send(Reason::Signal);
    }

    fn send(&self, reason: Reason) {
        match self.0.try_send(reason) {
            // A full channel has a reload waiting.
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => {
                tracing::error!("the configuration is no longer reloaded: restart the bridge")
            }
        }
    }
}

/// Reloads the configuration in a thread of its own, since files can be slow.
pub(super) fn start(
    loader: Loader,
    tenants: Arc<CurrentTenants>,
    tls: Option<Arc<CurrentTls>>,
) -> std::io::Result<ReloadTrigger> {
    let (sender, reasons) = sync_channel(16);
    let trigger = ReloadTrigger(sender);
    let reloader = Reloader { loader, tenants, tls, watched: BTreeSet::new(), watcher: watcher(trigger.clone()) };
    std::thread::Builder::new().name("reload".into()).spawn(move || reloader.run(&reasons))?;
    Ok(trigger)
}

/// Creates a watcher of folders. Without one, only SIGHUP reloads the configuration.
fn watcher(trigger: ReloadTrigger) -> Option<RecommendedWatcher> {
    let watcher = recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| can_change_settings(&event.kind)) {
            trigger.send(Reason::FileChange);
        }
    });
    watcher.map_err(|error| warn_unwatched(&error)).ok()
}

/// Returns whether settings may have changed.
///
/// Reads of files are left out, which a reload causes itself, and so are writes to a file that is still open, such as a log
/// in the folder of the configuration. Linux reports when the file is closed.
fn can_change_settings(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(access) => *access == AccessKind::Close(AccessMode::Write),
        EventKind::Modify(ModifyKind::Data(_)) => !cfg!(target_os = "linux"),
        _ => true,
    }
}

fn warn_unwatched(error: &notify::Error) {
    tracing::warn!(%error, "changes of the configuration are not noticed: send SIGHUP to load them");
}

/// The thread that reloads.
struct Reloader {
    loader: Loader,
    tenants: Arc<CurrentTenants>,
    /// The certificate. `None` for clear text.
    tls: Option<Arc<CurrentTls>>,
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl Reloader {
    fn run(mut self, reasons: &Receiver<Reason>) {
        self.watch_folders();
        while let Ok(first) = reasons.recv() {
            let reason = wait_until_quiet(reasons, first);
            self.reload(reason);
            self.watch_folders();
            // Also after a change of a file, since such a reload includes the signal that arrived just before it.
            systemd::notify_ready();
        }
    }

    fn reload(&mut self, reason: Reason) {
        let started = Instant::now();
        let result = self.loader.reload();
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match result {
            Ok(Reload { tenants, changed, removed, broken, problems, tls, keys_for_restart }) => {
                let has_changes = !changed.is_empty() || !removed.is_empty();
                self.tenants.replace(tenants, broken.len());
                self.report(&problems);
                for id in &broken {
                    let tenant = TenantId::new(id).ok().and_then(|id| self.tenants.load().get(&id));
                    let is_served = tenant.is_some();
                    tracing::error!(tenant.id = id, is_served, "the new settings of a tenant are invalid");
                }
                self.apply_tls(tls);
                for key in keys_for_restart {
                    tracing::warn!(key, "a changed setting is applied by a restart only");
                }
                if has_changes || reason == Reason::Signal {
                    let (changed, removed, broken) = (changed.len(), removed.len(), broken.len());
                    tracing::info!(changed, removed, broken, duration_ms, "configuration reloaded");
                }
            }
            Err(problems) => {
                self.tenants.set_broken(problems.len());
                self.report(&problems);
                tracing::error!(duration_ms, "the configuration is invalid: all tenants keep their settings");
            }
        }
    }

    /// Logs the problems of a reload, and shows them on the status page.
    fn report(&self, problems: &[Problem]) {
        log_problems(problems);
        let problems = problems.iter().take(MAX_SHOWN).map(ToString::to_string).collect();
        self.tenants.set_last_reload(LastReload { time: SystemClock.now(), problems });
    }

    fn apply_tls(&self, change: TlsChange) {
        let Some(current) = &self.tls else { return };
        match change {
            TlsChange::Unchanged => current.set_broken(false),
            TlsChange::Replaced(tls) => {
                log_certificate(&tls, "the certificate was replaced");
                current.replace(tls);
            }
            TlsChange::Broken => {
                current.set_broken(true);
                tracing::error!("the new certificate is invalid: the earlier one is still used");
            }
        }
    }

    /// Watches the folders of the files that were read.
    ///
    /// Reloads if a folder is new, since its files may have changed between the load and the start of the watch.
    fn watch_folders(&mut self) {
        while self.update_watcher() {
            self.reload(Reason::FileChange);
        }
    }

    /// Updates the watched folders, and returns whether one is new.
    fn update_watcher(&mut self) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let folders = self.loader.folders();
        for folder in self.watched.difference(&folders) {
            // Fails for a folder that was removed, which is no longer watched.
            let _ = watcher.unwatch(folder);
        }
        let (mut watched, mut has_new) = (BTreeSet::new(), false);
        for folder in folders {
            if self.watched.contains(&folder) {
                watched.insert(folder);
                continue;
            }
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => has_new |= watched.insert(folder),
                Err(error) => warn_unwatched(&error),
            }
        }
        self.watched = watched;
        has_new
    }
}

/// Waits until changes pause, and returns the strongest reason. Editors and mounted volumes change several files at once.
fn wait_until_quiet(reasons: &Receiver<Reason>, first: Reason) -> Reason {
    let started = Instant::now();
    let mut strongest = first;
    while started.elapsed() < MAX_WAIT
        && let Ok(next) = reasons.recv_timeout(QUIET)
    {
        if next == Reason::Signal {
            strongest = next;
        }
    }
    strongest
}

/// Logs the use of a certificate, as a warning if it expires soon.
pub(super) fn log_certificate(tls: &Tls, message: &str) {
    let expiry = tls.expiry();
    if certificate::expires_soon(tls) {
        tracing::warn!(%expiry, "{message}, and expires soon or has expired");
    } else {
        tracing::info!(%expiry, "{message}");
    }
}

fn log_problems(problems: &[Problem]) {
    for problem in problems {
        let Problem { message, place, key, hint } = problem;
        let place = place.as_ref().map(ToString::to_string).unwrap_or_default();
        let (key, hint) = (key.as_deref().unwrap_or_default(), hint.as_deref().unwrap_or_default());
        tracing::error!(place, key, hint, "{message}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write as _;

    use super::*;

    /// Returns the events in a folder until a file with the name `end` appears.
    fn events(folder: &std::path::Path, change: impl FnOnce()) -> Vec<EventKind> {
        let (sender, events) = std::sync::mpsc::channel();
        let mut watcher = recommended_watcher(move |event: notify::Result<notify::Event>| {
            sender.send(event.unwrap()).unwrap();
        })
        .unwrap();
        watcher.watch(folder, RecursiveMode::NonRecursive).unwrap();
        change();
        fs::create_dir(folder.join("end")).unwrap();
        let is_end = |event: &notify::Event| event.paths.iter().any(|path| path.ends_with("end"));
        events.iter().take_while(|event| !is_end(event)).map(|event| event.kind).collect()
    }

    #[test]
    fn log_in_the_folder_starts_no_reload() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bridge.log");
        let mut log = File::create(&path).unwrap();
        let kinds = events(folder.path(), || {
            log.write_all(b"line\n").unwrap();
            fs::read(&path).unwrap();
        });
        assert!(!kinds.is_empty() && !kinds.iter().any(can_change_settings), "{kinds:?}");
    }

    #[test]
    fn written_file_starts_a_reload() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acme.toml");
        fs::write(&path, "").unwrap();
        assert!(events(folder.path(), || fs::write(&path, "x").unwrap()).iter().any(can_change_settings));
        let folder = tempfile::tempdir().unwrap();
        let renamed = || fs::rename(&path, folder.path().join("acme.toml")).unwrap();
        assert!(events(folder.path(), renamed).iter().any(can_change_settings));
    }
}
