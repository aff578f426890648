//! Passes each request to the handler of its route.

use std::sync::Arc;

use futures_util::FutureExt as _;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Version, header};
use hyper::body::Incoming;
use idp_bridge_protocol::Code;

use crate::catch_panic::{Panic, catch_panic};
use crate::connection::HttpService;
use crate::error::Refusal;
use crate::limits::MAX_URI;
use crate::origin::RequestOrigin;
use crate::peer::Peer;
use crate::request::TenantRequest;
use crate::response::Response;
use crate::route::{Page, Route};
use crate::state::ServerState;
use crate::{docs, federation, health, openapi, operator, rest, verify_email, webhook};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The service of a connection.
#[derive(Clone)]
pub(crate) struct Router {
    state: Arc<ServerState>,
    /// Whether only the pages of [`Page::PROBES`] and those for operators are served.
    probes_only: bool,
}

impl Router {
    /// Creates a router for all routes.
    pub(crate) fn new(state: Arc<ServerState>) -> Self {
        Self { state, probes_only: false }
    }

    /// Creates a router for the pages of [`Page::PROBES`] and those for operators.
    pub(crate) fn for_probes(state: Arc<ServerState>) -> Self {
        Self { state, probes_only: true }
    }
}

impl HttpService for Router {
    /// Handles a request, also if a handler panics.
    fn handle(&self, request: Request<Incoming>) -> impl Future<Output = Response> + Send {
        let is_http1 = request.version() <= Version::HTTP_11;
        let request_id: Arc<str> = self.state.key.next_request_id().into();
        let id = Arc::clone(&request_id);
        let (head, body) = request.into_parts();
        let routed = catch_panic(async move { route(self, id, &head, body).await });
        routed.map(move |routed| respond(&self.state, &request_id, is_http1, routed))
    }
}

/// Turns the result of a route into a response with the request id.
fn respond(
    state: &ServerState,
    request_id: &str,
    is_http1: bool,
    routed: Result<Result<Response, Refusal>, Panic>,
) -> Response {
    let mut response = match routed {
        Ok(Ok(response)) => response,
        Ok(Err(refusal)) => refusal.into_response(request_id),
        Err(_) => {
            tracing::error!(request.id = %request_id, "a request made the server panic");
            Refusal::new(Code::Internal).into_response(request_id)
        }
    };
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if !is_http1 {
        // The header is not allowed in HTTP/2, which has a frame for this.
        response.headers_mut().remove(header::CONNECTION);
    } else if state.is_stopping() {
        // Otherwise the drain could close an idle connection at the moment when its client sends the next call.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn route(router: &Router, request_id: Arc<str>, head: &Parts, body: Incoming) -> Result<Response, Refusal> {
    let state = &router.state;
    if let Some(resource) = operator::Resource::parse(head.uri.path()).filter(|_| router.probes_only) {
        return operator::handle(state, resource, head, body).await;
    }
    let route = find_route(head)?;
    let origin = RequestOrigin::new(request_id, head, route.template());
    let to_tenant = |tenant| TenantRequest { origin, tenant, head, body };
    // Two futures are boxed, since they are larger than that of a call, which would be copied with space for them.
    match route {
        route if router.probes_only && !route.is_probe() => Err(Refusal::new(Code::RouteNotFound)),
        Route::Page(Page::Health) => Ok(health::live()),
        Route::Page(Page::Ready) => health::ready(state, head.uri.query() == Some("verbose")),
        Route::Page(Page::OpenApi) => Ok(openapi::document()),
        Route::Page(Page::Docs) => Ok(docs::page()),
        // Refuses requests itself while the server drains: pages of other origins must be able to read the refusal.
        Route::Federation(tenant, resource) => {
            Ok(Box::pin(federation::handle(state, to_tenant(tenant), resource)).await)
        }
        // A page, also while the server drains.
        Route::VerifyEmail(tenant) => Ok(Box::pin(verify_email::handle(state, to_tenant(tenant))).await),
        _ if state.is_draining() => Err(Refusal::new(Code::ShuttingDown)),
        Route::Webhook(tenant) => {
            require_certificate(head)?;
            Ok(webhook::handle(state, to_tenant(tenant)).await)
        }
        Route::Rest(tenant, resource) => {
            require_certificate(head)?;
            Ok(rest::handle(state, to_tenant(tenant), resource).await)
        }
    }
}

/// Fails if callers need a client certificate, and the connection has none. Applications of the OAuth routes need none.
fn require_certificate(head: &Parts) -> Result<(), Refusal> {
    Peer::from_extensions(&head.extensions).map_or(Ok(()), Peer::require_certificate)
}

/// Returns the route of a request if its path, length and method are valid.
fn find_route(head: &Parts) -> Result<Route<'_>, Refusal> {
    let route = Route::parse(head.uri.path());
    let max = route.as_ref().map_or(MAX_URI, |route| route.max_uri(&head.method));
    if head.uri.path_and_query().is_some_and(|path| path.as_str().len() > max) {
        return Err(Refusal::new(Code::UriTooLong));
    }
    let route = route.ok_or(Refusal::new(Code::RouteNotFound))?;
    if route.allows(&head.method) { Ok(route) } else { Err(Refusal::method_not_allowed(route.allow())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, F>(_: fn(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn future_of_a_request_is_small() {
        // Each request copies it into a box.
        let size = size_of_future(|(router, request): (&'static Router, Request<Incoming>)| router.handle(request));
        assert!(size < 2048, "{size} bytes");
    }
}
