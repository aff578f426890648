//! REST: calls with a bearer token instead of a signature.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, header};
use http_body::Body as _;
use hyper::body::Incoming;
use idp_bridge_core::{Call, CallKind, CallScope, CustomerId, Email, InvalidValue, UserId};
use idp_bridge_protocol::{Code, parse_object};
use serde_json::{Map, Value};

use crate::auth::{Caller, RestToken, Scope};
use crate::error::{Refusal, Rejection};
use crate::idempotency::Key;
use crate::log::{RequestLog, Surface};
use crate::pipeline::{self, AdmittedCall};
use crate::request::{self, TenantRequest};
use crate::response::Response;
use crate::state::ServerState;
use crate::tenant::Tenant;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The resource of a path under a tenant's `users`. Ids are still percent-encoded.
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
    /// Parses the path after the tenant and its slash.
    pub(crate) fn parse(rest: &'a str) -> Option<Self> {
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

    /// Returns the path with names instead of values.
    pub(crate) fn template(self) -> &'static str {
        match self {
            Self::User(_) => "/v1/tenants/{tenant}/users/{id}",
            Self::Lookup => "/v1/tenants/{tenant}/users:lookup",
            Self::PasswordReset => "/v1/tenants/{tenant}/users:send-password-reset-email",
            Self::MarkEmailVerified(_) => "/v1/tenants/{tenant}/users/{id}/mark-email-verified",
            Self::VerificationEmail(_) => "/v1/tenants/{tenant}/users/{id}/send-verification-email",
        }
    }

    /// Returns the supported methods in the form of the `allow` header.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::User(_) => "GET, DELETE",
            _ => "POST",
        }
    }

    /// Returns the scope that a request with this method requires.
    fn scope(self, method: &Method) -> Scope {
        match self {
            Self::User(_) if method == Method::GET => Scope::required_by(CallKind::GetById),
            Self::User(_) => Scope::required_by(CallKind::Delete),
            Self::Lookup => Scope::required_by(CallKind::GetByEmail),
            Self::PasswordReset => Scope::required_by(CallKind::SendPasswordResetEmail),
            Self::MarkEmailVerified(_) => Scope::required_by(CallKind::MarkEmailVerified),
            Self::VerificationEmail(_) => Scope::required_by(CallKind::SendVerificationEmail),
        }
    }

    /// Parses the call of a request with this method and body.
    fn parse_call(self, method: &Method, body: &Bytes) -> Result<Call, Refusal> {
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
                let email = email.map(|value| parse_string("email", value, Email::new)).transpose()?;
                Call::MarkEmailVerified { id: user_id(id)?, email }
            }
            Self::PasswordReset => {
                let [email] = members.take(["email"])?;
                let email = email.ok_or_else(|| Refusal::invalid("email", "`email` is missing"))?;
                Call::SendPasswordResetEmail(parse_string("email", email, Email::new)?)
            }
            Self::Lookup => match members.take(["email", "customer"])? {
                [Some(email), None] => Call::GetByEmail(parse_string("email", email, Email::new)?),
                [None, Some(customer)] => Call::GetByCustomer(parse_string("customer", customer, CustomerId::new)?),
                _ => {
                    let detail = "exactly one of `email` and `customer` is required";
                    return Err(Refusal::new(Code::InvalidRequest).with_detail(detail));
                }
            },
        })
    }
}

/// Handles a REST request.
pub(crate) async fn handle(state: &Arc<ServerState>, request: TenantRequest<'_>, resource: Resource<'_>) -> Response {
    let TenantRequest { origin, tenant, head, body } = request;
    let mut log = RequestLog::new(&state.telemetry, origin, Surface::Rest, tenant);
    match admit(state, head, body, resource, &mut log).await {
        Ok(Admitted { tenant, call, key, scope }) => {
            pipeline::run(state, Box::new(AdmittedCall { tenant, call, key, scope, log })).await
        }
        Err(rejection) => log.reject(rejection),
    }
}

/// A call that its caller may make.
struct Admitted {
    tenant: Arc<Tenant>,
    call: Call,
    key: Option<Key>,
    scope: CallScope,
}

