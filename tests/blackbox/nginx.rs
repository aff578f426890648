//! A running nginx.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::support::bridge::until;

/// A running nginx, which is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Nginx {
    folder: TempDir,
    process: Child,
}

impl Nginx {
    /// Starts nginx with these directives of `http`, which listen on this address, and these files, which directives name
    /// relatively.
    pub(crate) fn start(address: SocketAddr, http: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
        write_configuration(folder.path(), http);
        let process = command(folder.path()).spawn().unwrap();
        until(|| TcpStream::connect(address).ok()).expect("nginx starts");
        Self { folder, process }
    }

    /// Returns what replaces the directives of `http` in the running nginx.
    pub(crate) fn reloader(&self) -> impl Fn(&str) + Send + 'static {
        let folder: PathBuf = self.folder.path().into();
        move |http| {
            write_configuration(&folder, http);
            assert!(command(&folder).args(["-s", "reload"]).status().unwrap().success());
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It ends its own processes.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).args(["-e", "error", "-c", "nginx.conf"]);
    command
}

fn write_configuration(folder: &Path, http: &str) {
    let text = format!(
        "daemon off; pid pid; error_log error; events {{ worker_connections 4096; }}\n\
         http {{ access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u;\n\
         scgi_temp_path s; {http} }}\n"
    );
    std::fs::write(folder.join("nginx.conf"), text).unwrap();
}
