//! The first message of old and weak clients, which no TLS library sends any more.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::within;

/// Suites with ECDHE and AES-GCM.
pub(super) const STRONG: &[u16] = &[0xc02b, 0xc02f];
/// NULL, export, RC4, DES, 3DES, anonymous, RSA key exchange, and CBC suites.
pub(super) const WEAK: &[u16] = &[
    0x0001, 0x0002, 0x003b, 0xc006, 0xc010, 0x0003, 0x0006, 0x0008, 0x0014, 0x0004, 0x0005, 0xc007, 0xc011, 0x0009,
    0x0015, 0x000a, 0x0016, 0xc008, 0xc012, 0x0018, 0x001b, 0x0034, 0x006c, 0x00a6, 0xc018, 0x002f, 0x0035, 0x003c,
    0x003d, 0x009c, 0x009d, 0x0033, 0x0039, 0x0067, 0x006b, 0xc009, 0xc00a, 0xc013, 0xc014, 0xc023, 0xc024, 0xc027,
    0xc028,
];

/// The alert for a version that is not supported.
pub(super) const PROTOCOL_VERSION: u8 = 70;
/// The alert for a message without an acceptable suite.
pub(super) const HANDSHAKE_FAILURE: u8 = 40;

/// The answer to a first message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    ServerHello,
    Alert(u8),
    Closed,
}

/// Sends the first message of a client that supports this version at most, and these suites.
pub(super) async fn send(address: SocketAddr, version: u16, suites: &[u16]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&record(version, suites)).await.unwrap();
    let mut head = [0; 7];
    match within(stream.read_exact(&mut head)).await {
        Ok(_) if head[0] == 0x15 => Answer::Alert(head[6]),
        Ok(_) if head[0] == 0x16 && head[5] == 2 => Answer::ServerHello,
        Ok(_) => panic!("{head:?}"),
        Err(_) => Answer::Closed,
    }
}

/// Builds a record with a `ClientHello` (RFC 5246, section 7.4.1.2).
fn record(version: u16, suites: &[u16]) -> Vec<u8> {
    let suites: Vec<u8> = suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    // supported_groups: x25519 and P-256; ec_point_formats: uncompressed; signature_algorithms: ECDSA and RSA with SHA-256.
    let extensions = [
        &[0, 10, 0, 6, 0, 4, 0, 29, 0, 23][..],
        &[0, 11, 0, 2, 1, 0],
        &[0, 13, 0, 8, 0, 6, 4, 3, 4, 1, 2, 1],
        &[0, 23, 0, 0],
    ]
    .concat();
    let body = [&version.to_be_bytes()[..], &[7; 32], &[0], &with_length(&suites), &[1, 0], &with_length(&extensions)];
    let body = body.concat();
    let handshake = [&[1, 0][..], &with_length(&body)].concat();
    [&[0x16, 3, 1][..], &with_length(&handshake)].concat()
}

/// Puts the length of two bytes before the bytes.
fn with_length(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}
