//! Sends signed calls over a number of connections, and measures their latencies.
//!
//! Requests are signed before the measurement. At a fixed rate a call that had to wait for its connection is measured from
//! the time when it was due, so that a slow answer counts for the calls behind it, too.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use idp_bridge_client::{Call, Client, Operation, SigningKey, TenantId, UserId, WebhookId};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{access_token, fixture};

/// The number of times that a token is used in a measurement without a cache. The bridge validates a token 30 times in a row.
const USES: usize = 10;
/// The number of tokens of a measurement with a cache.
const CACHED_TOKENS: usize = 100;

/// The calls and their receiver.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// The address of the gateway.
    pub(crate) address: SocketAddr,
    /// The number of calls.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) calls: usize,
    /// The number of connections.
    #[arg(long, default_value_t = 32)]
    pub(crate) connections: usize,
    /// Calls a second over all connections. Without it each connection sends its next call at once.
    #[arg(long)]
    pub(crate) rate: Option<u32>,
    /// The requests to the gateway.
    #[arg(long, value_enum, default_value_t = Message::Webhook)]
    pub(crate) message: Message,
}

/// The kind of requests to a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Message {
    /// A signed call.
    Webhook,
    /// A call of the REST surface.
    Rest,
    /// A request for userinfo, with one of many tokens.
    Userinfo,
    /// A request for userinfo, with one of few tokens.
    CachedUserinfo,
    /// The request to the identity provider itself, for a reverse proxy.
    Proxied,
}

impl Message {
    /// Returns the name in the options.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Rest => "rest",
            Self::Userinfo => "userinfo",
            Self::CachedUserinfo => "cached-userinfo",
            Self::Proxied => "proxied",
        }
    }

    /// Returns a number of requests for each of these connections to the gateway at this address.
    fn requests(self, address: SocketAddr, each: usize, connections: usize) -> Result<Vec<Vec<u8>>> {
        let number = each * connections;
        let tenant = format!("/v1/tenants/{}", fixture::TENANT);
        let users = |path: &str, token: &str| {
            let request = |number| get(address, &format!("{path}{}", fixture::user(number)), token);
            Ok((0..number).map(request).collect())
        };
        let userinfo = |count: usize| -> Result<Vec<_>> {
            let tokens = (0..count).map(access_token::sign).collect::<Result<Vec<_>>>()?;
            Ok(tokens.iter().map(|token| get(address, &format!("{tenant}/userinfo"), token)).collect())
        };
        match self {
            Self::Webhook => signed(address, number),
            Self::Rest => users(&format!("{tenant}/users/"), fixture::REST_TOKEN),
            // No two connections use one token, since idp-bridge shares equal validations.
            Self::Userinfo => {
                let own = each.div_ceil(USES);
                let all = userinfo(own * connections)?;
                Ok(all.chunks(own).flat_map(|tokens| tokens.iter().cycle().take(each)).cloned().collect())
            }
            Self::CachedUserinfo => Ok(userinfo(CACHED_TOKENS)?.into_iter().cycle().take(number).collect()),
            Self::Proxied => users(fixture::USERS, &fixture::token()),
        }
    }
}

/// The result of a measurement.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) calls: usize,
    pub(crate) failed: usize,
    pub(crate) seconds: f64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
}

