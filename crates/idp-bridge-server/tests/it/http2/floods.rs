//! Clients that flood the server with frames.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Semaphore;

use super::frames::{CONTINUATION, DATA, Frame, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE};
use super::{Client, clear_text, get, health};
use crate::bridge::{Bridge, envelope, limits, signed, tenant};
use crate::http::within;
use crate::scripted::Scripted;

/// The number of frames of a flood.
const MANY: u32 = 20_000;

fn settings() -> Frame {
    Frame::new(SETTINGS, 0, 0, [])
}

/// Returns the id of the client's nth stream.
fn stream(number: u32) -> u32 {
    2 * number + 1
}

/// Sends the frames of each step until the server closes the connection. Returns the number of steps.
async fn flood(raw: &mut Raw, mut frames: impl FnMut(u32) -> Vec<Frame>) -> u32 {
    let mut steps = 0;
    while steps < MANY && raw.send(&frames(steps)).await {
        steps += 1;
        // Lets the server read.
        tokio::task::yield_now().await;
    }
    steps
}

#[tokio::test]
async fn resets_of_running_requests_are_limited() {
    let bridge = clear_text(limits()).await;
    let mut raw = Raw::open(bridge.address, settings()).await;
    let steps = flood(&mut raw, |step| {
        vec![Frame::post(stream(step)), Frame::new(RST_STREAM, 0, stream(step), 8_u32.to_be_bytes())]
    })
    .await;
    assert!(steps < MANY, "the connection is still open");
    assert_eq!(Client::open(&bridge).await.status(&get()).await, Some(200));
}

#[tokio::test]
async fn abandoned_calls_of_a_connection_are_limited() {
    let begun = Arc::new(Semaphore::new(0));
    let script = {
        let begun = Arc::clone(&begun);
        move |_, _| {
            begun.add_permits(1);
            std::future::pending()
        }
    };
    let tenants = [tenant("acme", Scripted::new(script))];
    let bridge = Bridge::with_server(tenants, limits(), |server| server.with_h2c()).await;
    let mut client = Client::open(&bridge).await;
    let mut abandoned = 0;
    while abandoned < 1_000 {
        let call = signed(&envelope("users.get_by_id", json!({"id": format!("u-{abandoned}")})));
        tokio::select! {
            // The connection is closed.
            response = client.status(&call) => {
                assert_eq!(response, None);
                break;
            }
            // The identity provider is called. Dropping the request resets its stream.
            permit = within(begun.acquire()) => permit.unwrap().forget(),
        }
        abandoned += 1;
    }
    assert!((100..300).contains(&abandoned), "{abandoned} calls were abandoned");
    assert_eq!(Client::open(&bridge).await.status(&health()).await, Some(200));
}

#[tokio::test]
async fn forced_resets_are_limited() {
    let bridge = clear_text(limits()).await;
    let mut raw = Raw::open(bridge.address, settings()).await;
    let overflow = 0x7fff_ffff_u32.to_be_bytes();
    let steps = flood(&mut raw, |step| {
        let overflow = Frame::new(WINDOW_UPDATE, 0, stream(step), overflow);
        vec![Frame::post(stream(step)), overflow.clone(), overflow]
    })
    .await;
    assert!(steps < MANY, "the connection is still open");
    assert_eq!(Client::open(&bridge).await.status(&health()).await, Some(200));
}

#[tokio::test]
async fn head_without_an_end_is_limited() {
    let bridge = clear_text(limits()).await;
    let mut raw = Raw::open(bridge.address, settings()).await;
    let field = [&[0x40, 1, b'x', 0x7f, 0xe1, 0x06][..], &[b'y'; 1000]].concat();
    let steps = flood(&mut raw, |step| match step {
        0 => vec![Frame { flags: 0, ..Frame::get(1, "/healthz") }],
        _ => vec![Frame::new(CONTINUATION, 0, 1, field.clone())],
    })
    .await;
    assert!(steps < 1_000, "{steps}");
    let mut raw = Raw::open(bridge.address, settings()).await;
    let empty = flood(&mut raw, |step| match step {
        0 => vec![Frame { flags: 0, ..Frame::get(1, "/healthz") }],
        _ => vec![Frame::new(CONTINUATION, 0, 1, [])],
    })
    .await;
    assert!(empty < MANY, "{empty}");
}

#[tokio::test]
async fn empty_data_frames_are_limited() {
    let bridge = clear_text(limits()).await;
    let mut raw = Raw::open(bridge.address, settings()).await;
    let steps = flood(&mut raw, |step| match step {
        0 => vec![Frame::post(1)],
        _ => (0..10).map(|_| Frame::new(DATA, 0, 1, [])).collect(),
    })
    .await;
    // The body has a time limit, after which the stream is reset and further frames are errors.
    assert!(steps < MANY, "the connection is still open");
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused() {
    let bridge = clear_text(limits()).await;
    let mut raw = Raw::open(bridge.address, settings()).await;
    raw.wait_for(SETTINGS).await;
    let posts: Vec<_> = (0..101).map(|number| Frame::post(stream(number))).collect();
    raw.send(&posts).await;
    let refused = raw.wait_for(RST_STREAM).await;
    assert_eq!((refused.stream, &refused.payload[..]), (stream(100), &7_u32.to_be_bytes()[..]), "REFUSED_STREAM");
}
