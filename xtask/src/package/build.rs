//! Builds the program and the packages. Two builds of one commit on one machine are equal.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{SOURCES, list};
use crate::built_tool::AUDITABLE;
use crate::workspace::Workspace;
use crate::{files, process, status};

/// The name of the program and of its package.
pub(super) const PROGRAM: &str = "idp-bridge";
/// The name of the section with the list of components (<https://github.com/rust-secure-code/cargo-auditable>, November 2026).
const COMPONENTS: &[u8] = b".dep-v0";

/// The completions: the shell, and the path of its script in a system.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/idp-bridge"),
    ("zsh", "usr/share/zsh/vendor-completions/_idp-bridge"),
    ("fish", "usr/share/fish/vendor_completions.d/idp-bridge.fish"),
];

/// The copied files, and their paths in a system.
const FILES: [(&str, &str); 6] = [
    ("packaging/systemd/idp-bridge.service", "usr/lib/systemd/system/idp-bridge.service"),
    ("packaging/systemd/sysusers.conf", "usr/lib/sysusers.d/idp-bridge.conf"),
    ("LICENSE", "usr/share/doc/idp-bridge/copyright"),
    ("CHANGELOG.md", "usr/share/doc/idp-bridge/changelog"),
    ("docs/configuration.example.toml", "usr/share/doc/idp-bridge/examples/configuration.example.toml"),
    ("packaging/monitoring/alerts.yaml", "usr/share/doc/idp-bridge/examples/alerts.yaml"),
];

/// The scripts of the Debian package.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Builds the program, and installs it with its manual pages and completions below a folder, as in a system.
pub(super) fn install(workspace: &Workspace, results: &Path) -> Result<PathBuf> {
    status::step("Building", "the program in release mode");
    let mut cargo = Command::new(AUDITABLE.ensure(workspace)?);
    cargo.args(["auditable", "build", "--release", "--locked", "--package", PROGRAM]).current_dir(&workspace.root);
    process::run(cargo.env("IDP_BRIDGE_COMMIT", commit(workspace)?).env("CARGO_INCREMENTAL", "0"))?;
    let built = workspace.target_directory.join("release").join(PROGRAM);
    check_components(&built)?;
    let tree = results.join("tree");
    let program = tree.join("usr/bin").join(PROGRAM);
    files::copy(&built, &program)?;
    for (from, to) in FILES {
        files::copy(&workspace.root.join(from), &tree.join(to))?;
    }
    for (shell, path) in COMPLETIONS {
        let script = process::output(Command::new(&program).args(["completions", shell]))?;
        files::write(&tree.join(path), &script)?;
    }
    let pages = tree.join("usr/share/man/man1");
    files::create_folder(&pages)?;
    process::run(Command::new(&program).args(["man", "--out"]).arg(&pages))?;
    // Without a time and a name in its header, the same page is the same file.
    process::run(Command::new("gzip").args(["--best", "--no-name"]).args(list(&pages)?).current_dir(&pages))?;
    Ok(tree)
}

/// Checks that the program has the list of its components.
fn check_components(program: &Path) -> Result<()> {
    let bytes = std::fs::read(program).with_context(|| format!("cannot read `{}`", program.display()))?;
    if bytes.windows(COMPONENTS.len()).any(|part| part == COMPONENTS) {
        Ok(())
    } else {
        bail!("the program has no list of its components: is it stripped of all sections?")
    }
}

/// Writes the archive of the tree.
pub(super) fn archive(workspace: &Workspace, tree: &Path, results: &Path) -> Result<()> {
    let name = format!("{PROGRAM}-{}-{}-linux.tar.gz", version(workspace)?, std::env::consts::ARCH);
    let mut tar = Command::new("tar");
    tar.args([
        "--create",
        "--use-compress-program=gzip --no-name",
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
    ]);
    tar.arg(format!("--mtime=@{}", commit_time(workspace)?)).arg("--file").arg(results.join(name));
    process::run(tar.arg("--directory").arg(tree).arg("usr"))
}

/// Writes the Debian package of the tree, and returns its path.
pub(super) fn debian(workspace: &Workspace, tree: &Path, results: &Path) -> Result<PathBuf> {
    let debian = workspace.root.join(SOURCES).join("debian");
    let control = tree.join("DEBIAN");
    let (version, architecture) = (version(workspace)?, output("dpkg", &["--print-architecture"])?);
    // The oldest C library that surely works is the one that the program was linked with.
    let glibc = output("getconf", &["GNU_LIBC_VERSION"])?;
    let text = files::read(&debian.join("control"))?
        .replace("@VERSION@", &version)
        .replace("@ARCHITECTURE@", &architecture)
        .replace("@GLIBC@", glibc.trim_start_matches("glibc "));
    files::write(&control.join("control"), &text)?;
    for script in SCRIPTS {
        files::write_with_mode(&control.join(script), &files::read(&debian.join(script))?, 0o755)?;
    }
    let package = results.join(format!("{PROGRAM}_{version}_{architecture}.deb"));
    let mut build = Command::new("dpkg-deb");
    build.args(["--build", "--root-owner-group"]).arg(tree).arg(&package);
    process::run(build.env("SOURCE_DATE_EPOCH", commit_time(workspace)?))?;
    Ok(package)
}

/// Writes the checksums of the packages.
pub(super) fn checksums(results: &Path) -> Result<()> {
    let sums = process::output(Command::new("sha256sum").args(list(results)?).current_dir(results))?;
    files::write(&results.join("SHA256SUMS"), &sums)
}

/// Returns the version of the workspace.
fn version(workspace: &Workspace) -> Result<String> {
    Workspace::version(&files::read(&workspace.root.join("Cargo.toml"))?)
}

/// Returns the commit, marked if files differ from it.
fn commit(workspace: &Workspace) -> Result<String> {
    let commit = git(workspace, &["rev-parse", "HEAD"])?;
    let is_changed = !git(workspace, &["status", "--porcelain"])?.is_empty();
    Ok(if is_changed { format!("{commit} with changes") } else { commit })
}

/// Returns the time of the commit, in seconds since 1970.
pub(super) fn commit_time(workspace: &Workspace) -> Result<String> {
    git(workspace, &["log", "-1", "--format=%ct"])
}

fn git(workspace: &Workspace, arguments: &[&str]) -> Result<String> {
    let output = process::output(Command::new("git").current_dir(&workspace.root).args(arguments))?;
    Ok(output.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    Ok(process::output(Command::new(program).args(arguments))?.trim().to_owned())
}
