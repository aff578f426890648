//! A connection with HTTP/1.1.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use idp_bridge_http::yield_if_busy;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::activity::Activity;
use super::head_timer::HeadTimer;
use super::serving::{Accepted, HttpService, Serving};
use super::watched::Watched;
use crate::limits::{MAX_HEAD, MAX_HEADERS, ServerLimits};
use crate::peer::Peer;
use crate::response::Response;

/// The time for which a closed connection is still read.
const LINGER: Duration = Duration::from_secs(1);

/// The number of bytes up to which a rejected request is still read, so that the client receives the response.
const LINGER_BYTES: usize = 256 * 1024;

/// Serves the requests of a connection, one after the other.
pub(super) async fn serve<S, IO>(accepted: Accepted<IO>, serving: Serving<S>)
where
    S: HttpService,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Accepted { io, activity, peer, .. } = accepted;
    let Serving { service, limits, phases } = serving;
    let builder = builder(&limits, &activity);
    let service = service_fn(|request| Box::pin(watch_request(&service, &activity, &peer, request)));
    let mut connection = builder.serve_connection(TokioIo::new(io), service);
    let ended = tokio::select! {
        ended = poll_fn(|context| connection.poll_without_shutdown(context)) => ended,
        () = phases.draining.cancelled() => {
            // Without a complete head there is no request to finish.
            if !activity.has_request() {
                return;
            }
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    let bytes_left = if ended.is_ok() && activity.was_rejected_early() { LINGER_BYTES } else { 0 };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
    close(connection.into_parts().io.into_inner(), bytes_left).await;
}

fn builder(limits: &ServerLimits, activity: &Arc<Activity>) -> Builder {
    let mut builder = Builder::new();
    builder
        .timer(HeadTimer::new(limits, Arc::clone(activity)))
        .header_read_timeout(limits.head)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .max_buf_size(2 * MAX_HEAD);
    builder
}

/// Calls the service, and records whether it rejected a request with a body.
async fn watch_request<S: HttpService>(
    service: &S,
    activity: &Activity,
    peer: &Arc<Peer>,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    activity.set_has_request();
    request.extensions_mut().insert(Arc::clone(peer));
    let has_body = !request.body().is_end_stream();
    let response = service.handle(request).await;
    if has_body && !response.status().is_success() {
        activity.set_rejected_early();
    }
    yield_if_busy().await;
    Ok(response)
}

/// Closes the sending side, and reads up to `bytes_left` bytes for a moment longer.
///
/// Closing a socket with unread bytes resets the connection, and the reset may overtake the response.
async fn close<IO: AsyncRead + AsyncWrite + Unpin>(stream: Watched<IO>, mut bytes_left: usize) {
    let mut stream = pin!(stream);
    let read_on = async {
        stream.shutdown().await?;
        let mut scratch = [0; 4096];
        while bytes_left > 0 {
            match stream.read(&mut scratch).await? {
                0 => break,
                read => bytes_left = bytes_left.saturating_sub(read),
            }
        }
        std::io::Result::Ok(())
    };
    // The connection closes in either case.
    let _ = tokio::time::timeout(LINGER, read_on).await;
}
