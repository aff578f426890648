//! The Authentication emulator of Firebase with sample users, for the connector `http`.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::place::Place;
use super::settings::SampleUser;
use super::{Description, Ports, Started, choose_port, packages, server};
use crate::prerequisites::{NODE, NPM};
use crate::{files, status};

pub(crate) static LAB: Description = Description {
    name: "firebase",
    tenant: "umbrella",
    config: "firebase.toml",
    key: "firebase.key",
    tools: &[&NODE, &NPM],
    servers: &[SERVER],
    bridge_port: 8086,
    has_calls: true,
    start,
};

const SERVER: &str = "firebase";
/// No project of Google has a name with `demo-` (<https://firebase.google.com/docs/emulator-suite>, November 2026).
const PROJECT: &str = "demo-umbrella";
const SERVICE_ACCOUNT: &str = "bridge@demo-umbrella.iam.gserviceaccount.com";
/// Node reads the many files of firebase-tools first.
const START_LIMIT: Duration = Duration::from_secs(120);

pub(super) const LOCK_FILE: &str = include_str!("firebase/package-lock.json");
const FILES: [(&str, &str); 4] = [
    ("package.json", include_str!("firebase/package.json")),
    ("package-lock.json", LOCK_FILE),
    (".npmrc", include_str!("firebase/npmrc")),
    ("server.mjs", include_str!("firebase/server.mjs")),
];

/// The users of the emulator, and the key of the service account.
#[derive(Deserialize)]
struct Provisioned {
    users: Vec<SampleUser>,
    private_key: String,
}

fn start(place: &Place, ports: &Ports, _bridge_port: u16) -> Result<Started> {
    let home = place.folder.join(SERVER);
    packages::write_node(&home, &FILES)?;
    packages::install_node(&home, &place.log("firebase-npm"))?;
    let port = choose_port(ports.port, 8680)?;
    let version = packages::locked(LOCK_FILE, "firebase-tools")?;
    let (origin, title) = (format!("http://127.0.0.1:{port}"), format!("the emulator of firebase-tools {version}"));
    status::step("Starting", format!("{title} at {origin}"));
    let users: Value = serde_json::from_str(include_str!("firebase/users.json"))?;
    let input = json!({"port": port, "project": PROJECT, "client_email": SERVICE_ACCOUNT, "users": users});
    let input_file = home.join("settings.json");
    files::write_with_mode(&input_file, &input.to_string(), files::PRIVATE)?;
    let command = [NODE.path()?, home.join("server.mjs"), input_file].map(|path| path.to_string_lossy().into_owned());
    let lab_url = format!("{origin}/lab");
    let launched = place
        .server(SERVER)
        .launch(&[], &command.each_ref().map(String::as_str), START_LIMIT, || server::responds(&lab_url))
        .context("cannot start the emulator")?;
    let Provisioned { users, private_key } = server::get_json(&lab_url)?;
    let api_url = format!("{origin}/identitytoolkit.googleapis.com");
    let settings =
        json!({"api_url": api_url, "token_url": origin, "project": PROJECT, "client_email": SERVICE_ACCOUNT});
    let secrets = json!({"private_key": private_key});
    Ok(Started {
        title: format!("{title}, with sample users"),
        parts: vec![("firebase", format!("{api_url} (project `{PROJECT}`)"))],
        users,
        connector: json!({"type": "http", "definition": LAB.name, "settings": settings, "secrets": secrets}),
        federation: Value::Null,
        settings: json!({"definition": {"name": LAB.name, "settings": settings, "secrets": secrets}}),
        servers: vec![launched],
    })
}
