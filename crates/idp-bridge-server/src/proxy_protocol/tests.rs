//! Headers of the PROXY protocol, valid and invalid.

use proptest::prelude::*;

use super::*;

/// Builds a header with these bytes after the fixed part.
fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, rest].concat()
}

/// Reads a header, and returns the bytes after it.
async fn read(bytes: &[u8]) -> (Result<Option<SocketAddr>, HeaderError>, Vec<u8>) {
    let mut stream = bytes;
    let result = read_header(&mut stream).await;
    (result, stream.to_vec())
}

fn read_now(bytes: &[u8]) -> (Result<Option<SocketAddr>, HeaderError>, Vec<u8>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(read(bytes))
}

const IPV4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x1f, 0x90, 0x01, 0xbb];

#[tokio::test]
async fn source_address_is_read() {
    let ipv4 = header(0x21, 0x11, &IPV4);
    assert_eq!(read(&ipv4).await.0.unwrap(), Some("192.0.2.7:8080".parse().unwrap()));
    let mut rest = [0; 36];
    rest[..2].copy_from_slice(&[0x20, 0x01]);
    rest[15] = 1;
    rest[32..34].copy_from_slice(&[0x1f, 0x90]);
    assert_eq!(read(&header(0x21, 0x21, &rest)).await.0.unwrap(), Some("[2001::1]:8080".parse().unwrap()));
}

#[tokio::test]
async fn bytes_after_the_header_stay() {
    let with_extension = [&IPV4[..], &[0x04, 0, 3, 1, 2, 3]].concat();
    let bytes = [header(0x21, 0x11, &with_extension), b"GET / HTTP/1.1".to_vec()].concat();
    let (address, after) = read(&bytes).await;
    assert!(address.unwrap().is_some());
    assert_eq!(after, b"GET / HTTP/1.1");
}

#[tokio::test]
async fn own_connection_of_the_proxy_has_no_address() {
    for bytes in [header(0x20, 0x00, &[]), header(0x20, 0x11, &IPV4), header(0x21, 0x00, &[1, 2, 3])] {
        assert_eq!(read(&bytes).await.0.unwrap(), None, "{bytes:?}");
    }
}

#[tokio::test]
async fn version_1_is_refused() {
    let (result, _) = read(b"PROXY TCP4 192.0.2.7 10.0.0.1 8080 443\r\n").await;
    assert!(matches!(result, Err(HeaderError::Version1)), "{result:?}");
    let (result, _) = read(b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(matches!(result, Err(HeaderError::Missing)), "{result:?}");
}

#[tokio::test]
async fn malformed_headers_are_refused() {
    let too_long = [&IPV4[..], &[0x04, 0x10, 0]].concat();
    for bytes in [
        header(0x31, 0x11, &IPV4),
        header(0x22, 0x11, &IPV4),
        header(0x21, 0x12, &IPV4),
        header(0x21, 0x31, &[0; 216]),
        header(0x21, 0x11, &IPV4[..11]),
        header(0x21, 0x21, &[0; 35]),
        header(0x21, 0x11, &too_long),
        header(0x21, 0x11, &[&IPV4[..], &[0x04]].concat()),
        header(0x21, 0x11, &[0; MAX_REST + 1]),
    ] {
        assert!(matches!(read(&bytes).await.0, Err(HeaderError::Invalid(_))), "{bytes:?}");
    }
    let cut_off = header(0x21, 0x11, &IPV4);
    assert!(matches!(read(&cut_off[..20]).await.0, Err(HeaderError::Io(_))));
}

proptest! {
    #[test]
    fn each_address_is_read_back(source: [u8; 4], port: u16, extension in prop::collection::vec(any::<u8>(), 0..200)) {
        let length = u16::try_from(extension.len()).unwrap().to_be_bytes();
        let rest = [&source[..], &[0; 4], &port.to_be_bytes(), &[0; 2], &[0xe0], &length, &extension].concat();
        let (result, after) = read_now(&[header(0x21, 0x11, &rest), b"after".to_vec()].concat());
        prop_assert_eq!(result.unwrap(), Some(SocketAddr::new(IpAddr::from(source), port)));
        prop_assert_eq!(after, b"after");
    }

    #[test]
    fn bytes_beyond_the_limit_are_not_read(command: u8, family: u8, rest in prop::collection::vec(any::<u8>(), 0..1500)) {
        let bytes = header(command, family, &rest);
        let (_, after) = read_now(&bytes);
        prop_assert!(bytes.len() - after.len() <= FIXED + MAX_REST);
    }
}
