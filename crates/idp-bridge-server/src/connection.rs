//! One HTTP/1.1 connection, with limits on time and size that a client cannot evade.

mod activity;
mod head_timer;

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use self::activity::{Activity, Watched};
use self::head_timer::HeadTimer;
use crate::limits::{MAX_HEAD, MAX_HEADERS, ServerLimits};
use crate::peer::Peer;
use crate::response::Response;

/// The time and the number of bytes for which a rejected request is still read, so that the client receives the response.
const LINGER: (Duration, usize) = (Duration::from_secs(1), 256 * 1024);

/// Serves a connection until either side closes it.
pub(crate) async fn serve<S>(
    stream: TcpStream,
    address: SocketAddr,
    service: S,
    (limits, draining): (ServerLimits, CancellationToken),
) where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Sync,
{
    // Responses are written whole, so Nagle's algorithm only delays them. A failure shows at the first read.
    let _ = stream.set_nodelay(true);
    let activity = Arc::new(Activity::default());
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&activity), limits.write));
    let builder = builder(&limits, &activity);
    let peer = Arc::new(Peer { address });
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&peer));
        Box::pin(watch_request(&service, &activity, request))
    });
    let mut connection = builder.serve_connection(io, service);
    let ended = tokio::select! {
        ended = poll_fn(|context| connection.poll_without_shutdown(context)) => ended,
        () = draining.cancelled() => {
            // Without a complete head there is no request to finish.
            if !activity.has_request() {
                return;
            }
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    match ended {
        Ok(()) if activity.was_rejected_early() => linger(connection.into_parts().io.into_inner()).await,
        Ok(()) => {}
        Err(error) => tracing::debug!(%error, "a connection ended"),
    }
}

fn builder(limits: &ServerLimits, activity: &Arc<Activity>) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(HeadTimer::new(limits, Arc::clone(activity)))
        .header_read_timeout(limits.head)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .max_buf_size(2 * MAX_HEAD);
    builder
}

/// Calls the service, and records whether it rejected a request with a body.
async fn watch_request<S>(service: &S, activity: &Activity, request: Request<Incoming>) -> Result<Response, Infallible>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
{
    activity.set_has_request();
    let has_body = !request.body().is_end_stream();
    let response = service.call(request).await?;
    if has_body && !response.status().is_success() {
        activity.set_rejected_early();
    }
    Ok(response)
}

/// Closes the sending side, and reads for a moment longer.
///
/// Closing a socket with unread bytes resets the connection, and the reset may overtake the response.
async fn linger(stream: Watched<TcpStream>) {
    let (time_limit, mut bytes_left) = LINGER;
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
    let _ = tokio::time::timeout(time_limit, read_on).await;
}
