//! The SMTP sink: takes every mail, but those that tests call undeliverable, and keeps it as a file.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::files;
use crate::interrupt::Interrupt;
use crate::lab::python::Environment;
use crate::lab::server::{Launched, Server};

const START_LIMIT: Duration = Duration::from_secs(30);

/// Installs the sink in the lab's folder, unless it is there; answers its Python.
pub(crate) fn install(lab: &Path, python: &Path, interrupt: &Interrupt) -> Result<PathBuf> {
    let environment = Environment { name: "venv", packages: &["aiosmtpd==1.4.6"], probe: "import aiosmtpd" };
    Ok(environment.install(lab, python, interrupt)?.join("python"))
}

/// Starts the sink with an empty mailbox.
pub(crate) fn start(
    server: &Server,
    python: &Path,
    maildir: &Path,
    port: u16,
    interrupt: &Interrupt,
) -> Result<Launched> {
    files::remove(maildir)?;
    let address = format!("127.0.0.1:{port}");
    let folder = maildir.parent().unwrap_or(maildir);
    files::write(&folder.join("sink.py"), include_str!("sink.py"))?;
    let (python, folder, maildir) = (python.to_string_lossy(), folder.to_string_lossy(), maildir.to_string_lossy());
    server.write_script(
        &[("PYTHONPATH", &folder)],
        &[&*python, "-m", "aiosmtpd", "-n", "-l", &address, "-c", "sink.Sink", &*maildir],
    )?;
    let launched = server.launch(interrupt)?;
    launched.wait_until(START_LIMIT, || greets(port)).context("cannot start the SMTP sink")?;
    Ok(launched)
}

/// Whether an SMTP server says hello.
fn greets(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return false };
    let mut greeting = [0; 3];
    stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
        && stream.read_exact(&mut greeting).is_ok()
        && &greeting == b"220"
}
