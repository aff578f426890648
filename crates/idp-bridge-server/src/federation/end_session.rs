//! The end of a login, in the browser: it goes to the identity provider, whose cookie the bridge cannot see, and back to
//! one of the addresses that the operator wrote down, byte for byte.
//!
//! Nothing is revoked here. A request that is not right gets a page and goes nowhere.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use idp_bridge_core::{EndSession, Error, ErrorKind, Result, Secret};
use idp_bridge_protocol::Code;

use super::federated::Federated;
use super::form::Fields;
use super::{Asked, Refused, form};
use crate::dispatch::in_time;
use crate::docs;
use crate::docs::html::{escape, rich};
use crate::error::Refusal;
use crate::log::Line;
use crate::response::{self, Response};
use crate::server::Bridge;
use crate::tenant::Tenant;

/// The most bytes of an application's state.
const MAX_STATE: usize = 512;

/// What the browser brings.
struct Brought {
    client_id: String,
    post_logout_redirect_uri: String,
    id_token_hint: Option<Secret>,
    state: Option<String>,
}

/// Answers `GET …/logout`.
pub(super) async fn answer(asked: Asked<'_>) -> Response {
    let Asked { bridge, tenant, head, mut line, .. } = asked;
    line.call("end_session");
    match lead(bridge, tenant.as_ref(), head, &mut line).await {
        Ok(response) => {
            line.answered(response.status());
            response
        }
        Err(Refused { refusal, cause }) => {
            let response = page(&refusal, line.request_id());
            line.refused(&refusal, cause.as_deref());
            response
        }
    }
}

async fn lead(
    bridge: &Arc<Bridge>,
    tenant: Option<&Arc<Tenant>>,
    head: &Parts,
    line: &mut Line,
) -> Result<Response, Refused> {
    let brought = read(head)?;
    // A tenant that does not exist has no clients, and is answered like one that has others.
    let federated = Federated::of(bridge, tenant).filter(|of| of.rules.clients.contains(&brought.client_id));
    let federated = federated.ok_or_else(|| refuse("`client_id` is not one of this tenant's applications"))?;
    let is_known = federated.rules.post_logout_redirect_uris.contains(&brought.post_logout_redirect_uri);
    if !is_known {
        return Err(
            refuse("`post_logout_redirect_uri` is not one of those that the tenant's operator has listed").into()
        );
    }
    let scope = federated.begin(line, Tenant::MAX_DEADLINE);
    let end = EndSession {
        client_id: &brought.client_id,
        post_logout_redirect_uri: &brought.post_logout_redirect_uri,
        id_token_hint: brought.id_token_hint.as_ref(),
        state: brought.state.as_deref(),
    };
    let url = in_time(&scope, federated.idp.end_session_url(&scope, &end)).await?;
    let location = HeaderValue::try_from(url).map_err(|error| {
        Error::ours(ErrorKind::Unexpected, "the connector gave an address that is none").with_source(error)
    })?;
    let mut response = response::empty(StatusCode::SEE_OTHER);
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

fn read(head: &Parts) -> Result<Brought, Refusal> {
    let names = ["client_id", "post_logout_redirect_uri", "id_token_hint", "state"];
    let [client_id, uri, hint, state] = Fields::of_query(head)?.take(names);
    let state = state.filter(|state| !state.is_empty());
    if state.as_ref().is_some_and(|state| state.len() > MAX_STATE) {
        return Err(refuse("`state` is longer than 512 bytes"));
    }
    Ok(Brought {
        client_id: client_id.ok_or_else(|| refuse("`client_id` is missing"))?,
        post_logout_redirect_uri: uri.ok_or_else(|| refuse("`post_logout_redirect_uri` is missing"))?,
        id_token_hint: hint.map(|hint| form::token("id_token_hint", hint)).transpose()?,
        state,
    })
}

fn refuse(detail: &'static str) -> Refusal {
    Refusal::new(Code::InvalidRequest).with_detail(detail)
}

/// A refusal for a person to read. It shows nothing that the request brought.
fn page(refusal: &Refusal, request_id: &str) -> Response {
    const TITLE: &str = "You are not logged out";
    let body = format!(
        "<header><h1>{}</h1></header>\n<p>The page that sent you here asked for something that cannot be done.</p>\n\
         <p>{}.</p>{}\n<p class=\"note\">Request {}</p>\n",
        escape(TITLE),
        escape(refusal.code().title()),
        rich(refusal.detail().unwrap_or_default()),
        escape(request_id),
    );
    let mut response = refusal.clone().into_response(request_id);
    docs::make_page(&mut response, TITLE, &body);
    response
}
