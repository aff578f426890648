//! A mail server.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use idp_bridge_test_process::{ServerProcess, unused_port};
use serde_json::json;
use tempfile::TempDir;

/// The protection of a server's connections. A server with a certificate requires the login.
#[derive(Debug, Clone, Copy)]
pub enum Security<'a> {
    /// None, and no login.
    Plain,
    /// STARTTLS, with this certificate and its key (PEM).
    StartTls(&'a str, &'a str),
    /// TLS from the first byte, with this certificate and its key (PEM).
    Implicit(&'a str, &'a str),
}

/// A mail server on 127.0.0.1, which keeps its mails. It is killed when this is dropped.
///
/// It answers in a special way to recipients that begin with one of these words, see `server.py`: `undeliverable`, `relay`,
/// `later`, `crash-at-rcpt`, `refused-content`, `later-content` and `crash-at-end`.
#[derive(Debug)]
pub struct SmtpServer {
    folder: TempDir,
    running: ServerProcess,
    port: u16,
}

impl SmtpServer {
    /// The name of the login.
    pub const USER: &'static str = "bridge";
    /// The password of the login.
    pub const PASSWORD: &'static str = "secret-of-bridge";

    /// Starts a server on a free port.
    pub fn start(security: Security<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("mails")).unwrap();
        let (name, files) = match security {
            Security::Plain => ("plain", None),
            Security::StartTls(certificate, key) => ("starttls", Some((certificate, key))),
            Security::Implicit(certificate, key) => ("implicit", Some((certificate, key))),
        };
        if let Some((certificate, key)) = files {
            std::fs::write(folder.path().join("certificate.pem"), certificate).unwrap();
            std::fs::write(folder.path().join("key.pem"), key).unwrap();
        }
        std::fs::write(folder.path().join("server.py"), include_str!("server.py")).unwrap();
        let port = unused_port();
        let options = json!({"port": port, "security": name, "user": Self::USER, "password": Self::PASSWORD});
        // That of Debian, which has the package `python3-aiosmtpd`.
        let python = ["/usr/bin/python3", "python3"].into_iter().find(|path| Path::new(path).exists());
        let mut command = ServerProcess::command(python.unwrap_or("python3"), "KILL");
        command.args(["-B", "server.py", &options.to_string()]).current_dir(folder.path());
        let running = ServerProcess::start(&mut command, &folder.path().join("log"), MISSING);
        running.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { folder, running, port }
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the accepted mails, with the envelope in the headers `X-MailFrom` and `X-RcptTo`.
    pub fn mails(&self) -> Vec<String> {
        let mut files: Vec<_> =
            std::fs::read_dir(self.folder.path().join("mails")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
    }

    /// Returns the text part of a mail, decoded by Python's parser of mails.
    pub fn text(&self, index: usize) -> String {
        self.part(index, "plain")
    }

    /// Returns the HTML part of a mail.
    pub fn html(&self, index: usize) -> String {
        self.part(index, "html")
    }

    fn part(&self, index: usize, kind: &str) -> String {
        let program = "import email, email.policy, sys\n\
                       mail = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)\n\
                       sys.stdout.write(mail.get_body((sys.argv[2],)).get_content())";
        let file = self.folder.path().join("mails").join(format!("{index:04}"));
        let output = Command::new("python3").args(["-c", program]).arg(file).arg(kind).output().expect(MISSING);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Stops the server's process, so that it answers no more. Its connections stay open.
    pub fn pause(&self) {
        self.running.pause();
    }
}

const MISSING: &str =
    "aiosmtpd should be installed; `cargo xtask test` installs it, or `apt-get install python3-aiosmtpd` does";
