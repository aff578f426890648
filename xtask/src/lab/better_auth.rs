//! An application with better-auth, for the connector `http`.

use anyhow::Result;
use serde_json::{Value, json};

use super::packages::{self, NodeProgram, node_program};
use super::place::Place;
use super::settings::{SampleUser, new_secret};
use super::{Description, Ports, Started, choose_port, server};
use crate::prerequisites::{NODE, NPM};

pub(crate) static LAB: Description =
    Description { tools: &[&NODE, &NPM], ..Description::new("better-auth", "vandelay", 8085, start) };

const ADMINISTRATOR: (&str, &str) = ("bridge@vandelay.example", "Correct-Horse-Battery-7");
pub(super) const PROGRAM: NodeProgram = node_program!("better-auth");

fn start(place: &Place, ports: &Ports, _bridge_port: u16) -> Result<Started> {
    let port = choose_port(ports.port, 8580)?;
    let origin = format!("http://127.0.0.1:{port}");
    let title = format!("better-auth {}", packages::locked(PROGRAM.lock, "better-auth")?);
    let (email, password) = ADMINISTRATOR;
    let users: Value = serde_json::from_str(include_str!("better-auth/users.json"))?;
    let input = json!({
        "port": port, "secret": new_secret()?, "users": users, "administrator": {"email": email, "password": password},
    });
    let users_url = format!("{origin}/lab/users");
    let launched = PROGRAM.start(place, &title, &input, &users_url)?;
    let url = format!("{origin}/api/auth");
    Ok(Started {
        title: format!("{title}, with sample users"),
        parts: vec![("better-auth", format!("{url} (administrator `{email}` / `{password}`)"))],
        users: server::get_json::<Vec<SampleUser>>(&users_url)?,
        ..Started::from_definition(&LAB, launched, json!({"url": url, "admin": email}), json!({"password": password}))
    })
}
