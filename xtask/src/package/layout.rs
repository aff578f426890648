//! Runs the program as in the image: in a folder with its libraries only, without privileges, on a read-only root.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{files, process, status};

const PROGRAM: &str = "/usr/bin/idp-bridge";
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The user and group of the image.
const USER: &str = "65532:65532";

/// Mounts the folder read-only over itself and runs a command in it. The arguments are the folder and those of `chroot`.
const SCRIPT: &str = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && \
    cd \"$1\" && if touch written 2>/dev/null; then echo 'the root is not read-only' >&2; exit 1; fi && \
    root=$1 && shift && exec chroot \"$@\"";

/// Copies the program of a tree with its libraries to a folder, serves the demo there, and requests `/readyz`.
pub(super) fn check(tree: &Path, image: &Path) -> Result<()> {
    create(tree, image)?;
    let mut child = serve(image)?;
    let checked = request(&mut child);
    // The group may have ended.
    let _ = kill_process_group(Pid::from_child(&child), Signal::TERM);
    let exit = child.wait()?;
    checked?;
    if !exit.success() {
        bail!("the program in the layout of the image ended with {exit}");
    }
    status::step("Ran", "the layout of the image: no shell, no privileges, read-only");
    Ok(())
}

fn create(tree: &Path, image: &Path) -> Result<()> {
    let within = |path: &str| image.join(path.trim_start_matches('/'));
    let program = tree.join(PROGRAM.trim_start_matches('/'));
    let libraries = process::output(Command::new("ldd").arg(&program))?;
    let paths = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    paths.chain([CERTIFICATES]).try_for_each(|path| files::copy(Path::new(path), &within(path)))?;
    files::copy(&program, &within(PROGRAM))
}

/// Serves the demo in the folder. Without root it uses a namespace in which the caller may mount.
fn serve(image: &Path) -> Result<Child> {
    let is_root = rustix::process::geteuid().is_root();
    let mut unshare = Command::new("unshare");
    if !is_root {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--mount", "sh", "-c", SCRIPT, "sh"]).arg(image);
    if is_root {
        unshare.arg(format!("--userspec={USER}"));
    }
    unshare.arg(image).args([PROGRAM, "serve", "--listen", "127.0.0.1:0"]);
    let child = unshare.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0).spawn();
    child.context("cannot run `unshare`; hint: install util-linux")
}

fn request(child: &mut Child) -> Result<()> {
    let output = child.stdout.take().context("the program has no standard output")?;
    let line = BufReader::new(output).lines().next().context("the program ended before it listened")??;
    let url = line.strip_prefix("listening on ").with_context(|| format!("unexpected first line `{line}`"))?;
    let mut response = ureq::get(format!("{url}/readyz")).call().context("`/readyz` does not answer")?;
    let body = response.body_mut().read_to_string()?;
    if !body.contains("\"ready\"") {
        bail!("`/readyz` answers {body}");
    }
    Ok(())
}
