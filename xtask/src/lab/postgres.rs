//! A PostgreSQL server with an empty database, for the labs of products that need one.

use std::process::Command;

use anyhow::{Context, Result};
use rustix::process::geteuid;

use super::choose_port;
use super::place::{Place, START_LIMIT};
use super::server::Launched;
use crate::prerequisites::POSTGRES;
use crate::{files, process};

/// The settings beside the port. The data are new at every start, so they need not survive a crash.
const SETTINGS: [&str; 4] =
    ["--listen_addresses=127.0.0.1", "--unix_socket_directories=", "--fsync=off", "--full_page_writes=off"];

/// Starts the other server of a lab, and returns it with the URL of its database.
pub(super) fn start(place: &Place, usual_port: u16) -> Result<(Launched, String)> {
    let name = place.lab.other_server.context("the lab has no other server")?;
    let program = POSTGRES.path()?;
    let server = program.to_string_lossy();
    let [initdb, pg_isready] = ["initdb", "pg_isready"].map(|name| program.with_file_name(name));
    let data = place.folder.join(format!("{name}-data"));
    files::remove(&data)?;
    let data = format!("-D{}", data.display());
    // The programs refuse to run as root. They see root as another user.
    let user: &[&str] = if geteuid().is_root() { &["unshare", "--map-user=postgres"] } else { &[] };
    let mut create = Command::new("env");
    create.args(user).arg(initdb).args([&data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]);
    process::run_logged(&mut create, &place.log(&format!("{name}-initdb")))?;
    let port = choose_port(None, usual_port)?;
    let port_option = format!("--port={port}");
    let command = [user, &[&*server, &data, &port_option], &SETTINGS].concat();
    let is_ready = || process::output(Command::new(&pg_isready).args(["--host=127.0.0.1", &port_option])).is_ok();
    let launched = place.server(name).launch(&[], &command, START_LIMIT, is_ready);
    Ok((launched.context("cannot start PostgreSQL")?, format!("postgres://postgres@127.0.0.1:{port}/postgres")))
}
