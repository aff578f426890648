//! The example application, as a process of its own.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::bridge::Lines;

/// The application, which runs; stopped when it is dropped.
#[derive(Debug)]
pub(crate) struct Application {
    child: Child,
    url: String,
}

impl Application {
    /// Starts it for one tenant of a bridge, with a client at the identity provider.
    pub(crate) fn start(tenant: &str, (client_id, client_secret): (&str, &str)) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/federation-app");
        assert!(
            folder.join("node_modules").exists(),
            "the application is not installed; run `cargo xtask test`, or `npm ci` in `examples/federation-app`"
        );
        let mut command = Command::new("node");
        command.current_dir(folder).args(["src/main.js", "--port", "0", "--bridge", tenant, "--client-id", client_id]);
        command.env("CLIENT_SECRET", client_secret).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("no Node.js ({error}); run `cargo xtask test`"));
        let (stdout, stderr) = (Lines::of(child.stdout.take().unwrap()), Lines::of(child.stderr.take().unwrap()));
        let line = stdout.wait_for("listening on ").unwrap_or_else(|| panic!("no start: {:?}", stderr.all()));
        Self { child, url: line.trim_start_matches("listening on ").to_owned() }
    }

    /// Where its start page is, without the final slash.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
