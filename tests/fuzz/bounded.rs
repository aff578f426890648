//! Runs each fuzz target with its seeds and with variations of them, for seconds and with the stable compiler.
//!
//! `docs/CONTRIBUTING.md` says how to run a target for longer.

// `cfg(test)` is always true here. It allows `unwrap` in helper functions for clippy.
#![cfg(test)]

use std::path::PathBuf;

use fastrand::Rng;

/// The number of variations of each seed.
const VARIATIONS: usize = 500;
/// The most changes of a variation.
const MAX_CHANGES: usize = 6;
/// Bytes that formats give a meaning.
const MEANINGFUL: &[u8] = b"\0\n\r \"'\\/.:;,{}[]()<>=*%_-+@#?&|~0\x7f\x80\xc3\xff";

#[path = "fuzz_targets/claims.rs"]
mod claims;
#[path = "fuzz_targets/configuration.rs"]
mod configuration;
#[path = "fuzz_targets/definition.rs"]
mod definition;
#[path = "fuzz_targets/envelope.rs"]
mod envelope;
#[path = "fuzz_targets/http2.rs"]
mod http2;
#[path = "fuzz_targets/ldap_message.rs"]
mod ldap_message;
#[path = "fuzz_targets/logout_token.rs"]
mod logout_token;
#[path = "fuzz_targets/problem.rs"]
mod problem;
#[path = "fuzz_targets/proxy_header.rs"]
mod proxy_header;
#[path = "fuzz_targets/quote.rs"]
mod quote;
#[path = "fuzz_targets/signature.rs"]
mod signature;
#[path = "fuzz_targets/url.rs"]
mod url;
#[path = "fuzz_targets/users.rs"]
mod users;

/// The function of a target, which takes an input.
type Run = fn(&[u8]);

/// Each target with its name.
const TARGETS: &[(&str, Run)] = &[
    ("claims", claims::run),
    ("configuration", configuration::run),
    ("definition", definition::run),
    ("envelope", envelope::run),
    ("http2", http2::run),
    ("ldap_message", ldap_message::run),
    ("logout_token", logout_token::run),
    ("problem", problem::run),
    ("proxy_header", proxy_header::run),
    ("quote", quote::run),
    ("signature", signature::run),
    ("url", url::run),
    ("users", users::run),
];

/// Returns the folder of the targets.
fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz"))
}

#[test]
fn targets_hold_for_variations_of_their_seeds() {
    let failures: Vec<String> = TARGETS.iter().filter_map(|(name, run)| failure(name, *run)).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Returns the first input that a target fails for.
fn failure(name: &str, run: fn(&[u8])) -> Option<String> {
    let entries = std::fs::read_dir(folder().join("seeds").join(name)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{name} has no seeds");
    let mut random = Rng::with_seed(1);
    paths.iter().find_map(|path| {
        let seed = std::fs::read(path).unwrap();
        let variations = (0..VARIATIONS).map(|_| vary(&seed, &mut random));
        let failing = std::iter::once(seed.clone())
            .chain(variations)
            .find(|input| std::panic::catch_unwind(|| run(input)).is_err())?;
        Some(format!("{name} fails for `{}`, from {}", failing.escape_ascii(), path.display()))
    })
}

/// Changes, removes, repeats and inserts bytes.
fn vary(seed: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..random.usize(1..=MAX_CHANGES) {
        let at = random.usize(..=bytes.len());
        let end = (at + random.usize(..8)).min(bytes.len());
        let meaningful = MEANINGFUL[random.usize(..MEANINGFUL.len())];
        match random.u8(..5) {
            0 if at < bytes.len() => bytes[at] = meaningful,
            1 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let part = bytes[at..end].to_vec();
                let to = random.usize(..=bytes.len());
                bytes.splice(to..to, part);
            }
            _ => bytes.insert(at, meaningful),
        }
    }
    bytes
}

#[test]
fn targets_are_listed_for_cargo_fuzz_and_ci() {
    let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    let binaries: Vec<_> =
        manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(binaries, names);
    let workflow = std::fs::read_to_string(folder().join("../../.github/workflows/ci.yml")).unwrap();
    assert!(workflow.contains(&format!("target: [{}]", names.join(", "))), "the workflow lacks a target");
}
