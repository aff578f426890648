//! Checks dependencies against `deny.toml`: with cargo-deny if it is installed, else the bans and sources alone.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use crate::workspace::{Built, EVERYTHING, Workspace};
use crate::{files, process, status};

/// Checks the dependencies, without the database of vulnerabilities, which needs the network.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    if process::output(&mut workspace.cargo(&["deny", "--version"])).is_ok() {
        let arguments = ["deny", "--all-features", "check", "bans", "licenses", "sources"];
        return process::run(&mut workspace.cargo(&arguments));
    }
    status::note(
        "cargo-deny is not installed, so licences are not checked, only banned packages and sources; \
         hint: `cargo install --locked cargo-deny`",
    );
    let packages = workspace.dependencies(&EVERYTHING)?;
    let problems = problems(&files::read(&workspace.root.join("deny.toml"))?, &packages)?;
    if !problems.is_empty() {
        bail!("dependencies that `deny.toml` bans\n  {}", problems.join("\n  "));
    }
    status::step("Checked", format!("{} packages against the bans of `deny.toml`", packages.len()));
    Ok(())
}

fn problems(rules: &str, packages: &BTreeSet<Built>) -> Result<Vec<String>> {
    let rules: toml::Table = rules.parse().context("`deny.toml` is not TOML")?;
    let bans = rules.get("bans").and_then(|bans| bans.get("deny")).and_then(toml::Value::as_array);
    let mut problems = Vec::new();
    for ban in bans.context("`deny.toml` has no list `bans.deny`")? {
        let text = |key: &str| ban.get(key).and_then(toml::Value::as_str);
        let (name, below) = parse_ban(text("crate").context("a ban of `deny.toml` has no `crate`")?)?;
        let is_banned = |package: &&Built| package.name == name && below.is_none_or(|major| package.major() < major);
        let reason = text("reason").unwrap_or("banned");
        problems.extend(packages.iter().filter(is_banned).map(|found| format!("{name} {}: {reason}", found.version)));
    }
    let from_git = packages.iter().filter(|package| package.from_git);
    problems.extend(from_git.map(|package| format!("{} {}: comes from git", package.name, package.version)));
    Ok(problems)
}

/// Parses `name`, or `name:<1` for all versions below a major one. Other forms are errors, so that no ban is skipped.
fn parse_ban(ban: &str) -> Result<(&str, Option<u64>)> {
    let Some((name, requirement)) = ban.split_once([':', '@']) else { return Ok((ban, None)) };
    let major = requirement.strip_prefix('<').and_then(|major| major.parse().ok());
    let major = major.with_context(|| format!("`deny.toml` bans `{ban}`: only `name` and `name:<1` are supported"))?;
    Ok((name, Some(major)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, version: &str) -> Vec<String> {
        problems(include_str!("../../deny.toml"), &BTreeSet::from([Built::sample(name, version)])).unwrap()
    }

    #[test]
    fn banned_packages_are_found() {
        for name in ["ring", "openssl", "openssl-sys", "native-tls", "chrono", "rsa"] {
            assert_eq!(found(name, "1.0.0").len(), 1, "{name}");
        }
        assert_eq!(found("ring", "0.17.8"), ["ring 0.17.8: one crypto library"]);
        assert!(found("serde", "1.0.0").is_empty());
    }

    #[test]
    fn only_versions_below_the_major_are_banned() {
        assert_eq!(found("hyper", "0.14.32").len(), 1);
        assert!(found("hyper", "1.12.0").is_empty());
        assert!(parse_ban("hyper:>=0.14, <1").is_err());
    }

    #[test]
    fn a_package_from_git_is_found() {
        let package = Built { from_git: true, ..Built::sample("serde", "1.0.0") };
        let problems = problems("[bans]\ndeny = []", &BTreeSet::from([package])).unwrap();
        assert_eq!(problems, ["serde 1.0.0: comes from git"]);
    }
}
