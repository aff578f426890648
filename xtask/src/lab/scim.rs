//! scim2-server, a SCIM 2.0 server without users, for the connector `http`.

use anyhow::Result;
use serde_json::json;

use super::place::Place;
use super::{Description, Ports, Started, choose_port, packages};
use crate::prerequisites::PYTHON;
use crate::status;

pub(crate) static LAB: Description =
    Description { tools: &[&PYTHON], ..Description::new("scim2", "pied-piper", 8084, start) };

/// The version that the definition was tested with.
const VERSION: &str = "0.8.3";
const TOKEN: &str = "Correct-Horse-Battery-7";

fn start(place: &Place, ports: &Ports, _bridge_port: u16) -> Result<Started> {
    let home = place.folder.join("scim2");
    let package = format!("scim2-server=={VERSION}");
    packages::install_python(&home, &[&package], "import scim2_server", &place.log("pip-scim2"))?;
    let port = choose_port(ports.port, 8480)?;
    let url = format!("http://127.0.0.1:{port}/lab/v2");
    status::step("Starting", format!("scim2-server {VERSION} at {url}"));
    let program = home.join("bin/scim2-server").to_string_lossy().into_owned();
    let command = [&*program, "--port", &port.to_string(), "--bearer-token", TOKEN, "--tenant", "lab"];
    let launched = place.launch(&[], &command, &format!("{url}/ServiceProviderConfig"))?;
    Ok(Started {
        title: format!("scim2-server {VERSION}, without users"),
        parts: vec![("scim", format!("{url} (token `{TOKEN}`)"))],
        ..Started::from_definition(&LAB, launched, json!({"url": url}), json!({"token": TOKEN}))
    })
}
