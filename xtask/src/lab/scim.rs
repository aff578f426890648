//! scim2-server, a SCIM 2.0 server without users, for the connector `http`.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::place::Place;
use super::{Description, Ports, Started, choose_port, packages, server};
use crate::prerequisites::PYTHON;
use crate::status;

pub(crate) static LAB: Description = Description {
    name: "scim2",
    tenant: "pied-piper",
    config: "scim2.toml",
    key: "scim2.key",
    tools: &[&PYTHON],
    servers: &[SERVER],
    bridge_port: 8084,
    has_calls: true,
    start,
};

const SERVER: &str = "scim2-server";
/// The version that the definition was tested with.
const VERSION: &str = "0.8.3";
const TOKEN: &str = "Correct-Horse-Battery-7";
const START_LIMIT: Duration = Duration::from_secs(60);

fn start(place: &Place, ports: &Ports, _bridge_port: u16) -> Result<Started> {
    let home = place.folder.join("scim2");
    packages::install_python(
        &home,
        &[&format!("scim2-server=={VERSION}")],
        "import scim2_server",
        &place.log("pip-scim2"),
    )?;
    let port = choose_port(ports.port, 8480)?;
    let url = format!("http://127.0.0.1:{port}/lab/v2");
    status::step("Starting", format!("scim2-server {VERSION} at {url}"));
    let program = home.join("bin/scim2-server").to_string_lossy().into_owned();
    let command = [&*program, "--port", &port.to_string(), "--bearer-token", TOKEN, "--tenant", "lab"];
    let server = place.server(SERVER);
    let is_ready = || server::responds(&format!("{url}/ServiceProviderConfig"));
    let launched = server.launch(&[], &command, START_LIMIT, is_ready).context("cannot start scim2-server")?;
    let settings = json!({"url": url});
    let secrets = json!({"token": TOKEN});
    Ok(Started {
        title: format!("scim2-server {VERSION}, without users"),
        parts: vec![("scim", format!("{url} (token `{TOKEN}`)"))],
        users: Vec::new(),
        connector: json!({"type": "http", "definition": LAB.name, "settings": settings, "secrets": secrets}),
        federation: Value::Null,
        settings: json!({"definition": {"name": LAB.name, "settings": settings, "secrets": secrets}}),
        servers: vec![launched],
    })
}
