//! A connection with HTTP/1.1.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
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
fn watch_request<'a, S: HttpService>(
    service: &'a S,
    activity: &'a Activity,
    peer: &Arc<Peer>,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response, Infallible>> + Send + use<'a, S> {
    activity.set_has_request();
    request.extensions_mut().insert(Arc::clone(peer));
    let has_body = !request.body().is_end_stream();
    // No `async fn`, which would have space for the request twice: as an argument, and in the future of the service.
    service.handle(request).then(async move |response| {
        if has_body && !response.status().is_success() {
            activity.set_rejected_early();
        }
        yield_if_busy().await;
        Ok(response)
    })
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::pin::Pin;
    use std::sync::Mutex;
    use std::task::{Context, Waker};

    use tokio::io::{DuplexStream, ReadBuf};
    use tokio::task::JoinSet;

    use super::super::serving::Phases;
    use super::*;
    use crate::peer::ClientCertificate;
    use crate::response::{self, JSON};

    /// Counts the clients that have a response when a request is handled.
    #[derive(Clone, Default)]
    struct Counting {
        clients: Arc<Mutex<Vec<DuplexStream>>>,
        counts: Arc<Mutex<Vec<usize>>>,
    }

    impl HttpService for Counting {
        async fn handle(&self, _: Request<Incoming>) -> Response {
            let mut clients = self.clients.lock().unwrap();
            let answered = clients.iter_mut().map(has_response).filter(|has_response| *has_response).count();
            self.counts.lock().unwrap().push(answered);
            response::new("{}", JSON)
        }
    }

    /// Reads a byte if there is one.
    fn has_response(client: &mut DuplexStream) -> bool {
        let mut byte = [0];
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(client).poll_read(&mut context, &mut ReadBuf::new(&mut byte)).is_ready()
    }

    #[tokio::test]
    async fn responses_that_are_ready_together_are_written_together() {
        let (service, limits) = (Counting::default(), Arc::new(ServerLimits::default()));
        let address: SocketAddr = "192.0.2.1:1".parse().unwrap();
        let peer = Arc::new(Peer { address, certificate: ClientCertificate::NotRequested });
        let mut connections = JoinSet::new();
        for _ in 0..3 {
            let (mut client, stream) = tokio::io::duplex(4096);
            client.write_all(b"GET / HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\n\r\n").await.unwrap();
            service.clients.lock().unwrap().push(client);
            let activity = Arc::new(Activity::default());
            let io = Watched::new(stream, Arc::clone(&activity), limits.write);
            let accepted = Accepted { io, activity, peer: Arc::clone(&peer), is_http2: false };
            let serving = Serving { service: service.clone(), limits: Arc::clone(&limits), phases: Phases::default() };
            connections.spawn(serve(accepted, serving));
        }
        connections.join_all().await;
        assert_eq!(*service.counts.lock().unwrap(), [0, 0, 0]);
        assert!(service.clients.lock().unwrap().iter_mut().all(has_response));
    }
}
