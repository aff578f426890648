//! The programs that labs and tests need: finds them, installs them on Debian as root, or explains how to.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{environment, process, status};

/// A program that labs or tests need.
#[derive(Debug)]
pub(crate) struct Tool {
    name: &'static str,
    purpose: &'static str,
    /// Names and paths, in the order of preference.
    candidates: &'static [&'static str],
    /// The arguments with which a working program succeeds.
    probe: &'static [&'static str],
    /// The oldest major version that works. Zero allows all.
    oldest: u32,
    /// The package of Debian.
    debian: &'static str,
    /// The package of Homebrew, or empty.
    brew: &'static str,
}

/// Returns a tool with a name, a purpose, candidates, the package of Debian and that of Homebrew.
const fn tool(
    name: &'static str,
    purpose: &'static str,
    candidates: &'static [&'static str],
    debian: &'static str,
    brew: &'static str,
) -> Tool {
    Tool { name, purpose, candidates, probe: &["--version"], oldest: 0, debian, brew }
}

#[rustfmt::skip]
mod table {
    use super::{Tool, tool};

    pub(crate) const JAVA: Tool = Tool { probe: &["-version"], oldest: 17, ..tool(
        "Java 17 or newer", "runs Keycloak", &["java", "/usr/bin/java"], "default-jdk-headless", "openjdk") };
    pub(crate) const MAVEN: Tool = tool("Maven", "downloads Keycloak", &["mvn", "/usr/bin/mvn"], "maven", "maven");
    pub(crate) const PYTHON: Tool = Tool { probe: &["-c", "import ensurepip, venv"], ..tool(
        "Python 3 with `venv`", "runs the SMTP server, the stand-in for Cognito and schemathesis",
        &["python3", "/usr/bin/python3"], "python3-venv", "python") };
    // Debian has this version from 13 on.
    pub(crate) const NODE: Tool = Tool { oldest: 20, ..tool(
        "Node.js 20 or newer", "runs the example application and an OpenID Provider", &["node", "/usr/bin/node"],
        "nodejs", "node") };
    pub(crate) const NPM: Tool = tool(
        "npm", "installs packages of the example application and an OpenID Provider", &["npm", "/usr/bin/npm"], "npm", "node");
    pub(crate) const CHROMIUM: Tool = tool(
        "Chromium", "is the browser of the tests",
        // The names that ChromeDriver looks for.
        &["chromium", "google-chrome", "chromium-browser", "/Applications/Chromium.app/Contents/MacOS/Chromium"],
        "chromium", "--cask chromium");
    pub(crate) const CHROMEDRIVER: Tool = tool(
        "ChromeDriver, as new as the browser", "controls the browser of the tests",
        &["chromedriver", "/usr/bin/chromedriver"], "chromium-driver", "--cask chromedriver");
    pub(crate) const REDIS: Tool =
        tool("Redis", "is the shared store of the tests", &["redis-server"], "redis-server", "redis");
    pub(crate) const GO: Tool =
        Tool { probe: &["version"], ..tool("Go", "builds the client in Go, and Kratos", &["go"], "golang-go", "go") };
    pub(crate) const CURL: Tool = tool("curl", "sends the calls of the client in a shell", &["curl"], "curl", "curl");
    pub(crate) const OPENSSL: Tool = Tool { probe: &["version"], ..tool(
        "OpenSSL", "signs the calls of the client in a shell", &["openssl"], "openssl", "openssl") };
    pub(crate) const POSTGRES: Tool = tool(
        "PostgreSQL", "has the users tables of the tests, and the databases of labs",
        // Debian keeps the server out of the path, in a folder for each version.
        &["/usr/lib/postgresql/18/bin/postgres", "/usr/lib/postgresql/17/bin/postgres",
          "/usr/lib/postgresql/16/bin/postgres", "/usr/lib/postgresql/15/bin/postgres",
          "/usr/lib/postgresql/14/bin/postgres", "postgres"],
        "postgresql", "postgresql");
    pub(crate) const NGINX: Tool = Tool { probe: &["-v"], ..tool(
        "nginx", "verifies certificates in the tests", &["nginx", "/usr/sbin/nginx"], "nginx-light", "nginx") };
    pub(crate) const H2LOAD: Tool =
        tool("h2load", "sends requests over HTTP/2 in the tests", &["h2load"], "nghttp2-client", "nghttp2");
    pub(crate) const VALGRIND: Tool = tool("Valgrind", "counts instructions", &["valgrind"], "valgrind", "");
    pub(crate) const SLAPD: Tool = Tool { probe: &["-VV"], ..tool(
        "OpenLDAP", "is the directory of the tests", &["/usr/sbin/slapd", "/usr/lib/openldap/slapd"], "slapd", "") };
    pub(crate) const SAMBA: Tool = tool(
        "Samba", "is the Active Directory of the tests", &["samba", "/usr/sbin/samba"], "samba-ad-dc", "");
    pub(crate) const SAMBA_SETUP: Tool = Tool { probe: &["-d", "/usr/share/samba/setup"], ..tool(
        "Samba's templates of a domain", "make the Active Directory of the tests", &["test"], "samba-ad-provision", "") };
    pub(crate) const LDB_TOOLS: Tool = tool(
        "`ldbmodify`", "sets rights in the Active Directory of the tests", &["ldbmodify"], "ldb-tools", "");
    pub(crate) const AIOSMTPD: Tool = Tool { probe: &["-c", "import aiosmtpd"], ..tool(
        "aiosmtpd for Python", "is the mail server of the tests", &["/usr/bin/python3", "python3"], "python3-aiosmtpd", "") };
    pub(crate) const LDAP_UTILS: Tool = Tool { probe: &["-VV"], ..tool(
        "`ldapmodify`", "makes the users of the tests in the directory", &["ldapmodify"], "ldap-utils", "") };
    pub(crate) const PROMETHEUS: Tool = tool(
        "Prometheus with promtool", "runs the queries of the dashboard and the alert rules", &["promtool"], "prometheus",
        "prometheus");
    pub(crate) const DEBOOTSTRAP: Tool = tool(
        "debootstrap", "makes a system in which the Debian package is installed", &["debootstrap"], "debootstrap", "");
    pub(crate) const SYSTEMD: Tool =
        tool("`systemd-analyze`", "checks the unit", &["systemd-analyze"], "systemd", "");
}
pub(crate) use table::{
    AIOSMTPD, CHROMEDRIVER, CHROMIUM, CURL, DEBOOTSTRAP, GO, H2LOAD, JAVA, LDAP_UTILS, LDB_TOOLS, MAVEN, NGINX, NODE,
    NPM, OPENSSL, POSTGRES, PROMETHEUS, PYTHON, REDIS, SAMBA, SAMBA_SETUP, SLAPD, SYSTEMD, VALGRIND,
};

