//! node-oidc-provider, an OpenID Provider of another project, with applications and users.

use anyhow::Result;
use serde_json::{Value, json};

use super::packages::{self, NodeProgram, node_program};
use super::place::Place;
use super::settings::{SampleUser, new_secret};
use super::{Description, Ports, Started, choose_port};
use crate::prerequisites::{NODE, NPM};

pub(crate) static LAB: Description =
    Description { tools: &[&NODE, &NPM], has_calls: false, ..Description::new("oidc", "umbrella", 8082, start) };

const REDIRECT_URI: &str = "https://app.umbrella.example/callback";
const POST_LOGOUT_REDIRECT_URI: &str = "https://app.umbrella.example/goodbye";
const PUBLIC_APP: &str = "umbrella-phone";

pub(super) const PROGRAM: NodeProgram = node_program!("oidc");

fn start(place: &Place, ports: &Ports, _bridge_port: u16) -> Result<Started> {
    let port = choose_port(ports.port, 8280)?;
    let issuer = format!("http://127.0.0.1:{port}");
    let title = format!("node-oidc-provider {}", packages::locked(PROGRAM.lock, "oidc-provider")?);
    let (app, stranger, bridge) = (client("umbrella-app")?, client("stranger")?, client("idp-bridge")?);
    let (control_key, users) = (new_secret()?, sample_users()?);
    let input = json!({
        "port": port,
        "control_key": control_key,
        "redirect_uri": REDIRECT_URI,
        "post_logout_redirect_uri": POST_LOGOUT_REDIRECT_URI,
        "clients": {"app": app, "public_app": {"id": PUBLIC_APP}, "stranger": stranger, "bridge": bridge},
        "users": users,
    });
    let launched = PROGRAM.start(place, &title, &input, &format!("{issuer}/lab/ready"))?;
    Ok(Started {
        servers: vec![launched],
        title,
        parts: vec![
            ("issuer", issuer.clone()),
            ("clients", format!("umbrella-app (secret `{}`), {PUBLIC_APP} (public)", text(&app, "secret"))),
        ],
        connector: json!({
            "type": "oidc",
            "issuer": issuer,
            "client_id": text(&bridge, "id"),
            "client_secret": text(&bridge, "secret"),
            "session_claim": "sid",
            "scopes": ["openid", "email", "customer"],
        }),
        federation: json!({
            "clients": [app, {"id": PUBLIC_APP}],
            "post_logout_redirect_uris": [POST_LOGOUT_REDIRECT_URI],
        }),
        settings: json!({
            "provider": {
                "issuer": issuer,
                "control_key": control_key,
                "app": app,
                "public_app_id": PUBLIC_APP,
                "stranger": stranger,
                "bridge": bridge,
                "redirect_uri": REDIRECT_URI,
                "post_logout_redirect_uri": POST_LOGOUT_REDIRECT_URI,
                "process": place.server(LAB.name),
            },
            "users": users,
        }),
        users,
    })
}

/// Returns a client with a new secret.
fn client(id: &str) -> Result<Value> {
    Ok(json!({"id": id, "secret": new_secret()?}))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the users of the file, with ids.
fn sample_users() -> Result<Vec<SampleUser>> {
    let mut users: Vec<SampleUser> = serde_json::from_str(include_str!("oidc/users.json"))?;
    for user in &mut users {
        user.id = format!("umbrella-{}", user.username);
    }
    Ok(users)
}
