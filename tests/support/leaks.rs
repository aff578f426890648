//! Searches logs for personal data and secrets. Each running bridge of the tests is checked when it stops.

/// Beginnings of JWTs and of shared keys.
const SECRETS: [&str; 2] = ["eyJ", "whsec_"];
/// The top-level domains of the addresses in tests.
const DOMAINS: [&str; 2] = [".example", ".test"];

/// Returns the lines with an email address, a JWT or a shared key.
pub(crate) fn find(lines: &[String]) -> Vec<&String> {
    let is_leak = |line: &&String| SECRETS.iter().any(|secret| line.contains(secret)) || has_address(line);
    lines.iter().filter(is_leak).collect()
}

/// Returns whether a line has an email address, plain or percent-encoded.
fn has_address(line: &str) -> bool {
    let line = line.replace("%40", "@");
    let is_end = |character: char| !(character.is_alphanumeric() || matches!(character, '.' | '-'));
    line.split('@').skip(1).any(|rest| {
        let domain = rest.split(is_end).next().unwrap_or_default();
        DOMAINS.iter().any(|end| domain.ends_with(end))
    })
}
