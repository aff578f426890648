//! ministack, which stands in for Amazon Cognito, with a new user pool. Cognito itself runs at AWS only.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::place::Place;
use super::settings::SampleUser;
use super::{Description, Ports, Started, choose_port, packages};
use crate::prerequisites::PYTHON;
use crate::{files, process, status};

pub(crate) static LAB: Description =
    Description { tools: &[&PYTHON], ..Description::new("cognito", "initech", 8081, start) };

/// The version that the connector was tested with.
const VERSION: &str = "1.5.33";
const REGION: &str = "us-east-1";
/// The access key of the root user, which is part of ministack.
const ROOT: (&str, &str) = ("test", "test");

/// The output of `provision.py`.
#[derive(Debug, Serialize, Deserialize)]
struct Pool {
    id: String,
    /// The app client of the bridge and of logins.
    client_id: String,
    client_secret: String,
    callback_url: String,
    sign_out_url: String,
    /// The access key of the bridge's IAM user.
    access_key_id: String,
    secret_access_key: String,
    customer_attribute: String,
    users: Vec<SampleUser>,
}

fn start(place: &Place, ports: &Ports, _bridge_port: u16) -> Result<Started> {
    // Without `cryptography`, the signatures of tokens are invalid.
    let packages = [&*format!("ministack=={VERSION}"), "cryptography"];
    let home = place.folder.join("ministack");
    let python = packages::install_python(&home, &packages, "import cryptography, ministack", &place.log("pip"))?;
    let port = choose_port(ports.port, 4566)?;
    let url = format!("http://127.0.0.1:{port}");
    status::step("Starting", format!("ministack {VERSION} at {url}"));
    let state = place.folder.join("ministack-state");
    files::remove(&state)?;
    let script = place.folder.join("serve.py");
    files::write(&script, include_str!("cognito/serve.py"))?;
    let variables = [
        // Checks signatures, policies and secret hashes.
        ("AUTH", "true"),
        ("BIND_HOST", "127.0.0.1"),
        ("GATEWAY_PORT", &port.to_string()),
        ("MINISTACK_HOST", "127.0.0.1"),
        ("STATE_DIR", &state.to_string_lossy()),
        // These listen on every address, regardless of `BIND_HOST` (1.5.33, November 2026).
        ("IOT_MTLS_ENABLED", "0"),
        ("SFTP_ENABLED", "0"),
    ];
    let command = [&*python.to_string_lossy(), &*script.to_string_lossy()];
    let launched = place.launch(&variables, &command, &format!("{url}/_ministack/health"))?;
    let pool = provision(place, &python, &url)?;
    let mails_url = format!("{url}/_ministack/ses/messages");
    Ok(Started {
        title: format!("ministack {VERSION}, a stand-in for Cognito, with a new pool"),
        parts: vec![
            ("ministack", format!("{url} (region {REGION}, root key `{}` / `{}`)", ROOT.0, ROOT.1)),
            ("pool", format!("{}, the bridge's app client {}", pool.id, pool.client_id)),
            ("mails", mails_url.clone()),
        ],
        users: pool.users.clone(),
        connector: connector(&url, &pool),
        federation: json!({
            "clients": [{"id": pool.client_id, "secret": pool.client_secret}],
            "post_logout_redirect_uris": [pool.sign_out_url],
            "metadata": true,
        }),
        settings: json!({
            "ministack": {
                "url": url, "region": REGION, "access_key_id": ROOT.0, "secret_access_key": ROOT.1,
                "mails_url": mails_url, "process": place.server(LAB.name),
            },
            "pool": pool,
        }),
        servers: vec![launched],
    })
}

/// Creates the pool, its sample users and the bridge's IAM user.
fn provision(place: &Place, python: &Path, url: &str) -> Result<Pool> {
    let script = place.folder.join("provision.py");
    files::write(&script, include_str!("cognito/provision.py"))?;
    let users = place.folder.join("cognito-users.json");
    files::write(&users, include_str!("cognito/users.json"))?;
    let mut command = Command::new(python);
    // Hides the caller's AWS settings from the SDK.
    command.env_clear().envs([("AWS_CONFIG_FILE", "/dev/null"), ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")]);
    command.envs([("AWS_ENDPOINT_URL", url), ("AWS_DEFAULT_REGION", REGION)]);
    command.envs([("AWS_ACCESS_KEY_ID", ROOT.0), ("AWS_SECRET_ACCESS_KEY", ROOT.1)]);
    let created = process::output(command.arg(script).arg(users)).context("cannot create the user pool")?;
    serde_json::from_str(&created).context("cannot read the output of `provision.py`")
}

fn connector(url: &str, pool: &Pool) -> Value {
    json!({
        "type": "cognito",
        "domain": url,
        "endpoint": url,
        "issuer_endpoint": url,
        "user_pool_id": pool.id,
        "client_id": pool.client_id,
        "client_secret": pool.client_secret,
        "access_key_id": pool.access_key_id,
        "secret_access_key": pool.secret_access_key,
        "customer_attribute": pool.customer_attribute,
        "customer_lookup": "attribute",
        "resend_invitations": true,
    })
}
