//! A relay in front of an identity provider that records requests and responses, to explain a failed case.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::Request;

use crate::TestResult;
use crate::proxy::{Proxy, UpstreamResponse};

/// A request and its response, without headers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path and the query, not decoded.
    pub target: String,
    /// The body of the request.
    pub request_body: String,
    /// The status.
    pub status: u16,
    /// The body of the response.
    pub body: String,
}

/// The exchanges of several relays, in the order of their responses. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Recording(Arc<Mutex<Vec<Recorded>>>);

impl Recording {
    /// Returns the exchanges since the last call of this method.
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn add(&self, request: &Request<Bytes>, response: &UpstreamResponse) {
        let text = |body: &Bytes| String::from_utf8_lossy(body).into_owned();
        let exchange = Recorded {
            method: request.method().to_string(),
            target: request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            request_body: text(request.body()),
            status: response.status().as_u16(),
            body: text(response.body()),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
    }
}

/// Several origins at one address, so that the suite's proxy sees the requests to all of them. It stops when it is dropped.
///
/// The first segment of a path is the position of the origin, from 0.
pub struct CommonAddress(Proxy);

impl CommonAddress {
    /// Starts a relay to the hosts of these base URLs.
    pub async fn start(origins: &[String]) -> TestResult<Self> {
        Ok(Self(Proxy::start_all(origins).await?))
    }

    /// Returns the base URL of the relay.
    pub fn base_url(&self) -> String {
        self.0.base_url()
    }
}

/// A relay to one origin. It stops when it is dropped.
pub struct RecordingRelay(Proxy);

impl RecordingRelay {
    /// Starts a relay to this base URL.
    pub async fn start(upstream: &str, recording: &Recording) -> TestResult<Self> {
        let proxy = Proxy::start(upstream).await?;
        proxy.record_to(recording.clone());
        Ok(Self(proxy))
    }

    /// Returns the base URL of the relay, with the path of the upstream's.
    pub fn base_url(&self) -> String {
        self.0.base_url()
    }
}
