//! The connection to the collector.

use std::path::Path;
use std::time::Duration;

use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig};
use opentelemetry_otlp::{
    ExporterBuildError, SpanExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::config::{MAX_FILE, Problem, TraceProtocol, Traces, read_text};

/// The time limit for a request to the collector, with its retries.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The exporter of the chosen protocol.
pub(super) type Collector = SpanExporter;

/// Creates the exporter. Fails if headers or certificate authorities are invalid.
pub(super) fn connect(settings: &Traces) -> Result<Collector, Problem> {
    let headers = settings.parse_headers().map_err(|message| {
        let problem = Problem::new(format!("the headers of `traces` cannot be used: {message}"));
        problem.with_hint("write one header in each line: `authorization: Bearer …`")
    })?;
    let ca_pem = settings.ca_file.as_deref().map(read_ca).transpose()?;
    match settings.protocol {
        TraceProtocol::Http => over_http(settings, headers, ca_pem),
        TraceProtocol::Grpc => over_grpc(settings, headers, ca_pem),
    }
}

fn build_problem(error: ExporterBuildError) -> Problem {
    Problem::new(format!("traces cannot be exported: {error}"))
}

fn read_ca(path: &Path) -> Result<String, Problem> {
    read_text(path, MAX_FILE).map_err(|error| {
        let problem = Problem::new(format!("`traces.ca_file` cannot be read: {error}")).in_file(path);
        problem.with_hint("check the path and its permissions")
    })
}

fn over_http(settings: &Traces, headers: Vec<(String, String)>, ca_pem: Option<String>) -> Result<Collector, Problem> {
    let client = http_client(ca_pem.as_deref())?;
    let exporter =
        SpanExporter::builder().with_http().with_http_client(client).with_headers(headers.into_iter().collect());
    exporter.with_endpoint(settings.url()).with_timeout(TIME_LIMIT).build().map_err(build_problem)
}

/// Creates the client in a thread of its own, since a blocking client has a runtime of its own.
fn http_client(ca_pem: Option<&str>) -> Result<reqwest::blocking::Client, Problem> {
    let unusable = |error: String| Problem::new(format!("the client for traces cannot be created: {error}"));
    let mut builder =
        reqwest::blocking::Client::builder().timeout(TIME_LIMIT).no_proxy().redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = ca_pem {
        let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes());
        let certificates = certificates.map_err(|error| unusable(format!("`traces.ca_file`: {error}")))?;
        builder = builder.tls_certs_only(certificates);
    }
    std::thread::scope(|scope| scope.spawn(|| builder.build()).join())
        .map_err(|_| unusable("its thread panicked".to_owned()))?
        .map_err(|error| unusable(error.to_string()))
}

fn over_grpc(settings: &Traces, headers: Vec<(String, String)>, ca_pem: Option<String>) -> Result<Collector, Problem> {
    let headers: HeaderMap = headers
        .into_iter()
        .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?)))
        .collect();
    let mut exporter = SpanExporter::builder().with_tonic().with_metadata(MetadataMap::from_headers(headers));
    let url = settings.url();
    if url.scheme() == "https" {
        let tls = ClientTlsConfig::new();
        exporter = exporter.with_tls_config(match ca_pem {
            Some(pem) => tls.ca_certificate(Certificate::from_pem(pem)),
            None => tls.with_enabled_roots(),
        });
    }
    exporter.with_endpoint(url).with_timeout(TIME_LIMIT).build().map_err(build_problem)
}
