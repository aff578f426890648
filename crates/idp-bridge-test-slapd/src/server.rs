//! An OpenLDAP server.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The time limit for anything that should be immediate.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the server until the standard input ends, which is when the test ends, however it ends.
const UNTIL_INPUT_ENDS: &str =
    r#""$@" >&2 & server=$!; echo $server; cat >/dev/null; kill -KILL $server; wait $server"#;

/// The schema of the users, and the database.
const CONFIGURATION: &str = r#"
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
attributetype ( 1.3.6.1.4.1.32473.1.1 NAME 'customerId' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.32473.1.2 NAME 'emailVerified' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.32473.2.1 NAME 'tenantUser' SUP top AUXILIARY MAY ( customerId $ emailVerified ) )
"#;

const DATABASE: &str = r#"
database mdb
suffix "dc=acme,dc=example"
rootdn "cn=admin,dc=acme,dc=example"
rootpw secret-of-admin
directory data
dbnosync
maxsize 1073741824
index objectClass,entryUUID eq
index mail,customerId eq,pres
overlay ppolicy
"#;

/// An OpenLDAP server on 127.0.0.1. It is killed when this is dropped.
///
/// Its data survive a crash of the server, but not one of the machine.
#[derive(Debug)]
pub struct SlapdServer {
    folder: TempDir,
    general: String,
    database: String,
    port: u16,
    tls_port: u16,
    /// `None` while the server does not run.
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    shell: Child,
    server: Pid,
}

impl SlapdServer {
    /// The entry above all others.
    pub const SUFFIX: &'static str = "dc=acme,dc=example";

    /// Creates and starts a server with additional lines of `slapd.conf`: `general` ones, and those of the `database`, such as its
    /// access rules. The entries of `ldif` are added.
    pub fn start(general: &str, database: &str, ldif: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let (general, database) = (general.to_owned(), database.to_owned());
        let mut server =
            Self { folder, general, database, port: unused_port(), tls_port: unused_port(), running: None };
        server.restart();
        server.execute(ldif);
        server
    }

    /// Returns the port for connections that may start TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the port for connections that begin with TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// Returns the URL without TLS.
    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// Writes a file in the server's folder, such as a certificate, and returns its path.
    pub fn write_file(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// Sets the general lines of `slapd.conf` for the next start.
    pub fn set_general(&mut self, lines: &str) {
        lines.clone_into(&mut self.general);
    }

    /// Sets the lines of the database for the next start.
    pub fn set_database(&mut self, lines: &str) {
        lines.clone_into(&mut self.database);
    }

    /// Makes changes in LDIF as the administrator.
    pub fn execute(&self, ldif: &str) {
        let output = self.execute_as("cn=admin,dc=acme,dc=example", "secret-of-admin", ldif);
        assert!(output.status.success(), "{ldif}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes changes in LDIF as another entry. The exit code of the output is the result code of the protocol.
    pub fn execute_as(&self, name: &str, password: &str, ldif: &str) -> Output {
        self.client("ldapmodify", name, password, &["-a"], ldif)
    }

    /// Returns an entry as the administrator sees it, as LDIF with its operational attributes. Empty if there is none.
    pub fn find(&self, filter: &str) -> String {
        let arguments = ["-LLL", "-o", "ldif-wrap=no", "-b", Self::SUFFIX, filter, "*", "+"];
        let output = self.client("ldapsearch", "cn=admin,dc=acme,dc=example", "secret-of-admin", &arguments, "");
        assert!(output.status.success(), "{filter}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn client(&self, program: &str, name: &str, password: &str, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(program);
        command.args(["-x", "-H", &self.url(), "-D", name, "-w", password]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("LDAPNOINIT", "1");
        let mut child = command.spawn().unwrap_or_else(|error| panic!("`{program}`: {error}; {MISSING}"));
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Kills the server, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            drop(running.shell.stdin.take());
            running.shell.wait().unwrap();
        }
    }

    /// Starts the killed server on the same ports, with its data.
    pub fn restart(&mut self) {
        let program = ["/usr/sbin/slapd", "/usr/lib/openldap/slapd"].into_iter().find(|path| Path::new(path).exists());
        let log = self.folder.path().join("log");
        let output = File::create(&log).unwrap();
        self.write_file("slapd.conf", &format!("{CONFIGURATION}{}{DATABASE}{}", self.general, self.database));
        let mut urls = format!("{}/", self.url());
        if self.general.contains("TLSCertificateFile") {
            urls.push_str(&format!(" ldaps://127.0.0.1:{}/", self.tls_port));
        }
        let mut command = Command::new("sh");
        command.args(["-c", UNTIL_INPUT_ENDS, "sh", program.expect(MISSING)]);
        command.args(["-f", "slapd.conf", "-d", "0", "-h", &urls]).current_dir(self.folder.path());
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(output).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let server = line.trim().parse().ok().and_then(Pid::from_raw).expect("the shell should print the server's id");
        self.running = Some(Running { shell, server });
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "not ready in time: {}", log());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Stops the server's process until [`resume`](Self::resume). Its connections stay open.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        // A thread of the server may still be answering.
        let status = format!("/proc/{}/stat", self.running.as_ref().unwrap().server.as_raw_nonzero());
        let begun = Instant::now();
        while !std::fs::read_to_string(&status).unwrap().contains(") T ") {
            assert!(begun.elapsed() < PATIENCE, "the server should stop");
            std::thread::yield_now();
        }
    }

    /// Continues the paused server.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.running.as_ref().unwrap().server, signal).unwrap();
    }
}

impl Drop for SlapdServer {
    fn drop(&mut self) {
        self.kill();
    }
}

const MISSING: &str =
    "OpenLDAP should be installed; `cargo xtask test` installs it, or `apt-get install slapd ldap-utils` does";

fn unused_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
