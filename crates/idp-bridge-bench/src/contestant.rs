//! The gateways that are measured.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::fixture::{self, Upstream};
use crate::load::Message;
use crate::process::unused_address;

/// A gateway that can be started.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) message: Message,
    pub(crate) place: Place,
}

/// The address of a gateway, and the folder of its files.
pub(crate) struct Place {
    pub(crate) listen: SocketAddr,
    folder: PathBuf,
}

impl Place {
    /// Chooses an address, and creates the folder.
    fn new(parent: &Path, name: &str) -> Result<Self> {
        let folder = parent.join(name);
        fs::create_dir(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        Ok(Self { listen: unused_address()?, folder })
    }

    /// Returns the file of the log.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("gateway.log")
    }
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

/// Returns all gateways, which call `stub`. Their files go into `folder`.
pub(crate) fn all(programs: &Programs, folder: &Path, stub: &Upstream) -> Result<Vec<Contestant>> {
    let own = std::env::current_exe().context("this program has no path")?;
    let signed = |name, program: &Path, argument: Option<&str>, place: &str| {
        let place = Place::new(folder, place)?;
        let arguments = argument.map(str::to_owned).into_iter().chain([place.listen.to_string(), stub.url()]).collect();
        let contestant = Contestant { name, program: program.to_owned(), arguments, message: Message::Webhook, place };
        anyhow::Ok(trusting(stub, contestant))
    };
    let mut contestants = bridges(programs, folder, stub)?;
    contestants.push(signed("axum and reqwest", &own, Some("axum"), "axum")?);
    contestants.push(signed("hyper", &own, Some("hyper"), "hyper")?);
    if let Some(go) = &programs.go {
        contestants.push(signed("Go net/http", go, None, "go")?);
    }
    if let Some(script) = &programs.node {
        let script = script.to_str().context("the path of the script is not UTF-8")?;
        contestants.push(signed("Node and Keycloak's client", Path::new("node"), Some(script), "node")?);
    }
    let place = Place::new(folder, "nginx")?;
    contestants.push(Contestant {
        name: "nginx as a reverse proxy",
        program: "nginx".into(),
        arguments: vec!["-c".into(), write_nginx(&place, stub)?.display().to_string()],
        message: Message::Proxied,
        place,
    });
    Ok(contestants)
}

/// Returns idp-bridge with each kind of call. Userinfo needs other settings.
fn bridges(programs: &Programs, folder: &Path, stub: &Upstream) -> Result<Vec<Contestant>> {
    let kinds = [
        ("idp-bridge", None, Message::Webhook),
        ("idp-bridge, REST", None, Message::Rest),
        ("idp-bridge, userinfo", Some("0s"), Message::Userinfo),
        ("idp-bridge, userinfo with a cache", Some("60s"), Message::CachedUserinfo),
    ];
    let bridge = |(name, cache, message): (_, _, Message)| {
        let place = Place::new(folder, message.name())?;
        // Apart from the log, since the bridge watches the folder of its configuration.
        let settings = place.folder.join("settings");
        fs::create_dir(&settings)?;
        fixture::write_configuration(&settings, place.listen, stub, 1)?;
        let config = settings.join("idp-bridge.toml");
        if let Some(cache) = cache {
            fixture::add_federation(&config, cache)?;
        }
        let arguments = vec!["serve".into(), "--config".into(), config.display().to_string()];
        Ok(Contestant { name, program: programs.bridge.clone(), arguments, message, place })
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

fn write_nginx(place: &Place, stub: &Upstream) -> Result<PathBuf> {
    let Place { listen, folder } = place;
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
