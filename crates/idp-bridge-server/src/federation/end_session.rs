//! Logouts in the browser, which is redirected to the identity provider and back to a configured address.
//!
//! No token is revoked here. An invalid request gets an error page without a redirect.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use idp_bridge_core::{EndSession, Error, ErrorKind, Result, Secret};
use idp_bridge_protocol::Code;

use super::context::FederationRequest;
use super::federated::Federated;
use crate::dispatch::with_deadline;
use crate::error::{Refusal, Rejection};
use crate::form::{self, Fields};
use crate::html::{self, escape, rich_text};
use crate::log::RequestLog;
use crate::response::{self, Response};
use crate::state::ServerState;
use crate::tenant::Tenant;

/// The maximum length of an application's state in bytes.
const MAX_STATE: usize = 512;

/// The title of the error page.
const TITLE: &str = "You are not logged out";

/// The parameters of a logout in the browser.
struct EndSessionRequest {
    client_id: String,
    post_logout_redirect_uri: String,
    id_token_hint: Option<Secret>,
    state: Option<String>,
}

/// Handles `GET …/logout`.
pub(super) async fn handle(request: FederationRequest<'_>) -> Response {
    let FederationRequest { state, tenant, head, mut log, .. } = request;
    log.set_call("end_session");
    match redirect(state, tenant.as_ref(), head, &mut log).await {
        Ok(response) => {
            log.write_status(response.status());
            response
        }
        Err(rejection) => {
            let page = error_page(&rejection.refusal, log.request_id());
            let mut response = log.reject(rejection);
            html::replace_body(&mut response, TITLE, &page, &html::PLAIN);
            response
        }
    }
}

async fn redirect(
    state: &Arc<ServerState>,
    tenant: Option<&Arc<Tenant>>,
    head: &Parts,
    log: &mut RequestLog,
) -> Result<Response, Rejection> {
    let request = parse(head)?;
    // A tenant that does not exist gets the response of a tenant with other clients.
    let federated =
        Federated::new(state, tenant).filter(|federated| federated.rules.clients.contains(&request.client_id));
    let federated = federated.ok_or_else(|| invalid("`client_id` is not one of this tenant's applications"))?;
    if !federated.rules.post_logout_redirect_uris.contains(&request.post_logout_redirect_uri) {
        let detail = "`post_logout_redirect_uri` is not one of those that the tenant's operator has listed";
        return Err(invalid(detail).into());
    }
    let scope = federated.start_call(log, Tenant::MAX_DEADLINE);
    let end = EndSession {
        client_id: &request.client_id,
        post_logout_redirect_uri: &request.post_logout_redirect_uri,
        id_token_hint: request.id_token_hint.as_ref(),
        state: request.state.as_deref(),
    };
    let url = with_deadline(&scope, federated.idp.end_session_url(&scope, &end)).await?;
    let location = HeaderValue::try_from(url).map_err(|error| {
        Error::ours(ErrorKind::Unexpected, "the connector returned an invalid address").with_source(error)
    })?;
    let mut response = response::empty(StatusCode::SEE_OTHER);
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

fn parse(head: &Parts) -> Result<EndSessionRequest, Refusal> {
    let names = ["client_id", "post_logout_redirect_uri", "id_token_hint", "state"];
    let [client_id, uri, hint, state] = Fields::parse_query(head)?.take(names);
    let state = state.filter(|state| !state.is_empty());
    if state.as_ref().is_some_and(|state| state.len() > MAX_STATE) {
        return Err(invalid("`state` is longer than 512 bytes"));
    }
    Ok(EndSessionRequest {
        client_id: client_id.ok_or_else(|| invalid("`client_id` is missing"))?,
        post_logout_redirect_uri: uri.ok_or_else(|| invalid("`post_logout_redirect_uri` is missing"))?,
        id_token_hint: hint.map(|hint| form::parse_token("id_token_hint", hint)).transpose()?,
        state,
    })
}

fn invalid(detail: &'static str) -> Refusal {
    Refusal::new(Code::InvalidRequest).with_detail(detail)
}

/// Builds the body of an error page, which contains no part of the request.
fn error_page(refusal: &Refusal, request_id: &str) -> String {
    format!(
        "<header><h1>{}</h1></header>\n<p>The page that sent you here made a request that failed.</p>\n\
         <p>{}.</p>{}\n<p class=\"note\">Request {}</p>\n",
        escape(TITLE),
        escape(refusal.code().title()),
        rich_text(refusal.detail().unwrap_or_default()),
        escape(request_id),
    )
}
