//! Sends frames to a connection with HTTP/2. The server ends it when the client does, answers in whole frames, and answers each
//! stream once.
//!
//! The input follows the preface of the client.

#![cfg_attr(fuzzing, no_main)]

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use idp_bridge_core::{SystemClock, SystemRandom};
use idp_bridge_server::fuzzing::Listenerless;
use idp_bridge_server::{Server, ServerLimits, Tenant, Tenants};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex, split};
use tokio::runtime::{Builder, Runtime};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The room for bytes in flight, so that the server never waits for the client.
const ROOM: usize = 4 * 1024 * 1024;
/// The number of times that the server's tasks run before the client closes the connection.
const TURNS: usize = 32;
/// The type of the frames with which an answer begins (RFC 9113, section 6.2).
const HEADERS: u8 = 1;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());
static SERVER: LazyLock<Listenerless> = LazyLock::new(|| {
    let tenants = Tenants::new::<Arc<Tenant>>([]).unwrap();
    Listenerless::new(Server::new(tenants, Arc::new(SystemClock), &SystemRandom, ServerLimits::default()).unwrap())
});

pub(crate) fn run(data: &[u8]) {
    let received = RUNTIME.block_on(async {
        let (client, stream) = duplex(ROOM);
        let serving = tokio::spawn(async move { SERVER.serve_http2(stream).await });
        let (mut reader, mut writer) = split(client);
        // The server may have closed the connection.
        let _ = writer.write_all(&[PREFACE, data].concat()).await;
        // Requests run to their end, as none waits for anything but the runtime.
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        let _ = writer.shutdown().await;
        let mut received = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), reader.read_to_end(&mut received)).await;
        ended.expect("the connection ends").unwrap();
        serving.await.unwrap();
        received
    });
    check_frames(&received);
}

fn check_frames(mut bytes: &[u8]) {
    let mut answered = HashSet::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<9>() {
        let [a, b, c, kind, _flags, stream @ ..] = *head;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap();
        assert!(kind <= 9 && length <= 16 * 1024, "a frame of the type {kind} with {length} bytes");
        let stream = u32::from_be_bytes(stream);
        assert!(kind != HEADERS || (stream % 2 == 1 && answered.insert(stream)), "two answers to stream {stream}");
        bytes = rest.get(length..).expect("the frame is complete");
    }
    assert!(bytes.is_empty(), "{bytes:?}");
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