/// Sends all calls and returns the measurement.
pub(crate) async fn run(options: Options) -> Result<Measured> {
    ensure!(options.connections > 0 && options.calls >= options.connections, "fewer calls than connections");
    let each = options.calls / options.connections;
    let requests = options.message.requests(options.address, each, options.connections)?;
    let mut sessions = Vec::new();
    for part in requests.chunks(each) {
        let stream = TcpStream::connect(options.address).await.context("cannot connect to the gateway")?;
        stream.set_nodelay(true)?;
        sessions.push((stream, part.to_vec()));
    }
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for (number, (stream, requests)) in sessions.into_iter().enumerate() {
        let schedule = options.rate.map(|rate| Schedule::new(begun, rate, number, options.connections));
        tasks.push(tokio::spawn(session(stream, requests, schedule)));
    }
    let (mut latencies, mut failed) = (Vec::new(), 0);
    for task in tasks {
        let (taken, errors) = task.await??;
        latencies.extend(taken);
        failed += errors;
    }
    let seconds = begun.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let percentile = |percent: usize| latencies.get((latencies.len() - 1) * percent / 100).copied().unwrap_or_default();
    let (p50_us, p99_us, max_us) = (percentile(50), percentile(99), percentile(100));
    Ok(Measured { calls: latencies.len(), failed, seconds, p50_us, p99_us, max_us })
}

/// When the calls of one connection are due.
struct Schedule {
    next: Instant,
    interval: Duration,
}

impl Schedule {
    fn new(begun: Instant, rate: u32, number: usize, connections: usize) -> Self {
        let gap = Duration::from_secs(1) / rate.max(1);
        let (number, connections) = (u32::try_from(number).unwrap_or(0), u32::try_from(connections).unwrap_or(1));
        Self { next: begun + gap * number, interval: gap * connections }
    }

    /// Waits until the next call is due, and returns the time from which its latency counts.
    async fn wait(&mut self) -> Instant {
        let due = self.next;
        self.next += self.interval;
        if due <= Instant::now() {
            return due;
        }
        tokio::time::sleep_until(due.into()).await;
        // The timer's own delay is not the gateway's.
        Instant::now()
    }
}

/// Sends the requests of one connection. Returns their latencies in microseconds, and the number of failures.
async fn session(
    mut stream: TcpStream,
    requests: Vec<Vec<u8>>,
    mut schedule: Option<Schedule>,
) -> Result<(Vec<u64>, usize)> {
    let (mut latencies, mut failed) = (Vec::with_capacity(requests.len()), 0);
    let mut buffer = Vec::with_capacity(8192);
    for request in requests {
        let begun = match &mut schedule {
            Some(schedule) => schedule.wait().await,
            None => Instant::now(),
        };
        stream.write_all(&request).await?;
        failed += usize::from(!receive(&mut stream, &mut buffer).await?);
        latencies.push(u64::try_from(begun.elapsed().as_micros())?);
    }
    Ok((latencies, failed))
}

/// Reads one response with a `content-length`. Returns whether it is the user.
async fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<bool> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the gateway closed the connection");
        }
        let Some(end) = find(buffer, b"\r\n\r\n") else { continue };
        let (head, body) = buffer.split_at(end + 4);
        let head = std::str::from_utf8(head)?;
        let is_ok = head.get(9..12) == Some("200");
        let length = head.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let length = length.context("the gateway's answer has no content-length")?;
        if body.len() >= length {
            return Ok(is_ok && find(body, b"\"c-1\"").is_some());
        }
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// Returns signed calls, each with an id of its own.
fn signed(address: SocketAddr, number: usize) -> Result<Vec<Vec<u8>>> {
    let key = SigningKey::parse(fixture::KEY)?;
    let client = Client::new(&format!("http://{address}"), TenantId::new(fixture::TENANT)?, vec![key])?;
    let sign = |number| {
        let operation = Operation::Users(Call::GetById(UserId::new(fixture::user(number))?));
        let call = client.sign(&WebhookId::random()?, &operation);
        let mut bytes = format!("POST /v1/tenants/{}/webhook HTTP/1.1\r\nhost: {address}\r\n", fixture::TENANT);
        for (name, value) in call.headers() {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        }
        bytes.push_str(&format!("content-length: {}\r\n\r\n", call.body().len()));
        Ok([bytes.as_bytes(), call.body()].concat())
    };
    (0..number).map(sign).collect()
}

/// Returns a GET request with a bearer token.
fn get(address: SocketAddr, path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n").into_bytes()
}
