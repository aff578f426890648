//! Reads a header of the PROXY protocol. The address is that of the header, and the bytes after the header remain.

#![cfg_attr(fuzzing, no_main)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::LazyLock;

use idp_bridge_server::fuzzing::read_proxy_header;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().build().unwrap());

pub(crate) fn run(data: &[u8]) {
    let mut stream = data;
    let Ok(address) = RUNTIME.block_on(read_proxy_header(&mut stream)) else { return };
    assert!(data.starts_with(b"\r\n\r\n\0\r\nQUIT\n"));
    let length = usize::from(u16::from_be_bytes([data[14], data[15]]));
    assert_eq!(stream.len(), data.len() - 16 - length);
    let rest = &data[16..16 + length];
    let port = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
    let expected = match (data[12], data[13]) {
        (0x20, _) | (0x21, 0) => None,
        (0x21, 0x11) => Some(SocketAddr::new(Ipv4Addr::from(<[u8; 4]>::try_from(&rest[..4]).unwrap()).into(), port(8))),
        (0x21, 0x21) => {
            let address = IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(&rest[..16]).unwrap()));
            Some(SocketAddr::new(address.to_canonical(), port(32)))
        }
        other => panic!("{other:?} was accepted"),
    };
    assert_eq!(address, expected);
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
