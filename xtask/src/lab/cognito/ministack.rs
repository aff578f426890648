//! ministack, which stands in for AWS: no real Cognito runs on one's own machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use ureq::Agent;

use super::settings::Pool;
use crate::interrupt::Interrupt;
use crate::lab::python::Environment;
use crate::lab::server::{Launched, Server};
use crate::{files, process};

/// The version that the connector was tried on.
pub(crate) const VERSION: &str = "1.5.33";
/// The region it is.
pub(crate) const REGION: &str = "us-east-1";
/// The access key of the account's root user, which ministack has built in.
pub(crate) const ROOT: (&str, &str) = ("test", "test");

const START_LIMIT: Duration = Duration::from_secs(60);

/// An installed ministack.
#[derive(Debug)]
pub(crate) struct Ministack {
    lab: PathBuf,
    programs: PathBuf,
}

impl Ministack {
    /// Installs it in the lab's folder, unless it is there.
    pub(crate) fn install(lab: &Path, python: &Path, interrupt: &Interrupt) -> Result<Self> {
        let environment = Environment {
            name: "ministack",
            // Without the second one its tokens carry a false signature.
            packages: &[&format!("ministack=={VERSION}"), "cryptography"],
            probe: "import cryptography, ministack",
        };
        Ok(Self { lab: lab.to_owned(), programs: environment.install(lab, python, interrupt)? })
    }

    /// Starts it with nothing in it, and waits until it is ready.
    pub(crate) fn start(&self, server: &Server, port: u16, interrupt: &Interrupt) -> Result<Launched> {
        let state = self.lab.join("ministack-state");
        files::remove(&state)?;
        let script = self.lab.join("serve.py");
        files::write(&script, include_str!("serve.py"))?;
        let [script, state] = [script, state].map(|path| path.to_string_lossy().into_owned());
        let variables = [
            // Signatures, policies and secret hashes count.
            ("AUTH", "true"),
            ("BIND_HOST", "127.0.0.1"),
            ("GATEWAY_PORT", &port.to_string()),
            ("MINISTACK_HOST", "127.0.0.1"),
            ("STATE_DIR", &state),
            // These listen on every address, whatever `BIND_HOST` says: seen on 1.5.33, November 2026.
            ("IOT_MTLS_ENABLED", "0"),
            ("SFTP_ENABLED", "0"),
        ];
        server.write_script(&variables, &[&self.program("python"), &script])?;
        let launched = server.launch(interrupt)?;
        launched.wait_until(START_LIMIT, || is_ready(port)).context("cannot start ministack")?;
        Ok(launched)
    }

    /// Makes the pool, its sample users and the bridge's IAM user.
    pub(crate) fn provision(&self, url: &str) -> Result<Pool> {
        let script = self.lab.join("provision.py");
        files::write(&script, include_str!("provision.py"))?;
        let users = self.lab.join("cognito-users.json");
        files::write(&users, include_str!("users.json"))?;
        let mut python = Command::new(self.program("python"));
        // Nothing of the caller's own AWS settings may reach the SDK.
        python.env_clear().envs([("AWS_CONFIG_FILE", "/dev/null"), ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")]);
        python.envs([("AWS_ENDPOINT_URL", url), ("AWS_DEFAULT_REGION", REGION)]);
        python.envs([("AWS_ACCESS_KEY_ID", ROOT.0), ("AWS_SECRET_ACCESS_KEY", ROOT.1)]);
        let made = process::output(python.arg(script).arg(users)).context("cannot make the user pool")?;
        serde_json::from_str(&made).context("cannot read what `provision.py` made")
    }

    fn program(&self, name: &str) -> String {
        self.programs.join(name).to_string_lossy().into_owned()
    }
}

/// Whether a ministack on this port says that it is ready.
fn is_ready(port: u16) -> bool {
    let agent: Agent = Agent::config_builder().timeout_global(Some(Duration::from_secs(2))).proxy(None).build().into();
    agent.get(format!("http://127.0.0.1:{port}/_ministack/health")).call().is_ok()
}
