//! Java, Maven, Python, Node.js and a browser, which labs and tests need: found, installed where these tasks may, or named.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::interrupt::Interrupt;
use crate::{environment, process, status};

/// The oldest Java that Keycloak runs on.
const OLDEST_JAVA: u32 = 17;
/// The oldest Node.js that the example application and the OpenID Provider run on.
const OLDEST_NODE: u32 = 20;

/// The programs that were found.
#[derive(Debug)]
pub(crate) struct Tools {
    /// Java, new enough for Keycloak.
    pub(crate) java: PathBuf,
    /// Maven.
    pub(crate) maven: PathBuf,
    /// Python 3 that can make a virtual environment.
    pub(crate) python: PathBuf,
}

/// What installs programs for Node.js, which is there as well.
#[derive(Debug)]
pub(crate) struct Node {
    /// The program itself.
    pub(crate) node: PathBuf,
    /// Its package manager.
    pub(crate) npm: PathBuf,
}

/// One program that is needed.
struct Need {
    name: &'static str,
    purpose: &'static str,
    debian: &'static str,
    elsewhere: &'static str,
    find: fn() -> Result<PathBuf, String>,
}

const JAVA: Need = Need {
    name: "Java 17 or newer",
    purpose: "runs Keycloak",
    debian: "default-jdk-headless",
    elsewhere: "`brew install openjdk`, or your distribution's package of a JDK",
    find: find_java,
};
const MAVEN: Need = Need {
    name: "Maven",
    purpose: "downloads Keycloak",
    debian: "maven",
    elsewhere: "`brew install maven`, or your distribution's package",
    find: find_maven,
};
const PYTHON: Need = Need {
    name: "Python 3 with `venv`",
    purpose: "runs the SMTP sink and the stand-in for Cognito",
    debian: "python3-venv",
    elsewhere: "`brew install python`, or your distribution's package",
    find: find_python,
};

const NODE: Need = Need {
    name: "Node.js 20 or newer",
    purpose: "runs the example application and an OpenID Provider",
    debian: "nodejs",
    elsewhere: "`brew install node`, or your distribution's package; Debian has it from 13 on",
    find: find_node,
};
const NPM: Need = Need {
    name: "npm",
    purpose: "installs what the example application and an OpenID Provider need",
    debian: "npm",
    elsewhere: "`brew install node`, or your distribution's package",
    find: find_npm,
};
const CHROMIUM: Need = Need {
    name: "Chromium",
    purpose: "is the browser of a test",
    debian: "chromium",
    elsewhere: "`brew install --cask chromium`, or your distribution's package of Chromium or Chrome",
    find: find_chromium,
};
const CHROMEDRIVER: Need = Need {
    name: "ChromeDriver",
    purpose: "lets a test use the browser",
    debian: "chromium-driver",
    elsewhere: "`brew install --cask chromedriver`, or your distribution's package, as new as the browser",
    find: find_chromedriver,
};

/// Finds the programs that every lab needs; as root on Debian it installs those that are missing.
pub(crate) fn ensure(interrupt: &Interrupt) -> Result<Tools> {
    ensure_these(&[JAVA, MAVEN, PYTHON], interrupt)?;
    let find = |need: &Need| (need.find)().map_err(anyhow::Error::msg);
    Ok(Tools { java: find(&JAVA)?, maven: find(&MAVEN)?, python: find(&PYTHON)? })
}

/// As [`ensure`], for Python alone.
pub(crate) fn ensure_python(interrupt: &Interrupt) -> Result<PathBuf> {
    ensure_these(&[PYTHON], interrupt)?;
    (PYTHON.find)().map_err(anyhow::Error::msg)
}

/// As [`ensure`], for Node.js alone.
pub(crate) fn ensure_node(interrupt: &Interrupt) -> Result<Node> {
    ensure_these(&[NODE, NPM], interrupt)?;
    let find = |need: &Need| (need.find)().map_err(anyhow::Error::msg);
    Ok(Node { node: find(&NODE)?, npm: find(&NPM)? })
}

/// As [`ensure`], for everything that any test needs.
pub(crate) fn ensure_all(interrupt: &Interrupt) -> Result<(Tools, Node)> {
    ensure_these(&[JAVA, MAVEN, PYTHON, NODE, NPM, CHROMIUM, CHROMEDRIVER], interrupt)?;
    Ok((ensure(interrupt)?, ensure_node(interrupt)?))
}

fn ensure_these(needs: &[Need], interrupt: &Interrupt) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    if !may_install() {
        bail!("{}", explain(&missing));
    }
    let packages: Vec<_> = missing.iter().map(|(need, _)| need.debian).collect();
    status::step("Installing", format!("{} with apt-get, for what follows", packages.join(", ")));
    install(&packages, interrupt)?;
    let still_missing = self::missing(needs);
    if !still_missing.is_empty() {
        bail!("{}", explain(&still_missing));
    }
    Ok(())
}

fn missing(needs: &[Need]) -> Vec<(&Need, String)> {
    needs.iter().filter_map(|need| (need.find)().err().map(|problem| (need, problem))).collect()
}

fn explain(missing: &[(&Need, String)]) -> String {
    let mut text = String::from("this cannot run, since something is missing on this machine");
    for (need, problem) in missing {
        text += &format!("\n  {}, which {}: {problem}\n    elsewhere: {}", need.name, need.purpose, need.elsewhere);
    }
    let packages: Vec<_> = missing.iter().map(|(need, _)| need.debian).collect();
    text += &format!(
        "\nhint: on Debian or Ubuntu: `sudo apt-get install --no-install-recommends {}`; as root, this task does it itself",
        packages.join(" ")
    );
    text
}

