//! Which pages may read the answers: those of the tenant's origins, and their token only by a header of their own making.
//!
//! No cookie is ever allowed along, so that a page can do nothing that it has no token for.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::Resource;
use crate::request;
use crate::response::{self, Response};
use crate::tenant::Tenant;

/// How long a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, x-request-timeout-ms");
const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static("retry-after, www-authenticate, x-request-id");

/// The origin of the page that asks, if the tenant lists it byte for byte.
pub(super) fn origin(tenant: Option<&Tenant>, headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = request::only(headers, &header::ORIGIN).ok()??;
    let listed = &tenant?.federation.as_ref()?.cors_origins;
    let is_listed = listed.iter().any(|own| own == asked);
    is_listed.then(|| HeaderValue::from_str(asked).ok())?
}

/// Says who may read this answer, good or bad; that it depends on who asks is said to everybody.
pub(super) fn allow(response: &mut Response, origin: Option<HeaderValue>) {
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
    }
}

/// The answer to a browser that asks before it asks.
pub(super) fn preflight(resource: Resource, origin: Option<HeaderValue>) -> Response {
    let mut response = response::empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(resource.allow()));
    if origin.is_some() {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(resource.cors_methods()));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
    allow(&mut response, origin);
    response
}
