//! Measures whether the responses of a running bridge to rejected calls can be distinguished by time.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use idp_bridge_protocol::SigningKey;
use idp_bridge_protocol::signature::sign;

use crate::fixture::{self, Upstream};
use crate::process::unused_address;
use crate::run::start_bridge;
use crate::verify::{flip_first_bit, welch};

/// The id of all calls.
const ID: &str = "msg_1";

/// The options of the measurement.
#[derive(Args)]
pub(crate) struct Options {
    /// The release build of idp-bridge.
    #[arg(long)]
    bridge: PathBuf,
    /// The number of samples of each kind of call in a round.
    #[arg(long, default_value_t = 20_000)]
    samples: usize,
    /// The number of rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Sends calls of an unknown tenant, with the signature of another key, and with one wrong bit, in turn over one connection.
/// Prints a table in Markdown.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let listen = unused_address()?;
    // No call reaches the identity provider.
    let stub = Upstream::plain(unused_address()?);
    let _bridge = start_bridge(&options.bridge, folder.path(), listen, &stub)?;
    println!("| round | call | p50 | mean difference from the next kind | Welch's t |");
    println!("|---|---|---|---|---|");
    for round in 1..=options.rounds {
        let kinds = kinds(listen)?;
        let times = measure(listen, &kinds, options.samples)?;
        for (place, ((name, _), own)) in kinds.iter().zip(&times).enumerate() {
            let next = times.get((place + 1) % times.len()).context("a kind has no samples")?;
            let median = own.get(own.len() / 2).context("a kind has no samples")? / 1000.0;
            let (difference, t) = welch(own, next);
            println!("| {round} | {name} | {median:.1} µs | {difference:.0} ns | {t:.2} |");
        }
    }
    Ok(())
}

type Kind = (&'static str, Vec<u8>);

/// Returns the names and the requests of the rejected calls. All requests have one length.
fn kinds(listen: SocketAddr) -> Result<[Kind; 3]> {
    #[expect(clippy::disallowed_methods, reason = "the bridge compares the time with its clock")]
    let now = jiff::Timestamp::now().as_second();
    let body = format!("{{\"padding\":\"{}\"}}", "x".repeat(1024));
    let token = |key: SigningKey| sign(&[key], ID, now, body.as_bytes());
    let valid = token(SigningKey::parse(fixture::KEY)?);
    let other = token(SigningKey::parse(&format!("whsec_{}", STANDARD.encode([8; 32])))?);
    let request = |tenant: &str, token: &str| {
        let head = format!(
            "POST /v1/tenants/{tenant}/webhook HTTP/1.1\r\nhost: {listen}\r\ncontent-type: application/json\r\n"
        );
        let signature = format!("webhook-id: {ID}\r\nwebhook-timestamp: {now}\r\nwebhook-signature: {token}\r\n");
        format!("{head}{signature}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    Ok([
        ("unknown tenant", request("none", &valid)),
        ("signature of another key", request(fixture::TENANT, &other)),
        ("one wrong bit", request(fixture::TENANT, &flip_first_bit(&valid)?)),
    ])
}

/// Sends each kind of call in turn, each time beginning with another one. Returns the durations in nanoseconds, sorted.
fn measure(listen: SocketAddr, kinds: &[Kind; 3], samples: usize) -> Result<[Vec<f64>; 3]> {
    let mut stream = TcpStream::connect(listen)?;
    stream.set_nodelay(true)?;
    let mut response = first_response(&mut stream, kinds)?;
    let mut times = [const { Vec::new() }; 3];
    for round in 0..samples {
        for turn in 0..kinds.len() {
            let place = (round + turn) % kinds.len();
            let (Some((name, request)), Some(times)) = (kinds.get(place), times.get_mut(place)) else { continue };
            let begun = Instant::now();
            stream.write_all(request)?;
            stream.read_exact(&mut response)?;
            times.push(begun.elapsed().as_nanos() as f64);
            ensure!(response.starts_with(b"HTTP/1.1 401"), "the call `{name}` was not rejected");
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable_by(f64::total_cmp));
    Ok(times)
}

/// Returns a buffer of the length that the responses to all kinds have.
fn first_response(stream: &mut TcpStream, kinds: &[Kind; 3]) -> Result<Vec<u8>> {
    let mut lengths = Vec::new();
    for (_, request) in kinds {
        stream.write_all(request)?;
        let mut buffer = vec![0; 8192];
        let length = stream.read(&mut buffer)?;
        ensure!(buffer.get(..length).is_some_and(|response| response.ends_with(b"}")), "a response came in parts");
        lengths.push(length);
    }
    ensure!(lengths.iter().all(|length| lengths.first() == Some(length)), "the responses have several lengths");
    Ok(vec![0; lengths.first().copied().unwrap_or_default()])
}
