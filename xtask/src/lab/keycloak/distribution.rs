//! Keycloak itself: downloaded, built, its empty database kept, and started from that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::admin;
use crate::environment;
use crate::interrupt::Interrupt;
use crate::lab::server::{Launched, Server};
use crate::prerequisites::Tools;
use crate::{files, process, status};

/// The version that the connector was written against.
pub(crate) const VERSION: &str = "26.7.3";
/// The administrator of the server, which listens on this machine only.
pub(crate) const ADMIN: (&str, &str) = ("admin", "admin");

const MAVEN_COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
/// The lab is started often and lives short: the quick compiler alone halves the CPU time of a start.
const JAVA_OPTIONS: (&str, &str) = ("JAVA_OPTS_APPEND", "-XX:TieredStopAtLevel=1");
const START_LIMIT: Duration = Duration::from_secs(240);

/// An installed Keycloak.
#[derive(Debug)]
pub(crate) struct Keycloak {
    home: PathBuf,
    java: String,
}

/// Where a started Keycloak listens, on 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address {
    /// Realms and the admin API.
    pub(crate) http: u16,
    /// Health.
    pub(crate) management: u16,
}

impl Address {
    /// Where realms and the admin API live.
    pub(crate) fn url(self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// Where health lives.
    pub(crate) fn management_url(self) -> String {
        format!("http://127.0.0.1:{}", self.management)
    }
}

impl Keycloak {
    /// Downloads and builds Keycloak in the lab's folder, unless that was done before.
    ///
    /// It is all made beside its place and moved there at the end, so that an interrupted run begins again.
    pub(crate) fn install(lab: &Path, tools: &Tools, interrupt: &Interrupt) -> Result<Self> {
        let java = tools.java.to_string_lossy().into_owned();
        let installed = Self { home: lab.join(format!("keycloak-{VERSION}")), java: java.clone() };
        if installed.home.exists() {
            return Ok(installed);
        }
        let started = Instant::now();
        let partial = lab.join("keycloak.partial");
        files::remove(&partial)?;
        files::create_folder(&partial)?;
        let unbuilt = Self { home: download(lab, &partial, tools, interrupt)?, java };
        unbuilt.build(lab, interrupt)?;
        unbuilt.prepare_database(lab, interrupt)?;
        fs::rename(&unbuilt.home, &installed.home).context("cannot move Keycloak to its place")?;
        files::remove(&partial)?;
        status::step("Installed", format!("Keycloak {VERSION} in {}", status::elapsed(started.elapsed())));
        Ok(installed)
    }

    /// Starts it with an empty database, and waits until it is ready.
    pub(crate) fn start(&self, server: &Server, address: Address, interrupt: &Interrupt) -> Result<Launched> {
        files::remove(&self.home.join("data"))?;
        files::copy_flat_folder(&self.snapshot(), &self.database())?;
        let script = self.script().to_string_lossy().into_owned();
        let (http_port, management_port) =
            (format!("--http-port={}", address.http), format!("--http-management-port={}", address.management));
        // The hostname is fixed, or tokens and the links in mails would follow the caller's `Host`.
        let hostname = format!("--hostname={}", address.url());
        let words = [
            &script,
            "start",
            "--optimized",
            "--http-enabled=true",
            "--http-host=127.0.0.1",
            &http_port,
            &management_port,
            &hostname,
            "--cache=local",
        ];
        server.write_script(&[("JAVA", &self.java), JAVA_OPTIONS], &words)?;
        let launched = server.launch(interrupt)?;
        let management_url = address.management_url();
        launched.wait_until(START_LIMIT, || admin::is_ready(&management_url)).context("cannot start Keycloak")?;
        Ok(launched)
    }

    fn build(&self, lab: &Path, interrupt: &Interrupt) -> Result<()> {
        status::step("Building", format!("Keycloak {VERSION} for quick starts"));
        let mut command = self.command();
        command.args(["build", "--db=dev-file", "--health-enabled=true"]);
        process::run_logged(&mut command, &lab.join("log/keycloak-build.log"), interrupt)
            .context("cannot build Keycloak")
    }

    /// Makes the database with nothing but the administrator in it, and keeps a copy for every later start.
    fn prepare_database(&self, lab: &Path, interrupt: &Interrupt) -> Result<()> {
        status::step("Preparing", "Keycloak's empty database");
        let (username, password) = ADMIN;
        let mut command = self.command();
        command.args(["bootstrap-admin", "user", "--optimized", "--no-prompt", "--username", username]);
        command.args(["--password:env", "LAB_ADMIN_PASSWORD"]).env("LAB_ADMIN_PASSWORD", password);
        process::run_logged(&mut command, &lab.join("log/keycloak-database.log"), interrupt)
            .context("cannot make Keycloak's database")?;
        files::copy_flat_folder(&self.database(), &self.snapshot())
    }

    /// `kc.sh` in an environment that no variable of the caller's changes.
    fn command(&self) -> Command {
        let mut command = Command::new(self.script());
        command.env_clear().env("JAVA", &self.java).env(JAVA_OPTIONS.0, JAVA_OPTIONS.1);
        for name in ["PATH", "HOME"] {
            command.envs(environment::variable(name).map(|value| (name, value)));
        }
        command
    }

    fn script(&self) -> PathBuf {
        self.home.join("bin/kc.sh")
    }

    fn database(&self) -> PathBuf {
        self.home.join("data/h2")
    }

    fn snapshot(&self) -> PathBuf {
        self.home.join("empty-database")
    }
}

/// Downloads and unpacks Keycloak; answers the folder that came out of it.
fn download(lab: &Path, partial: &Path, tools: &Tools, interrupt: &Interrupt) -> Result<PathBuf> {
    let artifact = "keycloak-quarkus-dist";
    status::step("Downloading", format!("Keycloak {VERSION} with Maven (176 MB, once)"));
    let mut maven = Command::new(&tools.maven);
    maven.args(["--batch-mode", "--no-transfer-progress", MAVEN_COPY]);
    maven.arg(format!("-Dartifact=org.keycloak:{artifact}:{VERSION}:tar.gz"));
    maven.arg(format!("-DoutputDirectory={}", partial.display()));
    process::run_logged(&mut maven, &lab.join("log/maven.log"), interrupt).context("cannot download Keycloak")?;
    status::step("Unpacking", format!("Keycloak {VERSION}"));
    let archive = partial.join(format!("{artifact}-{VERSION}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(&archive).arg("-C").arg(partial);
    process::run_logged(&mut tar, &lab.join("log/unpack.log"), interrupt).context("cannot unpack Keycloak")?;
    files::remove(&archive)?;
    Ok(partial.join(format!("keycloak-{VERSION}")))
}
