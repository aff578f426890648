//! Parse Server with sample users, for the connector `http`.

use anyhow::Result;
use serde_json::{Value, json};

use super::packages::{self, NodeProgram, node_program};
use super::place::Place;
use super::settings::{SampleUser, new_secret};
use super::{Description, Ports, Started, choose_port, postgres, server};
use crate::prerequisites::{NODE, NPM, POSTGRES};

pub(crate) static LAB: Description = Description {
    tools: &[&NODE, &NPM, &POSTGRES],
    other_server: Some("parse-server-postgres"),
    ..Description::new("parse-server", "wonka", 8088, start)
};

const APP: &str = "lab";
pub(super) const PROGRAM: NodeProgram = node_program!("parse-server");

fn start(place: &Place, ports: &Ports, _bridge_port: u16) -> Result<Started> {
    let (database, database_url) = postgres::start(place, 9080)?;
    let port = choose_port(ports.port, 8980)?;
    let origin = format!("http://127.0.0.1:{port}");
    let title = format!("Parse Server {}", packages::locked(PROGRAM.lock, "parse-server")?);
    let master_key = new_secret()?;
    let users: Value = serde_json::from_str(include_str!("parse-server/users.json"))?;
    let input =
        json!({"port": port, "database": database_url, "app_id": APP, "master_key": master_key, "users": users});
    let users_url = format!("{origin}/lab/users");
    let launched = PROGRAM.start(place, &title, &input, &users_url)?;
    let url = format!("{origin}/parse");
    let mut started = Started {
        title: format!("{title}, with sample users"),
        parts: vec![("API", format!("{url} (application `{APP}`)"))],
        users: server::get_json::<Vec<SampleUser>>(&users_url)?,
        ..Started::from_definition(
            &LAB,
            launched,
            json!({"url": url, "app_id": APP}),
            json!({"master_key": master_key}),
        )
    };
    started.servers.push(database);
    Ok(started)
}
