//! The example application as a process.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::bridge::Lines;

/// The running application. It is stopped when dropped.
#[derive(Debug)]
pub(crate) struct Application {
    child: Child,
    url: String,
}

impl Application {
    /// Starts the application for a tenant's URL at the bridge, with a client at the identity provider.
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
        let (stdout, stderr) = (Lines::read(child.stdout.take().unwrap()), Lines::read(child.stderr.take().unwrap()));
        let line = stdout.wait_for("listening on ").unwrap_or_else(|| panic!("no start: {:?}", stderr.all()));
        Self { child, url: line.trim_start_matches("listening on ").to_owned() }
    }

    /// Returns the URL of the start page, without the final slash.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