async fn admit(
    state: &ServerState,
    head: &Parts,
    body: Incoming,
    resource: Resource<'_>,
    log: &mut RequestLog,
) -> Result<Admitted, Rejection> {
    let headers = &head.headers;
    let is_encoded = headers.contains_key(header::CONTENT_ENCODING);
    if !body.is_end_stream() && (is_encoded || !request::is_json(headers)) {
        return Err(Refusal::new(Code::UnsupportedMediaType).into());
    }
    let found = state.find_tenant(log.tenant());
    let body_timeout = state.body_timeout(headers, &found);
    let timeline = log.timeline();
    let body = timeline.wait("read_body", pin!(request::read_body(body, body_timeout))).await?;
    let _step = timeline.begin("verify");
    let tenant = found.into_known();
    if let Some(tenant) = &tenant {
        log.set_tenant(tenant.metrics());
    }
    let caller = authenticate(headers, tenant.as_deref(), log).await?;
    let Some(tenant) = tenant else {
        return Err(Refusal::bad_token().into());
    };
    log.set_caller(&caller.name);
    tenant.check_client(&head.extensions)?;
    caller.require(resource.scope(&head.method))?;
    let call = resource.parse_call(&head.method, &body)?;
    let key = match idempotency_key(headers)? {
        Some(id) if call.kind().is_write() => Some(Key::for_rest(&tenant.id, &caller.key, id)),
        _ => None,
    };
    let scope = log.call_scope(request::timeout(headers, tenant.deadline)?);
    Ok(Admitted { tenant, call, key, scope })
}

/// Authenticates the caller. A tenant that does not exist or has REST switched off has no callers.
///
/// Static tokens are compared first, so that they work while the issuer of JWT access tokens is down.
async fn authenticate(headers: &HeaderMap, tenant: Option<&Tenant>, log: &RequestLog) -> Result<Caller, Rejection> {
    let token = request::bearer_token(headers).ok().flatten().filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| Refusal::new(Code::InvalidToken))?;
    let tokens = tenant.map_or(&[][..], |tenant| &tenant.tokens);
    if let Some(token) = RestToken::find(tokens, token.as_bytes()) {
        return Ok(token.into());
    }
    let Some((tenant, access_tokens)) = tenant.and_then(|tenant| Some((tenant, tenant.access_tokens.as_ref()?))) else {
        return Err(Refusal::bad_token().into());
    };
    // An invalid timeout is refused later, when the caller is authenticated.
    let scope = log.call_scope(request::timeout(headers, tenant.deadline).unwrap_or(tenant.deadline));
    Ok(access_tokens.authenticate(&scope, token).await?)
}

/// Returns the caller's id of a write: 1 to 128 visible ASCII characters, quoted or not.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let refusal = || Refusal::invalid("idempotency-key", "`idempotency-key` is not 1 to 128 visible characters");
    let key = request::single_header(headers, &IDEMPOTENCY_KEY).map_err(|_| refusal())?;
    let is_key = |key: &str| (1..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    match key {
        Some(key) if !is_key(key) => Err(refusal()),
        key => Ok(key),
    }
}

/// Returns the id of a path segment, percent-decoded once.
fn user_id(segment: &str) -> Result<UserId, Refusal> {
    let text = request::percent_decode(segment);
    let text = text.ok_or_else(|| Refusal::invalid("id", "`id` is not percent-encoded UTF-8"))?;
    UserId::new(text).map_err(|error| Refusal::invalid("id", error.to_string()))
}

/// The members of a request's JSON object. An empty body counts as an empty object.
struct Members(Map<String, Value>);

impl Members {
    fn parse(body: &Bytes) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        let object = parse_object(body);
        object.map(Self).map_err(|error| Refusal::new(Code::InvalidRequest).with_detail(error.to_string()))
    }

    /// Returns the values of these members. Fails if there is another member.
    fn take<const COUNT: usize>(mut self, names: [&str; COUNT]) -> Result<[Option<Value>; COUNT], Refusal> {
        let values = names.map(|name| self.0.remove(name));
        if self.0.is_empty() {
            Ok(values)
        } else {
            Err(Refusal::new(Code::InvalidRequest).with_detail("the body has an unknown member"))
        }
    }
}

/// Parses a member that must be a string.
fn parse_string<T>(
    field: &'static str,
    value: Value,
    new: fn(String) -> Result<T, InvalidValue>,
) -> Result<T, Refusal> {
    let Value::String(text) = value else {
        return Err(Refusal::invalid(field, format!("`{field}` is not a string")));
    };
    new(text).map_err(|error| Refusal::invalid(field, error.to_string()))
}

#[cfg(test)]
mod tests;
