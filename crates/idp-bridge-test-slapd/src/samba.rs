//! Samba as the domain controller of an Active Directory.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use idp_bridge_test_process::{ServerProcess, unused_port};
use tempfile::TempDir;

/// A domain controller of `acme.example` on a loopback address of its own, since its ports cannot be chosen. It is killed when this
/// is dropped.
///
/// It serves LDAP only, and accepts passwords only in TLS.
#[derive(Debug)]
pub struct SambaServer {
    folder: TempDir,
    address: Ipv4Addr,
    /// `None` before the start.
    running: Option<ServerProcess>,
}

impl SambaServer {
    /// The entry above all others.
    pub const SUFFIX: &'static str = "dc=acme,dc=example";

    /// Creates the database of a server that does not run yet.
    pub fn create() -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), unused_address());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let options = [
            ("interfaces", format!("{address}/8")),
            ("bind interfaces only", "yes".to_owned()),
            ("server services", "ldap".to_owned()),
            ("log file", path("log.samba")),
            ("ncalrpc dir", path("ncalrpc")),
            ("pid directory", path("")),
            ("tls cafile", path("authority.pem")),
            ("tls certfile", path("server.crt")),
            ("tls keyfile", path("server.key")),
        ];
        let options: String = options.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        // The Python of Debian, which has the modules of Samba.
        let python = ["/usr/bin/python3", "python3"].into_iter().find(|path| Path::new(path).exists());
        let mut command = Command::new(python.unwrap_or("python3"));
        command.args(["-c", include_str!("provision.py")]).arg(folder.path());
        let output = run(command.args([&address.to_string(), ADMINISTRATOR]), &options);
        assert!(output.status.success(), "{}; {MISSING}", String::from_utf8_lossy(&output.stderr));
        Self { folder, address, running: None }
    }

    /// Returns the address, for which the certificate must be.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Changes the database itself with the LDIF of a program of `ldb-tools`, such as `ldbadd`. A right may be in SDDL there.
    pub fn change_database(&self, program: &str, ldif: &str) {
        let output = run(Command::new(program).arg("-H").arg(self.database()), ldif);
        assert!(output.status.success(), "{ldif}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Returns the security identifier of an account, such as `S-1-5-21-1-2-3-1103`.
    pub fn security_id(&self, account: &str) -> String {
        let filter = format!("(sAMAccountName={account})");
        let output = run(Command::new("ldbsearch").arg("-H").arg(self.database()).args([&filter, "objectSid"]), "");
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().find_map(|line| line.strip_prefix("objectSid: ")).expect("the account should exist").to_owned()
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("private/sam.ldb")
    }

    /// Starts the server with a certificate, its key, and the authority that issued it (PEM).
    pub fn start(&mut self, authority: &str, certificate: &str, key: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        for (name, contents) in [("authority.pem", authority), ("server.crt", certificate), ("server.key", key)] {
            let path = self.folder.path().join(name);
            std::fs::write(&path, contents).unwrap();
            // Samba refuses a key that others can read.
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let mut command = ServerProcess::command("samba", "KILL");
        command.args(["--foreground", "--no-process-group", "--model=single", "--debug-stdout", "--configfile"]);
        command.arg(self.folder.path().join("etc/smb.conf"));
        let running = ServerProcess::start(&mut command, &self.folder.path().join("log"), MISSING);
        // The last port that it opens is that of the global catalog with TLS.
        running.wait_until(|| TcpStream::connect((self.address, 3269)).is_ok());
        self.running = Some(running);
    }

    /// Makes changes in LDIF as the administrator.
    pub fn execute(&self, ldif: &str) {
        let output = self.execute_as("Administrator@acme.example", ADMINISTRATOR, ldif);
        assert!(output.status.success(), "{ldif}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes changes in LDIF as another user. The exit code of the output is the result code of the protocol.
    pub fn execute_as(&self, name: &str, password: &str, ldif: &str) -> Output {
        self.client("ldapmodify", name, password, &["-a"], ldif)
    }

    /// Returns an entry with the administrator's rights, as LDIF. Empty if there is none.
    pub fn find(&self, filter: &str) -> String {
        let arguments = ["-LLL", "-o", "ldif-wrap=no", "-b", Self::SUFFIX, filter];
        let output = self.client("ldapsearch", "Administrator@acme.example", ADMINISTRATOR, &arguments, "");
        assert!(output.status.success(), "{filter}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn client(&self, program: &str, name: &str, password: &str, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(program);
        command.args(["-x", "-H", &format!("ldaps://{}", self.address), "-D", name, "-w", password]).args(arguments);
        command.env("LDAPTLS_CACERT", self.folder.path().join("authority.pem"));
        run(&mut command, input)
    }
}

/// The password of the administrator.
const ADMINISTRATOR: &str = "Secret-of-the-administrator-1";

const MISSING: &str = "Samba should be installed; `cargo xtask test` installs it, or \
                       `apt-get install samba-ad-dc samba-ad-provision ldb-tools ldap-utils` does";

const PORT: &str = "it takes the rights of root, or `sysctl net.ipv4.ip_unprivileged_port_start=53`, and no other directory \
                    may listen at all addresses, as Debian's does until `systemctl disable --now slapd`";

/// Returns a loopback address of which no program uses the port of LDAP.
fn unused_address() -> Ipv4Addr {
    let [high, low] = unused_port().to_be_bytes();
    let address = Ipv4Addr::new(127, high, low, 1);
    if let Err(error) = TcpListener::bind((address, 389)) {
        panic!("no server can listen at {address}:389: {error}; {PORT}");
    }
    address
}

/// Runs a program to its end.
fn run(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}; {MISSING}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}
