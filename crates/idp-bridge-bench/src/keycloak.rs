//! Compares reads through idp-bridge with equal requests to a real Keycloak.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use idp_bridge_client::{Call, Client, CustomerId, Email, SigningKey, TenantId, UserId};
use reqwest::Url;
use serde::Deserialize;

use crate::process::Process;
use crate::report::median;
use crate::run::serve;

/// The options of the measurement.
#[derive(Args)]
pub(crate) struct Options {
    /// The release build of idp-bridge.
    #[arg(long)]
    bridge: PathBuf,
    /// The settings of the running lab `keycloak`, which `xtask/README.md` describes.
    #[arg(long)]
    lab: PathBuf,
    /// The number of reads of each kind.
    #[arg(long, default_value = "2000")]
    reads: NonZeroUsize,
}

#[derive(Deserialize)]
struct Lab {
    keycloak: Server,
    realm: Realm,
    bridge: Bridge,
}

#[derive(Deserialize)]
struct Server {
    url: String,
}

#[derive(Deserialize)]
struct Realm {
    name: String,
    client_id: String,
    client_secret: String,
    customer_attribute: String,
    users: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    email: String,
    customer: Option<String>,
}

#[derive(Deserialize)]
struct Bridge {
    config: PathBuf,
    listen: String,
    tenant: String,
    webhook_key_file: PathBuf,
}

/// A read of a user: the call, and the request to Keycloak that it needs.
struct Read {
    name: &'static str,
    call: Call,
    request: Url,
}

/// Reads a user by id, by address and by customer, in turn directly and through idp-bridge. Prints a table in Markdown.
pub(crate) async fn run(options: Options) -> Result<()> {
    let lab: Lab =
        serde_json::from_slice(&read_file(&options.lab)?).context("the settings of the lab are incomplete")?;
    let folder = tempfile::tempdir()?;
    let _bridge = start_bridge(&options.bridge, &lab.bridge, folder.path())?;
    let key = SigningKey::parse(String::from_utf8(read_file(&lab.bridge.webhook_key_file)?)?.trim())?;
    let bridge = Client::new(&format!("http://{}", lab.bridge.listen), TenantId::new(&lab.bridge.tenant)?, vec![key])?;
    let keycloak = reqwest::Client::builder().no_proxy().build()?;
    println!("| read | directly, p50 | through idp-bridge, p50 | difference |");
    println!("|---|---|---|---|");
    for read in reads(&lab)? {
        let token = fetch_token(&keycloak, &lab).await?;
        let (mut direct, mut bridged) = (Vec::new(), Vec::new());
        for _ in 0..options.reads.get() {
            let begun = Instant::now();
            let request = keycloak.get(read.request.clone()).bearer_auth(&token);
            request.send().await?.error_for_status()?.bytes().await?;
            direct.push(micros(begun));
            let begun = Instant::now();
            bridge.call(read.call.clone()).await?;
            bridged.push(micros(begun));
        }
        let [direct, bridged] = [direct, bridged].map(|mut times| {
            times.sort_unstable_by(f64::total_cmp);
            median(&times)
        });
        let per_cent = (bridged / direct - 1.0) * 100.0;
        println!("| {} | {direct:.0} µs | {bridged:.0} µs | {per_cent:+.1} % |", read.name);
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// Starts idp-bridge with the lab's configuration, but without login events, so that a read is one request.
fn start_bridge(program: &Path, lab: &Bridge, folder: &Path) -> Result<Process> {
    let text = String::from_utf8(read_file(&lab.config)?)?;
    let without = text.replace("login_events = true\n", "");
    ensure!(without != text, "`{}` does not switch login events on", lab.config.display());
    // Apart from the log, since the bridge watches the folder of its configuration.
    let settings = folder.join("settings");
    fs::create_dir_all(&settings)?;
    let config = settings.join("idp-bridge.toml");
    fs::write(&config, without)?;
    Ok(serve(program, &config, &folder.join("log"), lab.listen.parse()?)?.0)
}

/// Returns the reads of the first user, with the requests that the connector sends.
fn reads(lab: &Lab) -> Result<[Read; 3]> {
    let User { id, email, customer } = lab.realm.users.first().context("the lab has no users")?;
    let customer = customer.as_deref().context("the first user of the lab has no customer")?;
    let users = format!("{}/admin/realms/{}/users", lab.keycloak.url, lab.realm.name);
    let search = |name, value: &str, max| {
        Url::parse_with_params(&users, [(name, value), ("exact", "true"), ("first", "0"), ("max", max)])
    };
    let query = format!("{}:\"{customer}\"", lab.realm.customer_attribute);
    Ok([
        Read { name: "by id", call: Call::GetById(UserId::new(id)?), request: format!("{users}/{id}").parse()? },
        Read { name: "by email", call: Call::GetByEmail(Email::new(email)?), request: search("email", email, "2")? },
        Read {
            name: "by customer",
            call: Call::GetByCustomer(CustomerId::new(customer)?),
            request: search("q", &query, "20")?,
        },
    ])
}

/// Requests an access token for the bridge's client.
async fn fetch_token(client: &reqwest::Client, lab: &Lab) -> Result<String> {
    #[derive(Deserialize)]
    struct Issued {
        access_token: String,
    }

    let Realm { name, client_id, client_secret, .. } = &lab.realm;
    let url = format!("{}/realms/{name}/protocol/openid-connect/token", lab.keycloak.url);
    let form = [("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", client_secret)];
    let issued: Issued = client.post(url).form(&form).send().await?.error_for_status()?.json().await?;
    Ok(issued.access_token)
}

/// Returns the time since an instant in microseconds.
fn micros(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e6
}
