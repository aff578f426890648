//! One connection: HTTP/1.1 under limits that no caller can talk its way around.

mod activity;
mod head_timer;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use self::activity::{Activity, Watched};
use self::head_timer::HeadTimer;
use crate::limits::{MAX_HEAD, MAX_HEADERS, ServerLimits};
use crate::response::Response;
use crate::server::Bridge;

/// How long, and for how many bytes, a refused caller is listened to, so that it gets to read the refusal.
const LINGER: (Duration, usize) = (Duration::from_secs(1), 256 * 1024);

type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// Serves a connection until either side ends it.
pub(crate) async fn serve(stream: TcpStream, bridge: Arc<Bridge>, draining: CancellationToken) {
    // Answers are written whole, so there is nothing to wait for. A failure shows at the first read.
    let _ = stream.set_nodelay(true);
    let activity = Arc::new(Activity::default());
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&activity), bridge.limits.write));
    let builder = builder(&bridge.limits, &activity);
    let service = {
        let activity = Arc::clone(&activity);
        service_fn(move |request| answer(Arc::clone(&bridge), Arc::clone(&activity), request))
    };
    let mut connection = builder.serve_connection(io, service);
    let ended = tokio::select! {
        ended = poll_fn(|context| connection.poll_without_shutdown(context)) => ended,
        () = draining.cancelled() => {
            // Whoever has not even sent a head is owed nothing.
            if !activity.was_asked() {
                return;
            }
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    match ended {
        Ok(()) if activity.was_refused_early() => linger(connection.into_parts().io.into_inner()).await,
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

fn answer(bridge: Arc<Bridge>, activity: Arc<Activity>, request: Request<Incoming>) -> Answering {
    activity.asked();
    let has_body = !request.body().is_end_stream();
    Box::pin(async move {
        let response = bridge.answer(request).await;
        if has_body && !response.status().is_success() {
            activity.refused_early();
        }
        Ok(response)
    })
}

/// Closes our side, and reads on for a moment. To close with unread bytes in the queue would reset the connection, and
/// the reset may overtake the answer that says why.
async fn linger(stream: Watched<TcpStream>) {
    let (longest, mut left) = LINGER;
    let mut stream = pin!(stream);
    let read_on = async {
        stream.shutdown().await?;
        let mut scratch = [0; 4096];
        while left > 0 {
            match stream.read(&mut scratch).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        std::io::Result::Ok(())
    };
    // Either way the connection ends now.
    let _ = tokio::time::timeout(longest, read_on).await;
}
