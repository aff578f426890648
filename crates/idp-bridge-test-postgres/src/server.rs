//! A PostgreSQL server.

use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use idp_bridge_test_process::{ServerProcess, unused_port};
use rustix::process::geteuid;
use tempfile::TempDir;

/// A PostgreSQL server on 127.0.0.1 and a Unix socket. It is stopped when this is dropped.
///
/// Its data survive a crash of the server, but not one of the machine.
#[derive(Debug)]
pub struct PostgresServer {
    folder: TempDir,
    programs: PathBuf,
    /// The user and group of the server, which refuses to run as root.
    owner: Option<(u32, u32)>,
    port: u16,
    options: Vec<String>,
    running: Option<ServerProcess>,
}

impl PostgresServer {
    /// The administrator, who needs no password.
    pub const ADMIN: &'static str = "postgres";

    /// Creates and starts a server.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Creates and starts a server with additional settings, such as `["max_connections=5"]`.
    ///
    /// The administrator needs no password, all others do.
    pub fn start_with(settings: &[&str]) -> Self {
        let owner = geteuid().is_root().then(postgres_user);
        let folder = tempfile::tempdir().unwrap();
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let options = settings.iter().map(ToString::to_string).collect();
        let mut server = Self { folder, programs: programs(), owner, port: unused_port(), options, running: None };
        server.create();
        server.restart();
        server
    }

    /// Returns the port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Writes a file that settings can name, such as a certificate, with rights for the server alone.
    pub fn write_file(&self, name: &str, contents: &str) {
        let path = self.data_folder().join(name);
        std::fs::write(&path, contents).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        if let Some((user, group)) = self.owner {
            chown(&path, Some(user), Some(group)).unwrap();
        }
    }

    /// Adds settings for the next start.
    pub fn add_settings(&mut self, settings: &[&str]) {
        self.options.extend(settings.iter().map(ToString::to_string));
    }

    /// Returns the URL of a database for a user.
    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs statements as the administrator, with `psql`.
    pub fn execute(&self, database: &str, statements: &str) -> String {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", Self::ADMIN]);
        command.args(["-p", &self.port.to_string(), "-d", database]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(statements.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{statements}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Kills the server, as a crash would.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Starts the killed server on the same port, with its data.
    pub fn restart(&mut self) {
        let mut command = self.as_owner(ServerProcess::command(self.programs.join("postgres"), "QUIT"));
        command.arg("-D").arg(self.data_folder());
        for setting in self.settings() {
            command.args(["-c", &setting]);
        }
        let running = ServerProcess::start(&mut command, &self.folder.path().join("log"), MISSING);
        running.wait_until(|| is_ready(self.port));
        self.running = Some(running);
    }

    /// Stops the server's main process until [`resume`](Self::resume), so that it accepts no connections.
    pub fn pause(&self) {
        self.running.as_ref().unwrap().pause();
    }

    /// Continues the paused server.
    pub fn resume(&self) {
        self.running.as_ref().unwrap().resume();
    }

    fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn settings(&self) -> Vec<String> {
        let folder = self.folder.path().display();
        let fixed = ["listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off"];
        let mut settings: Vec<String> = fixed.map(str::to_owned).into();
        settings.push(format!("port={}", self.port));
        settings.push(format!("unix_socket_directories={folder}"));
        settings.extend(self.options.iter().cloned());
        settings
    }

    fn create(&self) {
        let mut command = self.as_owner(Command::new(self.programs.join("initdb")));
        command.arg("-D").arg(self.data_folder()).args(["-U", Self::ADMIN, "--no-sync", "--no-instructions"]);
        command.args(["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]);
        let output = command.output().expect("`initdb` should start");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rules = format!("local all all trust\nhost all {} 127.0.0.1/32 trust\n", Self::ADMIN);
        // The client's part of SCRAM takes long in an unoptimized build, so only connections with TLS use it.
        let rules = rules + "hostssl all all 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 password\n";
        std::fs::write(self.data_folder().join("pg_hba.conf"), rules).unwrap();
    }

    /// Sets the folder and the user of a command.
    fn as_owner(&self, mut command: Command) -> Command {
        command.current_dir(self.folder.path()).env_remove("PGDATA");
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

/// Returns whether the server begins a session of the administrator.
fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // A startup message of version 3.0.
    let startup = b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    let mut answer = [0];
    stream.write_all(startup).is_ok() && stream.read_exact(&mut answer).is_ok() && answer == *b"R"
}

/// Returns the folder of the newest programs: that of Debian's packages, or one of `PATH`.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin")).filter(|folder| folder.join("initdb").exists());
    let by_version = |folder: &PathBuf| folder.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    newest.max_by_key(by_version).or_else(in_path).expect(MISSING)
}

const MISSING: &str =
    "PostgreSQL should be installed; `cargo xtask test` installs it, or `apt-get install postgresql` does";

#[expect(clippy::disallowed_methods, reason = "looks for programs, as a shell does")]
fn in_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// Returns the user and group that Debian's package creates.
fn postgres_user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let mut fields =
        line.expect("as root, the servers run as the user `postgres`, which must exist").split(':').skip(2);
    let mut number = || fields.next().unwrap().parse().unwrap();
    (number(), number())
}
