//! The Keycloak server: downloads and builds it, keeps its empty database, and starts it with that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::lab::place::Place;
use crate::lab::server::{Launched, Server, responds};
use crate::prerequisites::{JAVA, MAVEN};
use crate::{environment, files, process, status};

/// The version that the connector was written for.
pub(crate) const VERSION: &str = "26.7.3";
/// The build options. A change needs another name of the folder, so that Keycloak is built again.
const BUILD: [&str; 5] =
    ["build", "--db=dev-file", "--health-enabled=true", "--https-client-auth=request", "--features=scim-api"];
/// The administrator. The server listens on this machine only.
pub(crate) const ADMIN: (&str, &str) = ("admin", "admin");

const ARTIFACT: &str = "keycloak-quarkus-dist";
const MAVEN_COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
/// The first compiler alone halves the CPU time of a start.
const JAVA_OPTIONS: (&str, &str) = ("JAVA_OPTS_APPEND", "-XX:TieredStopAtLevel=1");
const START_LIMIT: Duration = Duration::from_secs(240);

/// An installed Keycloak.
#[derive(Debug)]
pub(crate) struct Keycloak {
    home: PathBuf,
    java: PathBuf,
}

impl Keycloak {
    /// Downloads and builds Keycloak, unless that was done before.
    ///
    /// The folder is moved to its place at the end, so that an interrupted run begins again.
    pub(crate) fn install(place: &Place) -> Result<Self> {
        let java = JAVA.path()?;
        let installed = place.folder.join(format!("keycloak-{VERSION}-https-scim"));
        if !installed.exists() {
            let started = Instant::now();
            let partial = place.folder.join("keycloak.partial");
            files::remove(&partial)?;
            files::create_folder(&partial)?;
            let unbuilt = Self { home: download(place, &partial)?, java: java.clone() };
            unbuilt.build(place)?;
            fs::rename(&unbuilt.home, &installed).context("cannot move Keycloak to its place")?;
            files::remove(&partial)?;
            status::step("Installed", format!("Keycloak {VERSION} in {}", status::elapsed(started.elapsed())));
        }
        Ok(Self { home: installed, java })
    }

    /// Builds Keycloak, creates a database with only the administrator, and keeps a copy of it.
    fn build(&self, place: &Place) -> Result<()> {
        status::step("Building", format!("Keycloak {VERSION} for quick starts"));
        let mut build = self.command();
        build.args(BUILD);
        process::run_logged(&mut build, &place.log("keycloak-build")).context("cannot build Keycloak")?;
        status::step("Preparing", "Keycloak's empty database");
        let mut bootstrap = self.command();
        bootstrap.args(["bootstrap-admin", "user", "--optimized", "--no-prompt", "--username", ADMIN.0]);
        bootstrap.args(["--password:env", "LAB_ADMIN_PASSWORD"]).env("LAB_ADMIN_PASSWORD", ADMIN.1);
        process::run_logged(&mut bootstrap, &place.log("keycloak-database"))
            .context("cannot create Keycloak's database")?;
        files::copy_flat_folder(&self.home.join("data/h2"), &self.home.join("empty-database"))
    }

    /// Starts the server with an empty database, this realm and the certificates of a folder, on these ports for HTTP, HTTPS
    /// and management.
    pub(crate) fn start(
        &self,
        server: &Server,
        realm: &Value,
        certificates: &Path,
        (port, https_port, management_port): (u16, u16, u16),
    ) -> Result<Launched> {
        let data = self.home.join("data");
        files::remove(&data)?;
        files::copy_flat_folder(&self.home.join("empty-database"), &data.join("h2"))?;
        files::write_with_mode(&data.join("import/realm.json"), &realm.to_string(), files::PRIVATE)?;
        let script = self.script();
        let certificates = certificates.display();
        let command = [
            &*script.to_string_lossy(),
            "start",
            "--optimized",
            "--http-enabled=true",
            "--http-host=127.0.0.1",
            &format!("--http-port={port}"),
            &format!("--https-port={https_port}"),
            &format!("--https-certificate-file={certificates}/keycloak.pem"),
            &format!("--https-certificate-key-file={certificates}/keycloak.key"),
            &format!("--truststore-paths={certificates}/authority.pem"),
            &format!("--http-management-port={management_port}"),
            "--http-management-scheme=http",
            // Fixed, so that tokens and links in mails do not follow the `Host` header.
            &format!("--hostname=http://127.0.0.1:{port}"),
            "--cache=local",
            // Before the server is ready. A restart keeps the realm.
            "--import-realm",
        ];
        let variables = [("JAVA", &*self.java.to_string_lossy()), JAVA_OPTIONS];
        let health = format!("http://127.0.0.1:{management_port}/health/ready");
        server.launch(&variables, &command, START_LIMIT, || responds(&health))
    }

    /// Returns a command of `kc.sh` with an environment of its own.
    fn command(&self) -> Command {
        let mut command = Command::new(self.script());
        command.env_clear().env("JAVA", &self.java).env(JAVA_OPTIONS.0, JAVA_OPTIONS.1);
        let kept = ["PATH", "HOME"].into_iter().filter_map(|name| Some((name, environment::variable(name)?)));
        command.envs(kept);
        command
    }

    fn script(&self) -> PathBuf {
        self.home.join("bin/kc.sh")
    }
}

/// Downloads and unpacks Keycloak. Returns the folder with it.
fn download(place: &Place, partial: &Path) -> Result<PathBuf> {
    status::step("Downloading", format!("Keycloak {VERSION} with Maven (176 MB, once)"));
    let mut maven = Command::new(MAVEN.path()?);
    maven.args(["--batch-mode", "--no-transfer-progress", MAVEN_COPY]);
    maven.arg(format!("-Dartifact=org.keycloak:{ARTIFACT}:{VERSION}:tar.gz"));
    maven.arg(format!("-DoutputDirectory={}", partial.display()));
    process::run_logged(&mut maven, &place.log("maven")).context("cannot download Keycloak")?;
    status::step("Unpacking", format!("Keycloak {VERSION}"));
    let archive = partial.join(format!("{ARTIFACT}-{VERSION}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(&archive).arg("-C").arg(partial);
    process::run_logged(&mut tar, &place.log("unpack")).context("cannot unpack Keycloak")?;
    files::remove(&archive)?;
    Ok(partial.join(format!("keycloak-{VERSION}")))
}