/// All programs, for the tests.
#[rustfmt::skip]
pub(crate) const ALL: [&Tool; 21] = [
    &JAVA, &MAVEN, &PYTHON, &NODE, &NPM, &CHROMIUM, &CHROMEDRIVER, &REDIS, &POSTGRES, &PROMETHEUS, &SLAPD, &LDAP_UTILS,
    &SAMBA, &SAMBA_SETUP, &LDB_TOOLS, &AIOSMTPD, &GO, &CURL, &OPENSSL, &NGINX, &H2LOAD,
];

/// Finds programs. As root on Debian, installs the missing ones.
pub(crate) fn ensure(tools: &[&Tool]) -> Result<()> {
    let missing = find_missing(tools);
    if missing.is_empty() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() || !Path::new("/etc/debian_version").exists() {
        bail!("{}", explain(&missing));
    }
    let packages: Vec<_> = missing.iter().map(|(tool, _)| tool.debian).collect();
    status::step("Installing", format!("{} with apt-get", packages.join(", ")));
    apt_get(&["update"])?;
    apt_get(&[&["install", "--yes", "--no-install-recommends"], &*packages].concat())?;
    let missing = find_missing(tools);
    if missing.is_empty() { Ok(()) } else { bail!("{}", explain(&missing)) }
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    process::run(command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet").args(arguments))
}

fn find_missing<'a>(tools: &[&'a Tool]) -> Vec<(&'a Tool, String)> {
    tools.iter().filter_map(|tool| Some((*tool, tool.find().err()?))).collect()
}

