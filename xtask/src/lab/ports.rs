//! Ports on 127.0.0.1 that nobody uses.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// How many ports after the usual one are tried.
const TRIES: u16 = 100;

/// The wanted port, which must be free; or the first free one from the usual one on.
///
/// Those are below the range that systems hand out by themselves, so that a stopped server finds its port free again.
pub(crate) fn choose(wanted: Option<u16>, usual: u16) -> Result<u16> {
    if let Some(port) = wanted {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| {
            format!("port {port} on 127.0.0.1 cannot be used; hint: leave the option away to get a free one")
        })?;
        return Ok(port);
    }
    (usual..usual.saturating_add(TRIES))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .with_context(|| format!("no port from {usual} on is free"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_when_it_was_asked_for_and_passed_over_when_not() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = choose(Some(port), 0).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()), "{error}");
        assert!(choose(None, port).unwrap() > port);
    }
}
