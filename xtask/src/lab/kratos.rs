//! Ory Kratos with sample users, for the connector `http`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::place::Place;
use super::settings::SampleUser;
use super::{Description, Ports, Started, choose_port, postgres, server};
use crate::prerequisites::{GO, POSTGRES};
use crate::{files, process, status};

pub(crate) static LAB: Description = Description {
    tools: &[&GO, &POSTGRES],
    other_server: Some("kratos-postgres"),
    ..Description::new("kratos", "stark", 8087, start)
};

/// The version that the definition was tested with.
const VERSION: &str = "1.3.1";
const SCHEMA: &str = include_str!("kratos/identity.schema.json");

fn start(place: &Place, ports: &Ports, _bridge_port: u16) -> Result<Started> {
    let program = build(place)?.to_string_lossy().into_owned();
    let (database, database_url) = postgres::start(place, 8880)?;
    let port = choose_port(ports.port, 8780)?;
    let ports = [port, choose_port(None, port.saturating_add(1))?];
    // The suite listens there later, so the port is one that no other lab chooses until then.
    let smtp_port = choose_port(None, port.saturating_add(5000))?;
    let config = place.folder.join("kratos-settings.json");
    files::write_with_mode(&config, &configuration(ports, smtp_port, &database_url).to_string(), files::PRIVATE)?;
    let config = config.to_string_lossy();
    let mut migrate = Command::new(&program);
    migrate.args(["migrate", "sql", "--read-from-env", "--yes", "--config", &config]);
    process::run_logged(&mut migrate, &place.log("kratos-migrate"))?;
    let [public_url, admin_url] = ports.map(|port| format!("http://127.0.0.1:{port}"));
    status::step("Starting", format!("Kratos {VERSION} at {public_url}"));
    let command = [&*program, "serve", "--dev", "--watch-courier", "--sqa-opt-out", "--config", &config];
    let launched = place.launch(&[], &command, &format!("{admin_url}/admin/health/ready"))?;
    let mut started = Started {
        title: format!("Kratos {VERSION}, with sample users"),
        parts: vec![("admin API", admin_url.clone()), ("public API", public_url.clone())],
        users: add_users(&format!("{admin_url}/admin/identities"))?,
        ..Started::from_definition(&LAB, launched, json!({"admin_url": admin_url, "public_url": public_url}), json!({}))
    };
    started.servers.push(database);
    if let Some(settings) = started.settings.as_object_mut() {
        settings.insert("smtp_port".to_owned(), smtp_port.into());
    }
    Ok(started)
}

/// Builds Kratos from its Go module, unless that was done before.
fn build(place: &Place) -> Result<PathBuf> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Module {
        dir: PathBuf,
    }

    let folder = place.folder.join(format!("kratos-{VERSION}"));
    let program = folder.join("kratos");
    if program.exists() {
        return Ok(program);
    }
    status::step("Building", format!("Kratos {VERSION} with Go (some minutes, once)"));
    let module = format!("github.com/ory/kratos@v{VERSION}");
    let module = process::output(Command::new(GO.path()?).args(["mod", "download", "-json", &module]))?;
    let Module { dir } = serde_json::from_str(&module).context("cannot read the output of Go")?;
    for name in ["go.mod", "go.sum"] {
        files::write(&folder.join(name), &files::read(&dir.join(name))?)?;
    }
    // It names a folder that is not part of the module. Only examples and tests need it.
    let modfile = folder.join("go.mod").to_string_lossy().into_owned();
    process::output(Command::new(GO.path()?).args(["mod", "edit", "-dropreplace=github.com/ory/client-go", &modfile]))?;
    // Without optimization, since the build takes longer than Kratos runs here.
    let options = ["-gcflags=all=-N -l", "-ldflags=-s -w", "-modfile", &modfile, "-o"];
    let mut build = Command::new(GO.path()?);
    build.current_dir(dir).env("CGO_ENABLED", "0").arg("build").args(options).arg(&program);
    process::run_logged(&mut build, &place.log("kratos-build")).context("cannot build Kratos")?;
    Ok(program)
}

/// Returns the configuration with the ports of the public and the admin API. Nothing in it needs the internet.
fn configuration([public, admin]: [u16; 2], smtp_port: u16, database_url: &str) -> Value {
    let serve = |port| json!({"host": "127.0.0.1", "port": port, "base_url": format!("http://127.0.0.1:{port}/")});
    let flow = json!({"enabled": true, "use": "code"});
    json!({
        "dsn": format!("{database_url}?sslmode=disable"),
        "serve": {"public": serve(public), "admin": serve(admin)},
        "identity": {
            "default_schema_id": "default",
            "schemas": [{"id": "default", "url": format!("base64://{}", STANDARD.encode(SCHEMA))}],
        },
        "hashers": {"algorithm": "bcrypt", "bcrypt": {"cost": 4}},
        "selfservice": {
            "default_browser_return_url": format!("http://127.0.0.1:{public}/"),
            "methods": {
                "code": {"enabled": true},
                "password": {"enabled": true, "config": {"haveibeenpwned_enabled": false}},
            },
            "flows": {"verification": flow, "recovery": flow},
        },
        "courier": {
            "smtp": {"connection_uri": format!("smtp://127.0.0.1:{smtp_port}/?disable_starttls=true")},
            "worker": {"pull_wait": "500ms"},
        },
        "log": {"level": "warning"},
    })
}

/// Creates the sample users.
fn add_users(url: &str) -> Result<Vec<SampleUser>> {
    #[derive(Deserialize)]
    struct Identity {
        id: String,
    }

    let mut users: Vec<SampleUser> = serde_json::from_str(include_str!("kratos/users.json"))?;
    for user in &mut users {
        let (state, status) = (
            if user.enabled { "active" } else { "inactive" },
            if user.email_verified { "completed" } else { "pending" },
        );
        let address = json!({"value": user.email, "via": "email", "verified": user.email_verified, "status": status});
        let identity = json!({
            "schema_id": "default",
            "state": state,
            "traits": {"email": user.email},
            "metadata_admin": {"customer_id": user.customer},
            "verifiable_addresses": [address],
            "credentials": {"password": {"config": {"password": user.password}}},
        });
        user.id = server::post_json::<Identity>(url, &identity)?.id;
    }
    Ok(users)
}
