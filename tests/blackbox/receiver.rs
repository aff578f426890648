//! A collector that decodes OTLP over HTTP or gRPC.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use rustls::{ServerConnection, StreamOwned};
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, ServerTlsConfig};

use crate::support::bridge::until;
use crate::tls::Pair;

/// The spans that a collector has received.
#[derive(Debug, Clone, Default)]
struct Received(Arc<Mutex<Vec<(String, ExportTraceServiceRequest)>>>);

/// A running collector.
#[derive(Debug)]
pub(crate) struct Receiver {
    url: String,
    received: Received,
    /// Runs the server of gRPC.
    _runtime: Option<Runtime>,
}

impl Receiver {
    /// Starts a collector for OTLP over HTTP, which answers with this status.
    pub(crate) fn over_http(status: u16) -> Self {
        Self::serve_http("http", move |stream, sink| sink.serve(stream, status))
    }

    /// Starts a collector for OTLP over HTTP and TLS.
    pub(crate) fn over_https(pair: &Pair) -> Self {
        let config = pair.to_server_config();
        Self::serve_http("https", move |stream, sink| {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            sink.serve(StreamOwned::new(session, stream), 200);
        })
    }

    fn serve_http(scheme: &str, serve: impl Fn(TcpStream, Received) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (url, received) = (url(scheme, listener.local_addr().unwrap()), Received::default());
        let sink = received.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sink, serve) = (sink.clone(), serve.clone());
                std::thread::spawn(move || serve(stream, sink));
            }
        });
        Self { url, received, _runtime: None }
    }

    /// Starts a collector for OTLP over gRPC, with TLS if it has a certificate.
    pub(crate) fn over_grpc(pair: Option<&Pair>) -> Self {
        let runtime = Runtime::new().unwrap();
        let received = Received::default();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let service = TraceServiceServer::new(received.clone());
        let mut server = tonic::transport::Server::builder();
        if let Some(pair) = pair {
            let identity = Identity::from_pem(&pair.certificate, &pair.key);
            server = server.tls_config(ServerTlsConfig::new().identity(identity)).unwrap();
        }
        runtime.spawn(server.add_service(service).serve_with_incoming(TcpIncoming::from(listener)));
        let url = url(if pair.is_some() { "https" } else { "http" }, address);
        Self { url, received, _runtime: Some(runtime) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Waits for the span with this name in a trace, and returns all spans of the trace.
    pub(crate) fn wait_for_trace(&self, trace_id: &str) -> Vec<Span> {
        let find = || {
            let spans: Vec<_> = self.spans().into_iter().filter(|span| hex(&span.trace_id) == trace_id).collect();
            Some(spans).filter(|spans| !spans.is_empty())
        };
        until(find).unwrap_or_else(|| panic!("no span of {trace_id}: {:?}", self.spans()))
    }

    /// Returns all spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let received = self.received.0.lock().unwrap();
        let scopes = received.iter().flat_map(|(_, request)| &request.resource_spans).flat_map(|one| &one.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// Returns the heads of the requests, or the metadata of gRPC, and all their strings.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.received.0.lock().unwrap().iter().map(|(head, request)| format!("{head}{request:?}")).collect()
    }
}

/// Returns the URL of an address of this host, by its name, which certificates have.
fn url(scheme: &str, address: SocketAddr) -> String {
    format!("{scheme}://localhost:{}", address.port())
}

impl Received {
    fn serve(&self, mut stream: impl Read + Write, status: u16) {
        let mut bytes = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            }
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let body = &bytes[end + 4..];
            if body.len() >= length.unwrap_or(0) {
                self.0.lock().unwrap().push((head, ExportTraceServiceRequest::decode(body).unwrap()));
                let answer = format!("HTTP/1.1 {status} Status\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
                bytes.clear();
            }
        }
    }
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let head = format!("{:?}", request.metadata());
        self.0.lock().unwrap().push((head, request.into_inner()));
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Returns an attribute of a span as text.
pub(crate) fn attribute(span: &Span, key: &str) -> Option<String> {
    let value = span.attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    Some(match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(flag) => flag.to_string(),
        other => panic!("{key} is {other:?}"),
    })
}

/// Formats an id.
pub(crate) fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
