//! One attempt of a request, written for the protocol of its connection.

use bytes::Bytes;
use http::header::{ACCEPT, HOST, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use http_body_util::Full;

use crate::connector::Proxy;
use crate::request::Request;

/// The header with the trace of a request.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const OWN_NAME: HeaderValue = HeaderValue::from_static(concat!("idp-bridge/", env!("CARGO_PKG_VERSION")));
const ANY: HeaderValue = HeaderValue::from_static("*/*");
/// The number of headers that an attempt adds to those of the request.
const ADDED_HEADERS: usize = 6;

/// One attempt of a request.
pub(crate) struct Outgoing<'a> {
    /// The request.
    pub(crate) request: &'a Request,
    /// The body of this attempt.
    pub(crate) body: Bytes,
    /// The trace of this attempt.
    pub(crate) traceparent: Option<HeaderValue>,
}

impl Outgoing<'_> {
    /// Writes the attempt for HTTP/1.1. A proxy gets the whole URL of an `http` request.
    pub(crate) fn to_http1(&self, proxy: Option<&Proxy>) -> Result<http::Request<Full<Bytes>>, http::Error> {
        let url = &self.request.parts.url;
        let proxy = proxy.filter(|_| url.base().scheme() == "http");
        let uri = if proxy.is_some() { url.to_uri()? } else { Uri::try_from(url.target())? };
        let mut headers = HeaderMap::with_capacity(self.request.parts.headers.len() + ADDED_HEADERS);
        headers.insert(HOST, HeaderValue::try_from(url.authority())?);
        if let Some(authorization) = proxy.and_then(|proxy| proxy.authorization.clone()) {
            headers.insert(PROXY_AUTHORIZATION, authorization);
        }
        self.build(uri, headers)
    }

    /// Writes the attempt for HTTP/2.
    pub(crate) fn to_http2(&self) -> Result<http::Request<Full<Bytes>>, http::Error> {
        let headers = HeaderMap::with_capacity(self.request.parts.headers.len() + ADDED_HEADERS);
        self.build(self.request.parts.url.to_uri()?, headers)
    }

    fn build(&self, uri: Uri, mut headers: HeaderMap) -> Result<http::Request<Full<Bytes>>, http::Error> {
        headers.insert(USER_AGENT, OWN_NAME);
        headers.insert(ACCEPT, ANY);
        for (name, value) in &self.request.parts.headers {
            headers.insert(name, value.clone());
        }
        if let Some(traceparent) = &self.traceparent {
            headers.insert(TRACEPARENT, traceparent.clone());
        }
        let mut request = http::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.request.parts.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}
