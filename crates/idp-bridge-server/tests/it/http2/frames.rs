//! A client of HTTP/2 that sends frames which a well-behaved client would not send (RFC 9113).

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::within;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// The parameters of SETTINGS.
pub(super) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(super) const INITIAL_WINDOW_SIZE: u16 = 4;
pub(super) const MAX_HEADER_LIST_SIZE: u16 = 6;

/// A frame.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// Creates a SETTINGS frame with one parameter.
    pub(super) fn setting(parameter: u16, value: u32) -> Self {
        Self::new(SETTINGS, 0, 0, [&parameter.to_be_bytes()[..], &value.to_be_bytes()].concat())
    }

    /// Creates the HEADERS frame of a request without a body.
    pub(super) fn get(stream: u32, path: &str) -> Self {
        // Indexes 2 and 6 of the static table: `:method: GET`, `:scheme: http`. Index 4 is `:path`.
        Self::new(HEADERS, END_HEADERS | END_STREAM, stream, [&[0x82, 0x86][..], &literal(4, path)].concat())
    }

    /// Creates the HEADERS frame of a signed call with a body that does not come.
    pub(super) fn post(stream: u32) -> Self {
        // Index 3 is `:method: POST`, and index 31 is `content-type`.
        let path = literal(4, "/v1/tenants/acme/webhook");
        let media_type = [&[0x0f, 0x10, 16][..], b"application/json"].concat();
        Self::new(HEADERS, END_HEADERS, stream, [&[0x83, 0x86][..], &path, &media_type].concat())
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[self.kind, self.flags], &self.stream.to_be_bytes(), &self.payload].concat()
    }

    /// Returns the value of a SETTINGS parameter.
    pub(super) fn value_of(&self, parameter: u16) -> Option<u32> {
        let mut pairs = self.payload.chunks_exact(6).filter(|pair| pair[..2] == parameter.to_be_bytes());
        pairs.next().map(|pair| u32::from_be_bytes(pair[2..].try_into().unwrap()))
    }
}

/// Encodes a field that is not indexed, with a name of the static table.
fn literal(index: u8, value: &str) -> Vec<u8> {
    [&[index, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
}

/// A connection in clear text.
pub(super) struct Raw(TcpStream);

impl Raw {
    /// Connects, and sends the preface and a SETTINGS frame.
    pub(super) async fn open(address: SocketAddr, settings: Frame) -> Self {
        let mut raw = Self(within(TcpStream::connect(address)).await.unwrap());
        raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        raw.send(&[settings]).await;
        raw
    }

    /// Sends frames until the server stops reading. Returns false if it has closed the connection.
    pub(super) async fn send(&mut self, frames: &[Frame]) -> bool {
        self.write(&frames.iter().flat_map(Frame::to_bytes).collect::<Vec<_>>()).await
    }

    async fn write(&mut self, bytes: &[u8]) -> bool {
        within(self.0.write_all(bytes)).await.is_ok()
    }

    /// Reads the next frame, or returns `None` if the connection is closed.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        within(self.0.read_exact(&mut head)).await.ok()?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        within(self.0.read_exact(&mut payload)).await.ok()?;
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// Reads until a frame of this kind, which must come.
    pub(super) async fn wait_for(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.unwrap_or_else(|| panic!("closed without a frame of kind {kind}"));
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Reads until the server closes the connection. Returns the error code of the last GOAWAY.
    pub(super) async fn closed(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                code = Some(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap()));
            }
        }
        code
    }
}
