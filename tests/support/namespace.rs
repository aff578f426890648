//! A bridge with a file system of its own.

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use super::bridge::Bridge;
use super::program;

/// Replaces the file with the name servers by the first argument.
const OWN_NAME_SERVER: &str = "mount --bind \"$1\" /etc/resolv.conf";

/// Serves the configuration of a folder after a shell has changed the file system. `$1` and so on are the arguments.
///
/// Needs the rights of root for mounts, which a user namespace grants to others.
pub(crate) fn serve(folder: &Path, script: &str, arguments: &[&Path]) -> Bridge {
    let rights: &[&str] = if rustix::process::geteuid().is_root() { &[] } else { &["--map-root-user"] };
    let mut serving = program::command(folder);
    serving.args(["serve", "--listen", "127.0.0.1:0"]);
    let mut command = Command::new("unshare");
    command.env_clear().current_dir(folder).arg("--mount").args(rights);
    command.args(["sh", "-ec", &format!("{script}\nshift {}\nexec \"$@\"", arguments.len()), "sh"]);
    command.args(arguments).arg(serving.get_program()).args(serving.get_args());
    Bridge::start(&mut command)
}

/// A name server that never answers.
#[derive(Debug)]
pub(crate) struct SilentNameServer {
    socket: UdpSocket,
    address: &'static str,
}

impl SilentNameServer {
    /// Starts one at a loopback address. Its port is that of all name servers, which takes the rights of root.
    pub(crate) fn start(address: &'static str) -> Self {
        let socket = UdpSocket::bind((address, 53)).expect("a name server needs the rights of root");
        socket.set_nonblocking(true).unwrap();
        Self { socket, address }
    }

    /// Serves the configuration of a folder with only this name server.
    pub(crate) fn serve(&self, folder: &Path) -> Bridge {
        let names = folder.join("resolv.conf");
        std::fs::write(&names, format!("nameserver {}\n", self.address)).unwrap();
        serve(folder, OWN_NAME_SERVER, &[&names])
    }

    /// Returns whether it has received a query that was not returned by an earlier call.
    pub(crate) fn was_queried(&self) -> bool {
        self.socket.recv(&mut [0; 512]).is_ok()
    }
}
