//! The gateways that are measured.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::fixture::{self, Upstream};
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
pub(crate) fn all(programs: &Programs, folder: &Path, listen: SocketAddr, stub: &Upstream) -> Result<Vec<Contestant>> {
    let own = std::env::current_exe().context("this program has no path")?;
    let addresses = [listen.to_string(), stub.url()];
    let signed = |name, program: &Path, arguments: &[&str]| {
        let arguments = arguments.iter().map(|text| (*text).to_owned()).chain(addresses.clone()).collect();
        trusting(stub, Contestant { name, program: program.to_owned(), arguments, message: Message::Webhook })
    };
    let mut contestants = bridges(programs, folder, listen, stub)?;
    contestants.push(signed("axum and reqwest", &own, &["axum"]));
    contestants.push(signed("hyper", &own, &["hyper"]));
    if let Some(go) = &programs.go {
        contestants.push(signed("Go net/http", go, &[]));
    }
    if let Some(script) = &programs.node {
        let script = script.to_str().context("the path of the script is not UTF-8")?;
        contestants.push(signed("Node and Keycloak's client", Path::new("node"), &[script]));
    }
    contestants.push(Contestant {
        name: "nginx as a reverse proxy",
        program: "nginx".into(),
        arguments: vec!["-c".into(), write_nginx(folder, listen, stub)?.display().to_string()],
        message: Message::Proxied,
    });
    Ok(contestants)
}

/// Returns idp-bridge with each kind of call. Userinfo needs other settings, and so has folders of its own.
fn bridges(programs: &Programs, folder: &Path, listen: SocketAddr, stub: &Upstream) -> Result<Vec<Contestant>> {
    let kinds = [
        ("idp-bridge", "settings", None, Message::Webhook),
        ("idp-bridge, REST", "settings", None, Message::Rest),
        ("idp-bridge, userinfo", "userinfo", Some("0s"), Message::Userinfo),
        ("idp-bridge, userinfo with a cache", "cached-userinfo", Some("60s"), Message::CachedUserinfo),
    ];
    let bridge = |(name, settings, cache, message)| {
        // Apart from the logs, since the bridge watches the folder of its configuration.
        let settings = folder.join(settings);
        fs::create_dir_all(&settings)?;
        fixture::write_configuration(&settings, listen, stub, 1)?;
        let config = settings.join("idp-bridge.toml");
        if let Some(cache) = cache {
            fixture::add_federation(&config, cache)?;
        }
        let arguments = vec!["serve".into(), "--config".into(), config.display().to_string()];
        Ok(Contestant { name, program: programs.bridge.clone(), arguments, message })
    };
    kinds.into_iter().map(bridge).collect()
}

/// Lets a program trust the authority of the fake Keycloak, by the environment variables of OpenSSL and Node.
fn trusting(stub: &Upstream, contestant: Contestant) -> Contestant {
    let Some(authority) = &stub.authority else { return contestant };
    let set = |name: &str| format!("{name}={}", authority.display());
    let variables = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"].map(set);
    let program = contestant.program.display().to_string();
    let arguments = variables.into_iter().chain([program]).chain(contestant.arguments).collect();
    Contestant { program: "env".into(), arguments, ..contestant }
}

fn write_nginx(folder: &Path, listen: SocketAddr, stub: &Upstream) -> Result<PathBuf> {
    let (place, address) = (folder.display(), stub.address);
    let tls = stub.authority.as_ref().map(|file| {
        let file = file.display();
        format!("proxy_ssl_verify on;\n      proxy_ssl_name localhost;\n      proxy_ssl_trusted_certificate {file};")
    });
    let (scheme, tls) = (if tls.is_some() { "https" } else { "http" }, tls.unwrap_or_default());
    let text = format!(
        "daemon off;\nworker_processes 1;\npid {place}/nginx.pid;\nerror_log {place}/nginx-error.log;\nevents {{ worker_connections 4096; }}\nhttp {{\n  access_log {place}/nginx-access.log;\n  client_body_temp_path {place}/nginx-body;\n  proxy_temp_path {place}/nginx-proxy;\n  fastcgi_temp_path {place}/nginx-fastcgi;\n  uwsgi_temp_path {place}/nginx-uwsgi;\n  scgi_temp_path {place}/nginx-scgi;\n  keepalive_requests 1000000;\n  upstream keycloak {{ server {address}; keepalive 256; keepalive_requests 1000000; }}\n  server {{\n    listen {listen};\n    location / {{\n      proxy_pass {scheme}://keycloak;\n      {tls}\n      proxy_http_version 1.1;\n      proxy_set_header connection \"\";\n    }}\n  }}\n}}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text)?;
    Ok(file)
}
