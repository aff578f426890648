//! Runs the program.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Creates a command of the program with an empty environment.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_idp-bridge"));
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    command
}

/// The exit code and output of a run.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Parses standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the program in a folder.
pub(crate) fn run_in<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Output {
    finish(command(folder).args(arguments))
}

/// Runs the program in an empty folder.
pub(crate) fn run(line: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), line.split_whitespace())
}

/// Puts the program into `bin` of a folder, for a `PATH`. It uses a free port, and a call waits until the bridge listens.
///
/// `cases` are further ones of a `case` of the shell, with the variables `program` and `url`.
pub(crate) fn put_on_path(folder: &Path, cases: &str) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let wrapper = format!(
        "#!/bin/sh\nprogram={}\nurl=http://127.0.0.1:{port}\ncase $1 in\n{cases}\
         serve) exec $program \"$@\" --listen 127.0.0.1:{port} ;;\n\
         call) tries=0\n\
         until $program call ping --tenant acme --key-file platform.key --url $url >&2; do\n\
         tries=$((tries + 1)); [ $tries -lt 500 ] || exit 1; done\n\
         exec $program \"$@\" --url $url ;;\n\
         *) exec $program \"$@\" ;;\nesac\n",
        env!("CARGO_BIN_EXE_idp-bridge")
    );
    std::fs::create_dir(folder.join("bin")).unwrap();
    let path = folder.join("bin/idp-bridge");
    std::fs::write(&path, wrapper).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
