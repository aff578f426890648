//! Keycloak with a new realm, and an SMTP server that keeps its mails.

mod distribution;
mod realm;

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use self::distribution::{ADMIN, Keycloak, VERSION};
use self::realm::Realm;
use super::place::Place;
use super::server::{Launched, responds};
use super::{Description, Ports, Started, choose_port, packages, server};
use crate::environment::readable;
use crate::prerequisites::{JAVA, MAVEN, OPENSSL, PYTHON};
use crate::{files, process, status};

pub(crate) static LAB: Description = Description {
    tools: &[&JAVA, &MAVEN, &OPENSSL, &PYTHON],
    other_server: Some(SMTP),
    ..Description::new("keycloak", realm::NAME, 8080, start)
};

const SMTP: &str = "smtp-sink";
const SMTP_START_LIMIT: Duration = Duration::from_secs(30);
/// The file with the secret of the confidential application, for the example application.
const WEB_SECRET: &str = "platform-web.secret";

fn start(place: &Place, ports: &Ports, bridge_port: u16) -> Result<Started> {
    let keycloak = Keycloak::install(place)?;
    let import = "import aiosmtpd";
    let python =
        packages::install_python(&place.folder.join("venv"), &["aiosmtpd==1.4.6"], import, &place.log("venv"))?;

    let smtp_port = choose_port(ports.smtp_port, 8125)?;
    let (port, https_port) = (choose_port(ports.port, 8180)?, choose_port(None, 8443)?);
    let management_port = choose_port(ports.management_port, 9180)?;
    let [url, management_url] = [port, management_port].map(|port| format!("http://127.0.0.1:{port}"));
    status::step("Starting", format!("Keycloak {VERSION} at {url}"));
    let maildir = place.folder.join("mail");
    let smtp = start_smtp(place, &python, &maildir, smtp_port)?;
    let back_channel = format!("http://127.0.0.1:{bridge_port}/v1/tenants/{}/backchannel-logout", realm::NAME);
    let realm_url = format!("{url}/realms/{}", realm::NAME);
    let scim_url = format!("{realm_url}/scim/v2");
    let (representation, realm) = realm::new(smtp_port, &back_channel, &scim_url)?;
    let certificates = create_certificates(place).context("cannot create certificates")?;
    let all_ports = (port, https_port, management_port);
    let server = keycloak.start(&place.server(LAB.name), &representation, &certificates, all_ports);
    let server = server.context("cannot start Keycloak")?;
    ensure!(responds(&realm_url), "Keycloak did not import the realm");
    let scim_token = scim_token(&realm_url, &realm.scim_secret)?;
    files::write_with_mode(&place.folder.join(WEB_SECRET), &realm.web_client_secret, files::PRIVATE)?;
    Ok(Started {
        title: format!("Keycloak {VERSION} with a new realm"),
        parts: vec![
            ("Keycloak", format!("{url}/admin ({} / {})", ADMIN.0, ADMIN.1)),
            ("realm", format!("{}, the bridge's client `{}`", realm.name, realm.client_id)),
            ("mails", format!("{}, from the SMTP server 127.0.0.1:{smtp_port}", readable(&maildir.join("new")))),
        ],
        users: realm.users.clone(),
        connector: json!({
            "type": "keycloak",
            "url": url,
            "realm": realm.name,
            "client_id": realm.client_id,
            "client_secret": realm.client_secret,
            "customer_attribute": realm.customer_attribute,
            "login_events": true,
        }),
        federation: federation(&realm),
        settings: json!({
            "keycloak": {
                "url": url, "management_url": management_url, "admin_username": ADMIN.0, "admin_password": ADMIN.1,
                "https_url": format!("https://127.0.0.1:{https_port}"), "certificates": certificates,
                "process": place.server(LAB.name),
            },
            "realm": realm,
            "definition": {"name": "scim2", "settings": {"url": scim_url}, "secrets": {"token": scim_token}},
            "smtp": {"host": "127.0.0.1", "port": smtp_port, "maildir": maildir, "process": place.server(SMTP)},
        }),
        servers: vec![server, smtp],
    })
}

/// Creates an authority with the certificates of Keycloak and of the bridge. Returns their folder.
fn create_certificates(place: &Place) -> Result<PathBuf> {
    let folder = place.folder.join("certificates");
    files::remove(&folder)?;
    let script = folder.join("create.sh");
    files::write(&script, include_str!("keycloak/certificates.sh"))?;
    process::run_logged(Command::new("sh").arg(&script).current_dir(&folder), &place.log("certificates"))?;
    Ok(folder)
}

/// Returns an access token for Keycloak's SCIM API. It is valid for ten hours.
fn scim_token(realm_url: &str, secret: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Issued {
        access_token: String,
    }

    let client = [("grant_type", "client_credentials"), ("client_id", realm::SCIM_CLIENT), ("client_secret", secret)];
    let issued = server::post_form::<Issued>(&format!("{realm_url}/protocol/openid-connect/token"), client)?;
    Ok(issued.access_token)
}

/// Starts an SMTP server with an empty mailbox.
fn start_smtp(place: &Place, python: &Path, maildir: &Path, port: u16) -> Result<Launched> {
    files::remove(maildir)?;
    files::write(&place.folder.join("sink.py"), include_str!("keycloak/sink.py"))?;
    let (python, maildir, address) = (python.to_string_lossy(), maildir.to_string_lossy(), format!("127.0.0.1:{port}"));
    let command = [&*python, "-m", "aiosmtpd", "-n", "-l", &address, "-c", "sink.Sink", &*maildir];
    let variables = [("PYTHONPATH", &*place.folder.to_string_lossy())];
    let launched = place.server(SMTP).launch(&variables, &command, SMTP_START_LIMIT, || greets(port));
    launched.context("cannot start the SMTP server")
}

/// Returns whether an SMTP server sends its greeting.
fn greets(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return false };
    let mut greeting = [0; 3];
    stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
        && stream.read_exact(&mut greeting).is_ok()
        && &greeting == b"220"
}

/// Returns the federation table: the applications of the realm, with the URLs of the example application.
fn federation(realm: &Realm) -> Value {
    let public = realm::APPLICATIONS.iter().skip(1).map(|id| json!({"id": id}));
    let confidential = json!({"id": realm.web_client_id, "secret": realm.web_client_secret});
    let clients: Vec<_> = [confidential].into_iter().chain(public).collect();
    json!({
        "clients": clients,
        "metadata": true,
        "post_logout_redirect_uris": ["http://127.0.0.1:3000/logged-out"],
        "cors_origins": ["http://127.0.0.1:3000"],
    })
}
