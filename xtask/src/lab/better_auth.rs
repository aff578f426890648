//! An application with better-auth, for the connector `http`.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::place::Place;
use super::settings::{SampleUser, new_secret};
use super::{Description, Ports, Started, choose_port, packages, server};
use crate::prerequisites::{NODE, NPM};
use crate::{files, status};

pub(crate) static LAB: Description = Description {
    name: "better-auth",
    tenant: "vandelay",
    config: "better-auth.toml",
    key: "better-auth.key",
    tools: &[&NODE, &NPM],
    servers: &[SERVER],
    bridge_port: 8085,
    has_calls: true,
    start,
};

const SERVER: &str = "better-auth";
const ADMINISTRATOR: (&str, &str) = ("bridge@vandelay.example", "Correct-Horse-Battery-7");
const START_LIMIT: Duration = Duration::from_secs(60);

pub(super) const LOCK_FILE: &str = include_str!("better-auth/package-lock.json");
const FILES: [(&str, &str); 4] = [
    ("package.json", include_str!("better-auth/package.json")),
    ("package-lock.json", LOCK_FILE),
    (".npmrc", include_str!("better-auth/npmrc")),
    ("server.mjs", include_str!("better-auth/server.mjs")),
];

fn start(place: &Place, ports: &Ports, _bridge_port: u16) -> Result<Started> {
    let home = place.folder.join(SERVER);
    packages::write_node(&home, &FILES)?;
    packages::install_node(&home, &place.log("better-auth-npm"))?;
    let port = choose_port(ports.port, 8580)?;
    let (origin, title) =
        (format!("http://127.0.0.1:{port}"), format!("better-auth {}", packages::locked(LOCK_FILE, "better-auth")?));
    status::step("Starting", format!("{title} at {origin}"));
    let (email, password) = ADMINISTRATOR;
    let users: Value = serde_json::from_str(include_str!("better-auth/users.json"))?;
    let input = json!({
        "port": port, "secret": new_secret()?, "users": users, "administrator": {"email": email, "password": password},
    });
    let input_file = home.join("settings.json");
    files::write_with_mode(&input_file, &input.to_string(), files::PRIVATE)?;
    let command = [NODE.path()?, home.join("server.mjs"), input_file].map(|path| path.to_string_lossy().into_owned());
    let users_url = format!("{origin}/lab/users");
    let launched = place
        .server(SERVER)
        .launch(&[], &command.each_ref().map(String::as_str), START_LIMIT, || server::responds(&users_url));
    let launched = launched.context("cannot start better-auth")?;
    let url = format!("{origin}/api/auth");
    let (settings, secrets) = (json!({"url": url, "admin": email}), json!({"password": password}));
    Ok(Started {
        title: format!("{title}, with sample users"),
        parts: vec![("better-auth", format!("{url} (administrator `{email}` / `{password}`)"))],
        users: server::get_json::<Vec<SampleUser>>(&users_url)?,
        connector: json!({"type": "http", "definition": LAB.name, "settings": settings, "secrets": secrets}),
        federation: Value::Null,
        settings: json!({"definition": {"name": LAB.name, "settings": settings, "secrets": secrets}}),
        servers: vec![launched],
    })
}
