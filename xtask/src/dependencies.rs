//! The rules of `deny.toml`: through cargo-deny where it is installed, otherwise as far as these tasks can check them.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::interrupt::Interrupt;
use crate::workspace::{Built, Workspace};
use crate::{environment, process, status};

/// The part of `deny.toml` that is checked without cargo-deny.
#[derive(Debug, Deserialize)]
struct Rules {
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    package: String,
    reason: String,
}

/// Checks the dependencies; the database of vulnerabilities, which not every machine reaches, is not asked.
pub(crate) fn check(workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let cargo = || {
        let mut command = Command::new(environment::cargo());
        command.current_dir(&workspace.root);
        command
    };
    if process::output(cargo().args(["deny", "--version"])).is_ok() {
        let arguments = ["deny", "--all-features", "check", "bans", "licenses", "sources"];
        return process::run(cargo().args(arguments), interrupt);
    }
    status::note(
        "cargo-deny is not installed, so licences are not checked, only banned packages and sources; \
         hint: `cargo install --locked cargo-deny`",
    );
    let path = workspace.root.join("deny.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let packages = workspace.built_with(&["--workspace", "--all-features"])?;
    let problems = problems(&text, &packages)?;
    if !problems.is_empty() {
        bail!("dependencies that `deny.toml` does not want\n  {}", problems.join("\n  "));
    }
    status::step("Checked", format!("{} packages against the bans of `deny.toml`", packages.len()));
    Ok(())
}

fn problems(rules: &str, packages: &BTreeSet<Built>) -> Result<Vec<String>> {
    let rules: Rules = toml::from_str(rules).context("cannot read the bans of `deny.toml`")?;
    let mut problems = Vec::new();
    for ban in &rules.bans.deny {
        let (name, below_major) = parse(&ban.package)?;
        for package in packages.iter().filter(|package| package.name == name) {
            if below_major.is_none_or(|major| major_version(&package.version) < major) {
                problems.push(format!("{} {}: {}", package.name, package.version, ban.reason));
            }
        }
    }
    let from_git = packages.iter().filter(|package| package.from_git);
    problems.extend(from_git.map(|package| format!("{} {}: comes from git", package.name, package.version)));
    Ok(problems)
}

/// A ban is `name`, or `name:<1` for the versions below a major one; another form would silently ban nothing here.
fn parse(ban: &str) -> Result<(&str, Option<u64>)> {
    let Some((name, requirement)) = ban.split_once([':', '@']) else { return Ok((ban, None)) };
    let major = requirement.strip_prefix('<').and_then(|major| major.parse().ok());
    let major = major.with_context(|| format!("`deny.toml` bans `{ban}`: only `name` and `name:<1` are understood"))?;
    Ok((name, Some(major)))
}

fn major_version(version: &str) -> u64 {
    version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [bans]
        deny = [
            { crate = "ring", reason = "one crypto library" },
            { crate = "hyper:<1", reason = "the old stack" },
        ]
    "#;

    fn found(rules: &str, packages: &[(&str, &str)]) -> Vec<String> {
        problems(rules, &packages.iter().map(|(name, version)| Built::sample(name, version)).collect()).unwrap()
    }

    #[test]
    fn a_banned_package_is_found_with_its_reason() {
        assert_eq!(found(RULES, &[("ring", "0.17.8"), ("serde", "1.0.0")]), ["ring 0.17.8: one crypto library"]);
    }

    #[test]
    fn only_the_versions_below_are_banned() {
        assert_eq!(found(RULES, &[("hyper", "1.8.0"), ("hyper", "0.14.32")]), ["hyper 0.14.32: the old stack"]);
    }

    #[test]
    fn a_package_from_git_is_found() {
        let package = Built { from_git: true, ..Built::sample("serde", "1.0.0") };
        assert_eq!(problems(RULES, &BTreeSet::from([package])).unwrap(), ["serde 1.0.0: comes from git"]);
    }

    #[test]
    fn a_ban_that_is_not_understood_is_an_error() {
        assert!(parse("hyper:>=0.14, <1").is_err());
        assert_eq!(parse("ring").unwrap(), ("ring", None));
    }

    #[test]
    fn the_repositorys_own_rules_are_understood() {
        let rules = include_str!("../../deny.toml");
        for name in ["ring", "openssl-sys", "native-tls", "chrono", "rsa"] {
            assert_eq!(found(rules, &[(name, "1.0.0")]).len(), 1, "{name}");
        }
        assert_eq!(found(rules, &[("hyper", "0.14.32"), ("hyper", "1.12.0")]).len(), 1);
    }
}
