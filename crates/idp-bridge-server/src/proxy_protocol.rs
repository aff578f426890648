//! The header of the PROXY protocol, version 2, with which a proxy passes on the address of its client.
//!
//! <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>, section 2.2, 2026-11-28.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The first bytes of a header.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The length of the signature, the version and command, the family, and the length of the rest.
const FIXED: usize = 16;
/// The maximum length of the addresses and extensions after the fixed part, in bytes.
const MAX_REST: usize = 1024;

/// The reason why a header is invalid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    /// The connection failed or ended.
    #[error("the connection ended in the header")]
    Io(#[from] io::Error),
    /// The header is of version 1, which is a line of text.
    #[error("the header is of version 1: let the proxy send version 2")]
    Version1,
    /// The connection begins with other bytes.
    #[error("the connection does not begin with a header: let the proxy send version 2")]
    Missing,
    /// A part of the header is not allowed.
    #[error("the header is invalid: {0}")]
    Invalid(&'static str),
}

/// Reads a header and not a byte more. Returns the client's address.
///
/// Returns `None` for a connection of the proxy itself, such as a health check, and for an address family without one.
pub(crate) async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, HeaderError> {
    let mut fixed = [0; FIXED];
    // The longest prefix that version 1 shares with no other protocol is read first.
    let (start, rest) = fixed.split_at_mut(SIGNATURE.len());
    stream.read_exact(start).await?;
    if start.starts_with(b"PROXY ") {
        return Err(HeaderError::Version1);
    }
    if *start != SIGNATURE {
        return Err(HeaderError::Missing);
    }
    stream.read_exact(rest).await?;
    let [.., command, family, high, low] = fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_REST {
        return Err(HeaderError::Invalid("it is longer than 1,024 bytes"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    parse(command, family, &rest)
}

/// Parses the part after the signature and the length.
fn parse(command: u8, family: u8, rest: &[u8]) -> Result<Option<SocketAddr>, HeaderError> {
    match command {
        // The proxy's own connection: the rest is skipped.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err(HeaderError::Invalid("the version or the command is unknown")),
    }
    let (address, extensions) = match family {
        // Without an address family, all of the rest is skipped, too.
        0x00 => return Ok(None),
        0x11 => parse_ipv4(rest),
        0x21 => parse_ipv6(rest),
        _ => return Err(HeaderError::Invalid("the address family is not TCP over IPv4 or IPv6")),
    }
    .ok_or(HeaderError::Invalid("it is shorter than its addresses"))?;
    check_extensions(extensions)?;
    Ok(Some(address))
}

/// Parses source and destination address, and source and destination port.
fn parse_ipv4(rest: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (addresses, extensions) = rest.split_first_chunk::<12>()?;
    let [a, b, c, d, _, _, _, _, high, low, _, _] = *addresses;
    let address = IpAddr::from(Ipv4Addr::new(a, b, c, d));
    Some((SocketAddr::new(address, u16::from_be_bytes([high, low])), extensions))
}

fn parse_ipv6(rest: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (source, rest) = rest.split_first_chunk::<16>()?;
    let (_destination, rest) = rest.split_first_chunk::<16>()?;
    let ([high, low, _, _], extensions) = rest.split_first_chunk::<4>()?;
    let address = IpAddr::from(Ipv6Addr::from(*source)).to_canonical();
    Some((SocketAddr::new(address, u16::from_be_bytes([*high, *low])), extensions))
}

/// Checks that extensions fill the rest exactly: one byte for the type, two for the length, and the value.
fn check_extensions(mut rest: &[u8]) -> Result<(), HeaderError> {
    let broken = HeaderError::Invalid("an extension does not fit into it");
    while !rest.is_empty() {
        let Some(([_, high, low], values)) = rest.split_first_chunk::<3>() else { return Err(broken) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(next) = values.get(length..) else { return Err(broken) };
        rest = next;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
