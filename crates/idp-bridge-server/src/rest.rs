//! REST: the same calls for callers with a bearer token instead of a signature.

mod access_token;
mod caller;
mod trivial;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, header};
use http_body::Body as _;
use hyper::body::Incoming;
use idp_bridge_core::{Call, CallKind, CallScope, CustomerId, Email, InvalidValue, TenantId, UserId};
use idp_bridge_protocol::{Code, parse_object};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::calls::Admitted;
use crate::error::Refusal;
use crate::idempotency::Key;
use crate::log::{Line, Surface};
use crate::request;
use crate::response::Response;
use crate::server::Bridge;
use crate::tenant::{Scope, Tenant};
use caller::{Caller, Refused};

pub use access_token::{AccessTokenSettings, AccessTokens};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What a path under a tenant's `users` names. Ids are as they stand in the path: still percent-encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    /// `users/{id}`
    User(&'a str),
    /// `users:lookup`
    Lookup,
    /// `users:send-password-reset-email`
    PasswordReset,
    /// `users/{id}/mark-email-verified`
    MarkEmailVerified(&'a str),
    /// `users/{id}/send-verification-email`
    VerificationEmail(&'a str),
}

impl<'a> Resource<'a> {
    /// What the rest of a path, after the tenant and its slash, names.
    pub(crate) fn find(rest: &'a str) -> Option<Self> {
        match rest {
            "users:lookup" => return Some(Self::Lookup),
            "users:send-password-reset-email" => return Some(Self::PasswordReset),
            _ => {}
        }
        let (id, action) = match rest.strip_prefix("users/")?.split_once('/') {
            Some((id, action)) => (id, Some(action)),
            None => (rest.strip_prefix("users/")?, None),
        };
        match action {
            _ if id.is_empty() => None,
            None => Some(Self::User(id)),
            Some("mark-email-verified") => Some(Self::MarkEmailVerified(id)),
            Some("send-verification-email") => Some(Self::VerificationEmail(id)),
            Some(_) => None,
        }
    }

    /// The methods that it takes, as the `allow` header lists them.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::User(_) => "GET, DELETE",
            _ => "POST",
        }
    }

    /// The scope that a request with this method needs.
    fn scope(self, method: &Method) -> Scope {
        match self {
            Self::User(_) if method == Method::GET => Scope::of(CallKind::GetById),
            Self::User(_) => Scope::of(CallKind::Delete),
            Self::Lookup => Scope::of(CallKind::GetByEmail),
            Self::PasswordReset => Scope::of(CallKind::SendPasswordResetEmail),
            Self::MarkEmailVerified(_) => Scope::of(CallKind::MarkEmailVerified),
            Self::VerificationEmail(_) => Scope::of(CallKind::SendVerificationEmail),
        }
    }

    /// The call that a request with this method and body makes.
    fn call(self, method: &Method, body: &Bytes) -> Result<Call, Refusal> {
        let members = Members::parse(body)?;
        Ok(match self {
            Self::User(id) => {
                let [] = members.take([])?;
                let id = user_id(id)?;
                if method == Method::GET { Call::GetById(id) } else { Call::Delete(id) }
            }
            Self::VerificationEmail(id) => {
                let [] = members.take([])?;
                Call::SendVerificationEmail(user_id(id)?)
            }
            Self::MarkEmailVerified(id) => {
                let [email] = members.take(["email"])?;
                let email = email.map(|value| read("email", value, Email::new)).transpose()?;
                Call::MarkEmailVerified { id: user_id(id)?, email }
            }
            Self::PasswordReset => {
                let [email] = members.take(["email"])?;
                let email = email.ok_or_else(|| Refusal::invalid("email", "`email` is missing"))?;
                Call::SendPasswordResetEmail(read("email", email, Email::new)?)
            }
            Self::Lookup => match members.take(["email", "customer"])? {
                [Some(email), None] => Call::GetByEmail(read("email", email, Email::new)?),
                [None, Some(customer)] => Call::GetByCustomer(read("customer", customer, CustomerId::new)?),
                _ => {
                    let detail = "exactly one of `email` and `customer` is needed";
                    return Err(Refusal::new(Code::InvalidRequest).with_detail(detail));
                }
            },
        })
    }
}