fn explain(missing: &[(&Tool, String)]) -> String {
    let mut text = String::from("programs are missing on this machine");
    for (Tool { name, purpose, brew, .. }, problem) in missing {
        let brew = if brew.is_empty() { String::new() } else { format!("`brew install {brew}`, or ") };
        text +=
            &format!("\n  {name}, which {purpose}: {problem}\n    other systems: {brew}your distribution's package");
    }
    let packages: Vec<_> = missing.iter().map(|(tool, _)| tool.debian).collect();
    text += &format!(
        "\nhint: on Debian or Ubuntu, run `sudo apt-get install --no-install-recommends {}`; as root, this task does it itself",
        packages.join(" ")
    );
    text
}

impl Tool {
    /// Returns the path of the program.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        self.find().map_err(anyhow::Error::msg).with_context(|| format!("cannot use {}", self.name))
    }

    /// Returns the first candidate that works, or why the first existing one does not.
    fn find(&self) -> Result<PathBuf, String> {
        let home = environment::variable("JAVA_HOME").filter(|_| self.name == JAVA.name);
        let home = home.map(|home| PathBuf::from(home).join("bin/java"));
        let mut problem = None;
        for candidate in home.into_iter().chain(self.candidates.iter().map(PathBuf::from)) {
            match self.check(&candidate) {
                Ok(()) => return Ok(candidate),
                Err(why) => problem = problem.or(why),
            }
        }
        Err(problem.unwrap_or_else(|| "not found".to_owned()))
    }

    /// Checks that the program runs and is new enough. The error of a program that does not exist is `None`.
    fn check(&self, program: &Path) -> Result<(), Option<String>> {
        let output = Command::new(program).args(self.probe).output().map_err(|_| None)?;
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it fails");
            return Err(Some(last.trim().to_owned()));
        }
        match major_version(&text) {
            _ if self.oldest == 0 => Ok(()),
            Some(major) if major >= self.oldest => Ok(()),
            Some(major) => Err(Some(format!("found version {major}"))),
            None => Err(Some("its version is unknown".to_owned())),
        }
    }
}

/// Parses the major version from the output of `node --version` or `java -version`. Java 8 has version 1.8.
fn major_version(output: &str) -> Option<u32> {
    let version = output.strip_prefix('v').or_else(|| output.split('"').nth(1))?;
    let mut numbers = version.trim().split(['.', '-', '_', '+']).map(str::parse::<u32>);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_versions_are_parsed() {
        assert_eq!(major_version("v20.20.2\n"), Some(20));
        assert_eq!(major_version("v0.10.48\n"), Some(0));
        assert_eq!(major_version("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK …"), Some(17));
        assert_eq!(major_version("openjdk version \"25\" 2025-09-16"), Some(25));
        assert_eq!(major_version("openjdk version \"21-ea\" 2023-09-19"), Some(21));
        assert_eq!(major_version("java version \"1.8.0_292\""), Some(8));
        assert_eq!(major_version("Unable to locate a Java Runtime."), None);
    }

    #[test]
    fn missing_programs_and_the_command_are_named() {
        let text = explain(&[(&JAVA, "found version 11".to_owned()), (&PYTHON, "not found".to_owned())]);
        assert!(text.contains("Java 17 or newer, which runs Keycloak: found version 11"), "{text}");
        assert!(text.contains("Python 3 with `venv`"), "{text}");
        assert!(text.contains("install --no-install-recommends default-jdk-headless python3-venv`"), "{text}");
    }

    fn shell(probe: &'static [&'static str], oldest: u32) -> Tool {
        Tool { candidates: &["/no/such/program", "sh"], probe, oldest, ..NODE }
    }

    #[test]
    fn the_first_working_candidate_is_used() {
        assert_eq!(shell(&["-c", "exit 0"], 0).find(), Ok("sh".into()));
        assert_eq!(shell(&["-c", "echo v20.1.0"], 20).find(), Ok("sh".into()));
    }

    #[test]
    fn problems_of_candidates_are_reported() {
        let failing = shell(&["-c", "echo first; echo 'No module named venv' >&2; exit 1"], 0);
        assert_eq!(failing.find(), Err("No module named venv".to_owned()));
        assert_eq!(shell(&["-c", "echo v18.1.0"], 20).find(), Err("found version 18".to_owned()));
        let absent = Tool { candidates: &["/no/such/program"], ..NODE };
        assert_eq!(absent.find(), Err("not found".to_owned()));
    }
}