fn may_install() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/etc/debian_version").exists()
}

fn install(packages: &[&str], interrupt: &Interrupt) -> Result<()> {
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
        command
    };
    process::run(apt().arg("update"), interrupt).context("cannot refresh the list of Debian packages")?;
    process::run(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages), interrupt)
        .with_context(|| format!("cannot install {}", packages.join(", ")))
}

fn find_java() -> Result<PathBuf, String> {
    let home = environment::variable("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
    let candidates = home.into_iter().chain(["java".into(), "/usr/bin/java".into()]);
    first_that_works(candidates, |java| {
        let version = answer(Command::new(java).arg("-version"))?;
        match java_version(&version) {
            Some(major) if major >= OLDEST_JAVA => Ok(()),
            Some(major) => Err(format!("found version {major}")),
            None => Err("it does not tell its version".to_owned()),
        }
    })
}

fn find_maven() -> Result<PathBuf, String> {
    first_that_works(["mvn".into(), "/usr/bin/mvn".into()], tells_its_version)
}

fn find_python() -> Result<PathBuf, String> {
    first_that_works(["python3".into(), "/usr/bin/python3".into()], |python| {
        answer(Command::new(python).args(["-c", "import ensurepip, venv"])).map(drop)
    })
}

fn find_node() -> Result<PathBuf, String> {
    first_that_works(["node".into(), "/usr/bin/node".into()], |node| {
        let version = answer(Command::new(node).arg("--version"))?;
        match node_version(&version) {
            Some(major) if major >= OLDEST_NODE => Ok(()),
            Some(major) => Err(format!("found version {major}")),
            None => Err("it does not tell its version".to_owned()),
        }
    })
}

fn find_npm() -> Result<PathBuf, String> {
    first_that_works(["npm".into(), "/usr/bin/npm".into()], tells_its_version)
}

/// The browser, by the names that ChromeDriver looks for.
fn find_chromium() -> Result<PathBuf, String> {
    let names = ["chromium", "google-chrome", "chromium-browser", "/Applications/Chromium.app/Contents/MacOS/Chromium"];
    first_that_works(names.map(PathBuf::from), tells_its_version)
}

fn find_chromedriver() -> Result<PathBuf, String> {
    first_that_works(["chromedriver".into(), "/usr/bin/chromedriver".into()], tells_its_version)
}

fn tells_its_version(program: &Path) -> Result<(), String> {
    answer(Command::new(program).arg("--version")).map(drop)
}

/// The first candidate that works, or why the first one that is there does not.
fn first_that_works(
    candidates: impl IntoIterator<Item = PathBuf>,
    works: impl Fn(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let mut problem = None;
    for candidate in candidates {
        match works(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(why) => {
                problem.get_or_insert(why);
            }
        }
    }
    Err(problem.unwrap_or_else(|| "not found".to_owned()))
}

/// What a program says on either output, or its last words if it fails.
fn answer(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|_| "not found".to_owned())?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return Ok(text.into_owned());
    }
    Err(text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it fails").trim().to_owned())
}

/// The major version in the answer of `java -version`; before 9 it was the second number.
fn java_version(answer: &str) -> Option<u32> {
    let quoted = answer.split('"').nth(1)?;
    let mut numbers = quoted.split(['.', '-', '_', '+']).map(str::parse::<u32>);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

/// The major version in the answer of `node --version`.
fn node_version(answer: &str) -> Option<u32> {
    answer.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_understood() {
        assert_eq!(node_version("v20.20.2\n"), Some(20));
        assert_eq!(node_version("v0.10.48\n"), Some(0));
        assert_eq!(node_version("20.20.2"), None);
        assert_eq!(node_version("a warning"), None);
    }

    #[test]
    fn java_versions_of_all_ages_are_understood() {
        assert_eq!(java_version("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK …"), Some(17));
        assert_eq!(java_version("openjdk version \"25\" 2025-09-16"), Some(25));
        assert_eq!(java_version("openjdk version \"21-ea\" 2023-09-19"), Some(21));
        assert_eq!(java_version("java version \"1.8.0_292\""), Some(8));
        assert_eq!(java_version("The operation couldn’t be completed. Unable to locate a Java Runtime."), None);
    }

    #[test]
    fn the_explanation_names_everything_that_is_missing_and_the_one_command_that_mends_it() {
        let text = explain(&[(&JAVA, "found version 11".to_owned()), (&PYTHON, "not found".to_owned())]);
        assert!(text.contains("Java 17 or newer, which runs Keycloak: found version 11"), "{text}");
        assert!(
            text.contains("Python 3 with `venv`, which runs the SMTP sink and the stand-in for Cognito: not found"),
            "{text}"
        );
        assert!(text.contains("install --no-install-recommends default-jdk-headless python3-venv`"), "{text}");
    }

    #[test]
    fn a_later_candidate_is_taken_and_the_first_problem_is_told() {
        let works =
            |path: &Path| if path.ends_with("new") { Ok(()) } else { Err(format!("{} is old", path.display())) };
        assert_eq!(first_that_works(["old".into(), "new".into()], works), Ok("new".into()));
        assert_eq!(first_that_works(["old".into(), "older".into()], works), Err("old is old".to_owned()));
    }

    #[test]
    fn a_program_that_fails_tells_its_last_words() {
        let script = "echo first; echo 'No module named venv' >&2; exit 1";
        assert_eq!(answer(Command::new("sh").args(["-c", script])), Err("No module named venv".to_owned()));
        assert_eq!(answer(&mut Command::new("/no/such/program")), Err("not found".to_owned()));
    }
}
