//! Measures the verification of signatures: its duration, and whether rejected calls can be distinguished by time.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use http::{HeaderMap, HeaderValue};
use idp_bridge_protocol::signature::{self, sign};
use idp_bridge_protocol::{KeyRing, SigningKey, VerifyingKey};

/// The time at which all calls are signed and verified, in seconds since 1970.
const NOW: i64 = 1_800_000_000;
/// The size of the body.
const BODY: usize = 1024;
/// The share of the shortest samples that are compared, in per cent. The others are interruptions by the system.
const KEPT: usize = 95;

/// The options of the measurement.
#[derive(Args)]
pub(crate) struct Options {
    /// The number of samples of each kind of call.
    #[arg(long, default_value_t = 20_000)]
    samples: usize,
}

/// A kind of call, with the keys of its tenant.
struct Kind {
    name: &'static str,
    ring: KeyRing,
    headers: HeaderMap,
}

/// Prints a table in Markdown for each scheme.
pub(crate) fn run(options: &Options) -> Result<()> {
    println!("| scheme | call | p50 | p99 | mean difference from the next kind | Welch's t |");
    println!("|---|---|---|---|---|---|");
    let seeds = [[7; 32], [8; 32]];
    let [one, other] = seeds.map(SigningKey::from_seed);
    for (scheme, keys) in [("v1", seeds.map(SigningKey::from_shared)), ("v1a", [one?, other?])] {
        let (valid, rejected) = kinds(&keys)?;
        let [times] = measure([&valid], options.samples)?;
        print_row(scheme, valid.name, &times, " | ")?;
        let times = measure(rejected.each_ref(), options.samples)?;
        for (position, kind) in rejected.iter().enumerate() {
            let (own, next) = (times.get(position), times.get((position + 1) % times.len()));
            let (own, next) = own.zip(next).context("a kind has no samples")?;
            let (difference, t) = welch(own, next);
            print_row(scheme, kind.name, own, &format!("{difference:.1} ns | {t:.2}"))?;
        }
    }
    Ok(())
}

/// Returns a valid call, and those that are rejected: of an unknown tenant, with the signature of another key, and with one
/// wrong bit.
fn kinds([key, other]: &[SigningKey; 2]) -> Result<(Kind, [Kind; 3])> {
    let ring = || -> Result<KeyRing> {
        let key = VerifyingKey::parse(key.to_verifying_text().expose())?;
        KeyRing::new(vec![key]).context("a ring has a key")
    };
    let token = |key| sign(std::slice::from_ref(key), "msg_1", NOW, &body());
    let (valid, wrong) = (headers(&token(key))?, headers(&token(other))?);
    let near = headers(&flip_first_bit(&token(key))?)?;
    Ok((
        Kind { name: "valid", ring: ring()?, headers: valid.clone() },
        [
            Kind { name: "unknown tenant", ring: KeyRing::empty(), headers: valid },
            Kind { name: "signature of another key", ring: ring()?, headers: wrong },
            Kind { name: "one wrong bit", ring: ring()?, headers: near },
        ],
    ))
}

fn body() -> Vec<u8> {
    vec![b'x'; BODY]
}

fn headers(token: &str) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(signature::ID, HeaderValue::from_static("msg_1"));
    headers.insert(signature::TIMESTAMP, HeaderValue::from(NOW));
    headers.insert(signature::SIGNATURE, HeaderValue::try_from(token)?);
    Ok(headers)
}

/// Returns a token with another first bit of its signature.
pub(crate) fn flip_first_bit(token: &str) -> Result<String> {
    let (scheme, signature) = token.split_once(',').context("a token has a scheme")?;
    let mut bytes = STANDARD.decode(signature)?;
    bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1);
    Ok(format!("{scheme},{}", STANDARD.encode(bytes)))
}

/// Verifies the calls in turn, each time beginning with another one. Returns the durations in nanoseconds, sorted.
fn measure<const N: usize>(kinds: [&Kind; N], samples: usize) -> Result<[Vec<f64>; N]> {
    let body = body();
    let mut times = [const { Vec::new() }; N];
    for round in 0..samples + samples / 10 {
        for turn in 0..N {
            let place = (round + turn) % N;
            let (Some(kind), Some(times)) = (kinds.get(place), times.get_mut(place)) else { continue };
            let begun = Instant::now();
            let result = std::hint::black_box(kind.ring.verify(&kind.headers, &body, NOW));
            let took = begun.elapsed();
            ensure!(result.is_ok() == (kind.name == "valid"), "the call `{}` has a wrong result", kind.name);
            // The first ones fill the caches.
            if round >= samples / 10 {
                times.push(took.as_nanos() as f64);
            }
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable_by(f64::total_cmp));
    Ok(times)
}

fn print_row(scheme: &str, name: &str, sorted: &[f64], t: &str) -> Result<()> {
    let micros =
        |percent: usize| sorted.get((sorted.len().saturating_sub(1)) * percent / 100).map(|time| time / 1000.0);
    let (p50, p99) = micros(50).zip(micros(99)).context("no samples")?;
    println!("| {scheme} | {name} | {p50:.1} µs | {p99:.1} µs | {t} |");
    Ok(())
}

/// Returns the difference of the means of the shorter samples of two kinds, and Welch's t.
pub(crate) fn welch(one: &[f64], other: &[f64]) -> (f64, f64) {
    let parts = [one, other].map(|sorted| {
        let kept = sorted.get(..sorted.len() * KEPT / 100).unwrap_or_default();
        let count = kept.len() as f64;
        let mean = kept.iter().sum::<f64>() / count;
        let variance = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    let [(one, one_error), (other, other_error)] = parts;
    (one - other, (one - other) / (one_error + other_error).sqrt())
}
