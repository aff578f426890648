//! Who calls REST: the holder of a static token that the tenant knows, or of a JWT access token that an issuer signed for it.

use std::collections::BTreeSet;

use http::{HeaderMap, header};
use idp_bridge_core::{CallScope, Error, Outcome};
use idp_bridge_protocol::Code;

use crate::dispatch::Failure;
use crate::error::Refusal;
use crate::request;
use crate::tenant::{RestToken, Scope, Tenant};

/// Someone who may use REST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// What the log calls it.
    pub(super) name: String,
    /// Whose ids of writes its own are told from: not the name, which callers of different kinds may share.
    pub(super) key: String,
    /// What it may do.
    pub(super) scopes: BTreeSet<Scope>,
}

impl From<&RestToken> for Caller {
    fn from(token: &RestToken) -> Self {
        Self { name: token.name.clone(), key: format!("token {}", token.name), scopes: token.scopes.clone() }
    }
}

/// A request that is answered without a call, and what the log should know of it.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) cause: Option<Error>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, cause: None }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let failure = Failure { error, outcome: Outcome::NotApplied };
        Self { refusal: Refusal::from(&failure), cause: Some(failure.error) }
    }
}

impl Caller {
    /// Finds out who calls. A tenant that is unknown or has REST switched off has no callers.
    ///
    /// Static tokens are looked for first, so that they go on when the issuer of the others is down.
    pub(super) async fn of(
        headers: &HeaderMap,
        tenant: Option<&Tenant>,
        scope: impl FnOnce(&Tenant) -> CallScope,
    ) -> Result<Self, Refused> {
        let token = bearer(headers).ok_or_else(|| Refusal::new(Code::InvalidToken))?;
        let tokens = tenant.map_or(&[][..], |tenant| &tenant.tokens);
        if let Some(known) = RestToken::find(tokens, token.as_bytes()) {
            return Ok(known.into());
        }
        match tenant.and_then(|tenant| Some((tenant, tenant.access_tokens.as_ref()?))) {
            Some((tenant, access_tokens)) => Ok(access_tokens.caller(&scope(tenant), token).await?),
            None => Err(Refusal::bad_token().into()),
        }
    }

    /// Fails unless the caller may do this.
    pub(super) fn require(&self, scope: Scope) -> Result<(), Refusal> {
        let lacks = match scope {
            Scope::Read => "the token lacks the scope `users.read`",
            Scope::Write => "the token lacks the scope `users.write`",
        };
        if self.scopes.contains(&scope) { Ok(()) } else { Err(Refusal::insufficient_scope().with_detail(lacks)) }
    }
}

/// The token of the one `authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let authorization = request::only(headers, &header::AUTHORIZATION).ok()??;
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}
