//! CORS for pages of the tenant's origins.
//!
//! Credentials mode is never allowed, so that a page needs a token for each request.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::resource::Resource;
use crate::request;
use crate::response::{self, Response};
use crate::tenant::Tenant;

/// The time in seconds for which a browser caches a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, x-request-timeout-ms");
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static("retry-after, www-authenticate, x-request-id");

/// Returns the origin of a request if the tenant lists it byte for byte.
pub(super) fn allowed_origin(tenant: Option<&Tenant>, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = request::single_header(headers, &header::ORIGIN).ok()??;
    let listed = &tenant?.federation.as_ref()?.cors_origins;
    let is_listed = listed.iter().any(|own| own == origin);
    is_listed.then(|| HeaderValue::from_str(origin).ok())?
}

/// Sets the CORS headers of a response. Each response depends on the origin.
pub(super) fn set_headers(response: &mut Response, origin: Option<HeaderValue>) {
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
    }
}

/// Responds to a preflight request.
pub(super) fn preflight(resource: Resource, origin: Option<HeaderValue>) -> Response {
    let mut response = response::empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(resource.allow()));
    if origin.is_some() {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(resource.cors_methods()));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
    set_headers(&mut response, origin);
    response
}
