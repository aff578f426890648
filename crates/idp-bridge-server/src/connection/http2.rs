//! A connection with HTTP/2, under the limits of HTTP/1.1 and its own.
//!
//! The library limits frames, CONTINUATION frames, and streams that are reset before they are accepted or that the server
//! itself resets (CVE-2023-44487, CVE-2025-8671). This module limits the rest: idle time, incomplete heads, clients that
//! do not read, and streams that are reset while their requests run.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use idp_bridge_protocol::Code;
use tokio::io::{AsyncRead, AsyncWrite};

use super::activity::Activity;
use super::serving::{Accepted, HttpService, Serving};
use crate::error;
use crate::limits::{MAX_HEAD, MAX_HEADERS, MAX_STREAMS};
use crate::peer::Peer;
use crate::response::{self, Response};

/// The size of a stream's receive window in bytes. A body is at most half as long.
const STREAM_WINDOW: u32 = 32 * 1024;
/// The size of a connection's receive window in bytes, which limits the memory for unread bodies.
const CONNECTION_WINDOW: u32 = 128 * 1024;
/// The maximum number of bytes of a response that wait for the client's window.
const SEND_BUFFER: usize = 64 * 1024;
/// The maximum number of streams that the client resets before the server accepts them.
const MAX_EARLY_RESETS: usize = 20;
/// The maximum number of streams that the server resets because of the client's errors.
const MAX_ERROR_RESETS: usize = 100;

/// Serves the requests of a connection.
pub(super) async fn serve<S, IO>(accepted: Accepted<IO>, serving: Serving<S>)
where
    S: HttpService,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Accepted { io, activity, peer, .. } = accepted;
    let Serving { service, limits, phases } = serving;
    let service = {
        let (activity, peer) = (Arc::clone(&activity), Arc::clone(&peer));
        // Boxed, since the library copies the future of a stream.
        service_fn(move |request| Box::pin(watch_request(service.clone(), Arc::clone(&activity), &peer, request)))
    };
    let mut connection = pin!(builder().serve_connection(TokioIo::new(io), service));
    tokio::select! {
        ended = connection.as_mut() => return log_end(ended),
        () = activity.wait_for_reset_flood() => return log_flood(&peer),
        () = activity.wait_until_idle(&limits) => {}
        () = phases.retiring.cancelled() => {}
        () = phases.draining.cancelled() => {
            // Without a complete head there is no request to finish.
            if !activity.has_request() {
                return;
            }
        }
    }
    // The client gets a GOAWAY frame and opens no further streams.
    connection.as_mut().graceful_shutdown();
    let stuck = async {
        activity.wait_until_quiet().await;
        tokio::time::sleep(limits.write).await;
    };
    tokio::select! {
        ended = connection.as_mut() => log_end(ended),
        () = activity.wait_for_reset_flood() => log_flood(&peer),
        () = stuck => tracing::debug!("a client does not read its responses"),
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_EARLY_RESETS)
        .max_local_error_reset_streams(MAX_ERROR_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    builder
}

/// Calls the service. A request that the client resets is counted.
fn watch_request<S: HttpService>(
    service: S,
    activity: Arc<Activity>,
    peer: &Arc<Peer>,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response, Infallible>> + Send + use<S> {
    request.extensions_mut().insert(Arc::clone(peer));
    let running = activity.begin_request();
    async move {
        // As for HTTP/1.1, the response has no body.
        let response = if request.headers().len() > MAX_HEADERS {
            response::empty(error::status(Code::HeadersTooLarge))
        } else {
            service.handle(request).await
        };
        running.complete();
        Ok(response)
    }
}

fn log_end(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

fn log_flood(peer: &Peer) {
    tracing::warn!(peer = %peer.address.ip(), "a client reset too many requests: its connection is closed");
}
