//! The OAuth side of a tenant: which customer a token's user belongs to, and how a login ends.
//!
//! A tenant that does not exist is answered like one whose OAuth side is off.

mod backchannel;
mod bearer;
mod buckets;
mod cors;
mod customer;
mod end_session;
mod federated;
mod form;
mod front;
mod logout;
mod metadata;
mod userinfo;

use std::sync::Arc;

use http::Method;
use http::request::Parts;
use hyper::body::Incoming;
use idp_bridge_core::{Error, ErrorKind, Outcome, TenantId};
use idp_bridge_protocol::Code;

use crate::error::Refusal;
use crate::log::{Line, Surface};
use crate::request;
use crate::response::Response;
use crate::server::Bridge;
use crate::tenant::Tenant;

use form::FormBody;

pub(crate) use front::Front;
pub(crate) use metadata::FederationAnswer;
pub(crate) use userinfo::UserInfo;

/// What a path of the OAuth side names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `userinfo`
    Userinfo,
    /// `logout`
    Logout,
    /// `backchannel-logout`
    BackchannelLogout,
    /// `federation`
    Metadata,
}

impl Resource {
    /// What the rest of a path, after the tenant and its slash, names.
    pub(crate) fn find(rest: &str) -> Option<Self> {
        match rest {
            "userinfo" => Some(Self::Userinfo),
            "logout" => Some(Self::Logout),
            "backchannel-logout" => Some(Self::BackchannelLogout),
            "federation" => Some(Self::Metadata),
            _ => None,
        }
    }

    /// The methods that it takes, as the `allow` header lists them.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Userinfo | Self::Logout => "GET, POST, OPTIONS",
            Self::BackchannelLogout => "POST",
            Self::Metadata => "GET",
        }
    }

    /// The methods that pages of other origins may use.
    fn cors_methods(self) -> &'static str {
        match self {
            Self::Userinfo => "GET, POST",
            // The browser itself goes to the other one.
            Self::Logout => "POST",
            Self::BackchannelLogout | Self::Metadata => "",
        }
    }

    fn surface(self) -> Surface {
        match self {
            Self::Userinfo => Surface::Userinfo,
            Self::Logout => Surface::Logout,
            Self::BackchannelLogout => Surface::BackchannelLogout,
            Self::Metadata => Surface::Federation,
        }
    }
}

/// A request of the OAuth side, of whose tenant nothing is known yet.
struct Asked<'a> {
    bridge: &'a Arc<Bridge>,
    tenant: Option<Arc<Tenant>>,
    head: &'a Parts,
    body: FormBody,
    line: Line,
}

/// Answers a request of the OAuth side.
pub(crate) async fn answer(
    bridge: &Arc<Bridge>,
    request_id: Arc<str>,
    (id, resource, draining): (TenantId, Resource, bool),
    (head, body): (&Parts, Incoming),
) -> Response {
    let tenant = bridge.tenants.get(&id);
    let origin = cors::origin(tenant.as_deref(), &head.headers);
    if head.method == Method::OPTIONS {
        return cors::preflight(resource, origin);
    }
    let mut response = if draining {
        Refusal::new(Code::ShuttingDown).into_response(&request_id)
    } else {
        let deadline = bridge.deadline_of(&id, tenant.as_deref());
        let body = FormBody { body, timeout: request::body_timeout(&head.headers, deadline, &bridge.limits) };
        let line = Line::new(request_id, resource.surface(), id);
        let asked = Asked { bridge, tenant, head, body, line };
        match resource {
            Resource::Userinfo => userinfo::answer(asked).await,
            Resource::Logout if head.method == Method::GET => end_session::answer(asked).await,
            Resource::Logout => logout::answer(asked).await,
            Resource::BackchannelLogout => backchannel::answer(asked).await,
            Resource::Metadata => metadata::answer(asked).await,
        }
    };
    if resource.cors_methods().split(", ").any(|method| method == head.method.as_str()) {
        cors::allow(&mut response, origin);
    }
    response
}

/// Why a request is refused: what its caller gets, and the cause for the log.
struct Refused {
    refusal: Refusal,
    cause: Option<Arc<Error>>,
}

/// A failure of a request that several callers waited for.
#[derive(Debug, Clone)]
struct SharedFailure {
    error: Arc<Error>,
    outcome: Outcome,
}

impl SharedFailure {
    /// The failure of a caller whose deadline came before the request ended.
    fn late(outcome: Outcome) -> Self {
        let error = Error::ours(ErrorKind::Timeout, "the identity provider did not answer in time");
        Self { error: error.into(), outcome }
    }

    /// The failure of a request that panicked.
    fn broken() -> Self {
        let error = Error::ours(ErrorKind::Unexpected, "the request broke off");
        Self { error: error.into(), outcome: Outcome::Unknown }
    }
}

impl From<Error> for SharedFailure {
    fn from(error: Error) -> Self {
        Self { error: error.into(), outcome: Outcome::NotApplied }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, cause: None }
    }
}

impl From<SharedFailure> for Refused {
    fn from(failure: SharedFailure) -> Self {
        Self { refusal: Refusal::from_error(&failure.error, failure.outcome), cause: Some(failure.error) }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        SharedFailure::from(error).into()
    }
}

/// The answer, with its line in the log.
fn conclude(line: Line, answered: Result<Response, Refused>) -> Response {
    match answered {
        Ok(response) => {
            line.answered(response.status());
            response
        }
        Err(Refused { refusal, cause }) => {
            let response = refusal.clone().into_response(line.request_id());
            line.refused(&refusal, cause.as_deref());
            response
        }
    }
}