/// Answers a REST request.
pub(crate) async fn answer(
    bridge: &Arc<Bridge>,
    request_id: Arc<str>,
    (tenant, resource): (TenantId, Resource<'_>),
    (head, body): (&Parts, Incoming),
) -> Response {
    let mut line = Line::new(request_id, Surface::Rest, tenant.clone());
    match admit(bridge, &mut line, (&tenant, resource), (head, body)).await {
        Ok((tenant, call, key, scope)) => bridge.run(Admitted { tenant, call, key, scope, line }).await,
        Err(Refused { refusal, cause }) => {
            let response = refusal.clone().into_response(line.request_id());
            line.refused(&refusal, cause.as_ref());
            response
        }
    }
}

async fn admit(
    bridge: &Bridge,
    line: &mut Line,
    (tenant, resource): (&TenantId, Resource<'_>),
    (head, body): (&Parts, Incoming),
) -> Result<(Arc<Tenant>, Call, Option<Key>, CallScope), Refused> {
    let encoded = head.headers.contains_key(header::CONTENT_ENCODING);
    if !body.is_end_stream() && (encoded || !request::is_json(&head.headers)) {
        return Err(Refusal::new(Code::UnsupportedMediaType).into());
    }
    let id = tenant;
    let tenant = bridge.tenants.get(id);
    let deadline = bridge.deadline_of(id, tenant.as_deref());
    let body = request::read_body(body, request::body_timeout(&head.headers, deadline, &bridge.limits)).await?;
    if let Some(tenant) = &tenant {
        line.connector(&tenant.connector);
    }
    let caller = Caller::of(&head.headers, tenant.as_deref(), |tenant| {
        // A timeout that cannot be read is refused, but not before it is known who calls.
        let scope = line.scope(request::timeout(&head.headers, tenant.deadline).unwrap_or(tenant.deadline));
        line.follow(&scope);
        scope
    })
    .await?;
    let Some(tenant) = tenant else {
        return Err(Refusal::bad_token().into());
    };
    line.caller(&caller.name);
    caller.require(resource.scope(&head.method))?;
    let call = resource.call(&head.method, &body)?;
    let key = match idempotency_key(&head.headers)? {
        Some(id) if call.kind().is_write() => Some(Key::rest(&tenant.id, &caller.key, id)),
        _ => None,
    };
    let timeout = request::timeout(&head.headers, tenant.deadline)?;
    let scope = line.scope(timeout);
    Ok((tenant, call, key, scope))
}

/// The caller's id of a write: 1 to 128 visible ASCII characters, quoted or not.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let refusal = || Refusal::invalid("idempotency-key", "`idempotency-key` is not 1 to 128 visible characters");
    let key = request::only(headers, &IDEMPOTENCY_KEY).map_err(|()| refusal())?;
    let is_key = |key: &str| (1..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    match key {
        Some(key) if !is_key(key) => Err(refusal()),
        key => Ok(key),
    }
}

/// The id of a path segment, percent-decoded once.
fn user_id(segment: &str) -> Result<UserId, Refusal> {
    let is_encoded =
        segment.split('%').skip(1).all(|rest| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2);
    let text = percent_decode_str(segment).decode_utf8().ok().filter(|_| is_encoded);
    let text = text.ok_or_else(|| Refusal::invalid("id", "`id` is not percent-encoded UTF-8"))?;
    UserId::new(text).map_err(|error| Refusal::invalid("id", error.to_string()))
}

/// The members of a request's object. No body is an empty object.
struct Members(Map<String, Value>);

impl Members {
    fn parse(body: &Bytes) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        let object = parse_object(body);
        object.map(Self).map_err(|error| Refusal::new(Code::InvalidRequest).with_detail(error.to_string()))
    }

    /// The values of these members, if no other one is there.
    fn take<const COUNT: usize>(mut self, names: [&str; COUNT]) -> Result<[Option<Value>; COUNT], Refusal> {
        let values = names.map(|name| self.0.remove(name));
        if self.0.is_empty() {
            Ok(values)
        } else {
            Err(Refusal::new(Code::InvalidRequest).with_detail("the body has an unknown member"))
        }
    }
}

fn read<T>(field: &'static str, value: Value, new: fn(String) -> Result<T, InvalidValue>) -> Result<T, Refusal> {
    let Value::String(text) = value else {
        return Err(Refusal::invalid(field, format!("`{field}` is not a string")));
    };
    new(text).map_err(|error| Refusal::invalid(field, error.to_string()))
}

#[cfg(test)]
mod tests;
