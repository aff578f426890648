//! Notifications to systemd for a service of the type `notify-reload`. Without the variable `NOTIFY_SOCKET` none is sent.

use sd_notify::NotifyState;

/// Reports that the bridge serves, at the start and after each reload.
pub(super) fn notify_ready() {
    notify(&[NotifyState::Ready]);
}

/// Reports that a reload begins. Systemd waits until [`notify_ready`] reports its end.
pub(super) fn notify_reloading() {
    // Systemd ignores earlier reports of readiness by this time.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "systemd gets no notification of the reload: the clock cannot be read"),
    }
}

/// Reports that the shutdown begins.
pub(super) fn notify_stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be notified: its socket in `NOTIFY_SOCKET` refuses messages");
    }
}
