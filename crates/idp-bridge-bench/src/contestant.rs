//! The gateways that are measured.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::fixture;
use crate::load::Message;

/// A gateway that can be started.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) message: Message,
}

/// The programs of this run.
pub(crate) struct Programs {
    /// The release build of idp-bridge.
    pub(crate) bridge: PathBuf,
    /// The built Go gateway.
    pub(crate) go: Option<PathBuf>,
    /// The script of the Node gateway, with its packages installed.
    pub(crate) node: Option<PathBuf>,
}

/// Returns all gateways, which listen on `listen` and call `stub`. Their files go into `folder`.
pub(crate) fn all(programs: &Programs, folder: &Path, listen: SocketAddr, stub: SocketAddr) -> Result<Vec<Contestant>> {
    let own = std::env::current_exe().context("this program has no path")?;
    let addresses = vec![listen.to_string(), stub.to_string()];
    let signed = |name, program: PathBuf, arguments| Contestant { name, program, arguments, message: Message::Webhook };
    // Apart from the logs, since the bridge watches the folder of its configuration.
    let settings = folder.join("settings");
    fs::create_dir_all(&settings)?;
    fixture::write_configuration(&settings, listen, stub, 1)?;
    let config = settings.join("idp-bridge.toml").display().to_string();
    let mut contestants = vec![
        signed("idp-bridge", programs.bridge.clone(), vec!["serve".into(), "--config".into(), config]),
        signed("axum and reqwest", own.clone(), [vec!["axum".into()], addresses.clone()].concat()),
        signed("hyper", own, [vec!["hyper".into()], addresses.clone()].concat()),
    ];
    if let Some(go) = &programs.go {
        contestants.push(signed("Go net/http", go.clone(), addresses.clone()));
    }
    if let Some(script) = &programs.node {
        let arguments = [vec![script.display().to_string()], addresses].concat();
        contestants.push(signed("Node and Keycloak's client", "node".into(), arguments));
    }
    contestants.push(Contestant {
        name: "nginx as a reverse proxy",
        program: "nginx".into(),
        arguments: vec!["-c".into(), write_nginx(folder, listen, stub)?.display().to_string()],
        message: Message::Proxied,
    });
    Ok(contestants)
}

fn write_nginx(folder: &Path, listen: SocketAddr, stub: SocketAddr) -> Result<PathBuf> {
    let place = folder.display();
    let text = format!(
        "daemon off;\nworker_processes 1;\npid {place}/nginx.pid;\nerror_log {place}/nginx-error.log;\nevents {{ worker_connections 4096; }}\nhttp {{\n  access_log {place}/nginx-access.log;\n  client_body_temp_path {place}/nginx-body;\n  proxy_temp_path {place}/nginx-proxy;\n  fastcgi_temp_path {place}/nginx-fastcgi;\n  uwsgi_temp_path {place}/nginx-uwsgi;\n  scgi_temp_path {place}/nginx-scgi;\n  keepalive_requests 1000000;\n  upstream keycloak {{ server {stub}; keepalive 256; keepalive_requests 1000000; }}\n  server {{\n    listen {listen};\n    location / {{\n      proxy_pass http://keycloak;\n      proxy_http_version 1.1;\n      proxy_set_header connection \"\";\n    }}\n  }}\n}}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text)?;
    Ok(file)
}
