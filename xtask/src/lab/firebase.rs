//! The Authentication emulator of Firebase with sample users, for the connector `http`.

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use super::packages::{self, NodeProgram, node_program};
use super::place::Place;
use super::settings::SampleUser;
use super::{Description, Ports, Started, choose_port, server};
use crate::prerequisites::{NODE, NPM};

pub(crate) static LAB: Description =
    Description { tools: &[&NODE, &NPM], ..Description::new("firebase", "cyberdyne", 8086, start) };

/// No project of Google has a name with `demo-` (<https://firebase.google.com/docs/emulator-suite>, November 2026).
const PROJECT: &str = "demo-umbrella";
const SERVICE_ACCOUNT: &str = "bridge@demo-umbrella.iam.gserviceaccount.com";
pub(super) const PROGRAM: NodeProgram = node_program!("firebase");

/// The users of the emulator, and the key of the service account.
#[derive(Deserialize)]
struct Provisioned {
    users: Vec<SampleUser>,
    private_key: String,
}

fn start(place: &Place, ports: &Ports, _bridge_port: u16) -> Result<Started> {
    let port = choose_port(ports.port, 8680)?;
    let origin = format!("http://127.0.0.1:{port}");
    let title = format!("the emulator of firebase-tools {}", packages::locked(PROGRAM.lock, "firebase-tools")?);
    let users: Value = serde_json::from_str(include_str!("firebase/users.json"))?;
    let input = json!({"port": port, "project": PROJECT, "client_email": SERVICE_ACCOUNT, "users": users});
    let lab_url = format!("{origin}/lab");
    let launched = PROGRAM.start(place, &title, &input, &lab_url)?;
    let Provisioned { users, private_key } = server::get_json(&lab_url)?;
    let api_url = format!("{origin}/identitytoolkit.googleapis.com");
    let settings =
        json!({"api_url": api_url, "token_url": origin, "project": PROJECT, "client_email": SERVICE_ACCOUNT});
    Ok(Started {
        title: format!("{title}, with sample users"),
        parts: vec![("firebase", format!("{api_url} (project `{PROJECT}`)"))],
        users,
        ..Started::from_definition(&LAB, launched, settings, json!({"private_key": private_key}))
    })
}
