//! An OpenLDAP server.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use idp_bridge_test_process::{ServerProcess, unused_port};
use tempfile::TempDir;

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

/// The entries above those of roles and users.
const ENTRIES: &str = "
dn: dc=acme,dc=example
objectClass: organization
objectClass: dcObject
o: acme
dc: acme

dn: ou=people,dc=acme,dc=example
objectClass: organizationalUnit
ou: people
";

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
    running: Option<ServerProcess>,
}

impl SlapdServer {
    /// The entry above all others.
    pub const SUFFIX: &'static str = "dc=acme,dc=example";

    /// The entry above the users.
    pub const PEOPLE: &'static str = "ou=people,dc=acme,dc=example";

    /// Access rules for the role `bridge`: it reads users, deletes them, and writes one attribute.
    pub const RIGHTS: &'static str = r#"
access to attrs=userPassword by anonymous auth by * none
access to dn.base="ou=people,dc=acme,dc=example" by dn.exact="cn=bridge,dc=acme,dc=example" write by * none
access to dn.children="ou=people,dc=acme,dc=example" attrs=emailVerified,entry
    by dn.exact="cn=bridge,dc=acme,dc=example" write by self read by * none
access to dn.children="ou=people,dc=acme,dc=example" by dn.exact="cn=bridge,dc=acme,dc=example" read by * none
"#;

    /// Creates and starts a server with additional lines of `slapd.conf`: `general` ones, and those of the `database`, such as its
    /// access rules.
    ///
    /// Each of the `roles` is an entry such as `cn=bridge,dc=acme,dc=example` with a password such as `secret-of-bridge`.
    pub fn start(general: &str, database: &str, roles: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let (general, database) = (general.to_owned(), database.to_owned());
        let mut server =
            Self { folder, general, database, port: unused_port(), tls_port: unused_port(), running: None };
        server.restart();
        server.execute(ENTRIES);
        for role in roles {
            server.execute(&format!(
                "dn: cn={role},{}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: {role}\n\
                 userPassword: secret-of-{role}\n",
                Self::SUFFIX
            ));
        }
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

    /// Adds a user, and returns its id.
    pub fn add_user(&self, uid: &str, email: &str, customer: &str) -> String {
        self.execute(&format!(
            "dn: uid={uid},{}\nobjectClass: inetOrgPerson\nobjectClass: tenantUser\nuid: {uid}\ncn: {uid}\nsn: {uid}\n\
             mail: {email}\ncustomerId: {customer}\n",
            Self::PEOPLE
        ));
        self.id(&format!("(uid={uid})"))
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

    /// Returns an entry with the administrator's rights, as LDIF with its operational attributes. Empty if there is none.
    pub fn find(&self, filter: &str) -> String {
        let arguments = ["-LLL", "-o", "ldif-wrap=no", "-b", Self::SUFFIX, filter, "*", "+"];
        let output = self.client("ldapsearch", "cn=admin,dc=acme,dc=example", "secret-of-admin", &arguments, "");
        assert!(output.status.success(), "{filter}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns the id of an entry.
    pub fn id(&self, filter: &str) -> String {
        let entry = self.find(filter);
        entry.lines().find_map(|line| line.strip_prefix("entryUUID: ")).expect("the entry should exist").to_owned()
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
        self.running = None;
    }

    /// Starts the killed server on the same ports, with its data.
    pub fn restart(&mut self) {
        let program = ["/usr/sbin/slapd", "/usr/lib/openldap/slapd"].into_iter().find(|path| Path::new(path).exists());
        self.write_file("slapd.conf", &format!("{CONFIGURATION}{}{DATABASE}{}", self.general, self.database));
        let mut urls = format!("{}/", self.url());
        if self.general.contains("TLSCertificateFile") {
            urls.push_str(&format!(" ldaps://127.0.0.1:{}/", self.tls_port));
        }
        let mut command = ServerProcess::command(program.expect(MISSING), "KILL");
        command.args(["-f", "slapd.conf", "-d", "0", "-h", &urls]).current_dir(self.folder.path());
        let running = ServerProcess::start(&mut command, &self.folder.path().join("log"), MISSING);
        running.wait_until(|| TcpStream::connect(("127.0.0.1", self.port)).is_ok());
        self.running = Some(running);
    }

    /// Stops the server's process until [`resume`](Self::resume). Its connections stay open.
    pub fn pause(&self) {
        self.running.as_ref().unwrap().pause();
    }

    /// Continues the paused server.
    pub fn resume(&self) {
        self.running.as_ref().unwrap().resume();
    }
}

const MISSING: &str =
    "OpenLDAP should be installed; `cargo xtask test` installs it, or `apt-get install slapd ldap-utils` does";
