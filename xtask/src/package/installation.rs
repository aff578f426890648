//! Installs the Debian package in a new system below a folder, checks its contents there, and removes it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::prerequisites::{self, DEBOOTSTRAP, SYSTEMD};
use crate::workspace::Workspace;
use crate::{files, lab, process, status};

/// The packages of the system beside the essential ones.
const PACKAGES: &str = "--include=ca-certificates,systemd";
const UNIT: &str = "idp-bridge.service";
/// The path of the package in the system.
const PACKAGE: &str = "/tmp/idp-bridge.deb";

/// Commands in the system with the package, and the beginnings of their output.
const EXPECTED: [(&[&str], &str); 4] = [
    (&["idp-bridge", "--version"], "idp-bridge "),
    (&["id", "--name", "--user", "idp-bridge"], "idp-bridge"),
    (&["stat", "--format=%a %U %G", "/etc/idp-bridge"], "750 root idp-bridge"),
    (&["stat", "--format=%a %U %G", "/usr/bin/idp-bridge"], "755 root root"),
];

/// Installs the package in a system of this machine's release, checks it, and removes it. Only root can do so.
pub(super) fn check(workspace: &Workspace, package: &Path, system: &Path) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        status::note("the Debian package was not installed in a new system, which only root can do");
        return Ok(());
    }
    prerequisites::ensure(&[&DEBOOTSTRAP, &SYSTEMD])?;
    create(workspace, system)?;
    let at = |path: &str| system.join(path.trim_start_matches('/'));
    files::copy(package, &at(PACKAGE))?;
    inside(system, &["dpkg", "--install", PACKAGE])?;
    for (command, expected) in EXPECTED {
        let output = inside(system, command)?;
        if !output.starts_with(expected) {
            bail!("`{}` prints `{}`, not `{expected}`", command.join(" "), output.trim());
        }
    }
    let pages = check_manual(system)?;
    let mut verify = Command::new(SYSTEMD.path()?);
    process::output(verify.arg(format!("--root={}", system.display())).args(["verify", "--man=no", UNIT]))
        .context("systemd refuses the unit")?;
    inside(system, &["dpkg", "--purge", "idp-bridge"])?;
    if at("/usr/bin/idp-bridge").exists() || !at("/etc/idp-bridge").exists() {
        bail!("removing the package keeps the program, or removes `/etc/idp-bridge`");
    }
    files::remove(system)?;
    status::step("Installed", format!("the Debian package with {pages} manual pages in a new system, and removed it"));
    Ok(())
}

/// Copies a new system to the folder. It is made once.
fn create(workspace: &Workspace, system: &Path) -> Result<()> {
    let release = files::read(Path::new("/etc/os-release"))?;
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let codename = codename.context("`/etc/os-release` has no `VERSION_CODENAME`")?;
    let folder = lab::folder(workspace);
    let base = folder.join(format!("debian-{codename}"));
    if !base.exists() {
        status::step("Creating", format!("a system of `{codename}` with debootstrap"));
        let unfinished = base.with_extension("new");
        files::remove(&unfinished)?;
        let mut debootstrap = Command::new(DEBOOTSTRAP.path()?);
        debootstrap.args(["--variant=minbase", PACKAGES, codename]).arg(&unfinished);
        process::run_logged(&mut debootstrap, &folder.join("log/debootstrap.log"))?;
        std::fs::rename(&unfinished, &base)?;
    }
    files::remove(system)?;
    process::run(Command::new("cp").arg("--archive").arg(&base).arg(system))
}

/// Checks that each command of the program has a manual page that is installed, and returns the number of pages.
fn check_manual(system: &Path) -> Result<usize> {
    inside(system, &["mkdir", "/tmp/man"])?;
    inside(system, &["idp-bridge", "man", "--out", "/tmp/man"])?;
    let expected = inside(system, &["ls", "/tmp/man"])?;
    for page in expected.lines() {
        inside(system, &["gzip", "--test", &format!("/usr/share/man/man1/{page}.gz")])
            .with_context(|| format!("the package lacks the manual page `{page}`"))?;
    }
    Ok(expected.lines().count())
}

/// Runs a command in the system and returns its output.
fn inside(system: &Path, command: &[&str]) -> Result<String> {
    let mut chroot = Command::new("chroot");
    chroot.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DEBIAN_FRONTEND", "noninteractive");
    process::output(chroot.arg(system).args(command))
}
