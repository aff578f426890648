//! The end of a login, asked for by an application: first the list, then the identity provider.
//!
//! The token is refused here from the moment that it is listed, whatever the identity provider does; a 204 is only said
//! when everything has been done.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::request::Parts;
use hyper::body::Incoming;
use idp_bridge_core::{
    AccessToken, CallScope, Error, ErrorKind, LoggedOut, Logout, Outcome, Result, Secret, TokenIdentity,
};
use idp_bridge_protocol::Code;
use jiff::Timestamp;

use super::federated::Federated;
use super::form::Fields;
use super::front::TokenKey;
use super::{Asked, Refused, bearer, conclude, form};
use crate::dispatch::{Failure, in_time};
use crate::error::Refusal;
use crate::log::Line;
use crate::request;
use crate::response::{self, Response};
use crate::revocation::{Revocation, RevokedKey};
use crate::server::Bridge;
use crate::tenant::Tenant;

/// What a caller shows of a login.
struct Shown {
    token: AccessToken,
    refresh_token: Option<Secret>,
    id_token_hint: Option<Secret>,
    /// How long it waits at most.
    timeout: Duration,
}

/// Answers `POST …/logout`. A logout that has begun goes on when its caller leaves.
pub(super) async fn answer(asked: Asked<'_>) -> Response {
    let Asked { bridge, tenant, head, body, mut line } = asked;
    line.call("log_out");
    let request_id = Arc::clone(line.request_id());
    let shown = match read(bridge, head, body).await {
        Ok(shown) => shown,
        Err(refusal) => return conclude(line, Err(refusal.into())),
    };
    let bridge = Arc::clone(bridge);
    let task = bridge.writes.clone().spawn(async move {
        let ended = end(&bridge, tenant.as_deref(), &shown, &mut line).await;
        conclude(line, ended)
    });
    let broken = |_| Refusal::new(Code::Internal).with_outcome(Outcome::Unknown).into_response(&request_id);
    task.await.unwrap_or_else(broken)
}

async fn read(bridge: &Bridge, head: &Parts, body: Incoming) -> Result<Shown, Refusal> {
    form::refuse_tokens_in_query(head)?;
    let token = bearer::of_header(&head.headers)?;
    let fields = Fields::of_body(head, body, bridge.limits.body).await?;
    let [refresh_token, id_token_hint] = fields.take_all(["refresh_token", "id_token_hint"])?;
    let token = bearer::one_of(token, None)?;
    Ok(Shown {
        token,
        refresh_token: refresh_token.map(|value| form::token("refresh_token", value)).transpose()?,
        id_token_hint: id_token_hint.map(|value| form::token("id_token_hint", value)).transpose()?,
        timeout: request::timeout(&head.headers, Tenant::MAX_DEADLINE)?,
    })
}

async fn end(bridge: &Bridge, tenant: Option<&Tenant>, shown: &Shown, line: &mut Line) -> Result<Response, Refused> {
    let federated = Federated::of(bridge, tenant).ok_or_else(Refusal::bad_token)?;
    let scope = federated.begin(line, shown.timeout);
    let ended = in_time(&scope, federated.end(&scope, shown, line)).await;
    ended.map_err(|error| Failure { error, outcome: scope.recorder().outcome() })?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

impl Federated<'_> {
    async fn end(&self, scope: &CallScope, shown: &Shown, line: &mut Line) -> Result<()> {
        let key = TokenKey::of(&self.tenant.id, &shown.token);
        if self.bridge.front.known(&key).is_none() {
            self.admit(scope, &shown.token).await?;
        }
        match self.idp.identify(scope, &shown.token).await {
            Ok(identity) => {
                line.user(self.bridge.key.user_hash(&self.tenant.id, &identity.subject));
                self.end_login(scope, shown, (&key, &identity)).await
            }
            // Nothing is listed: whoever likes could fill the list with texts that nobody knows.
            Err(error) if self.may_have_been_good(&error, shown) => {
                self.idp.log_out(scope, &shown.logout(None)).await.map(drop)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether it may be a token that proves nothing by itself and has ended, so that its refresh token is all that is left.
    fn may_have_been_good(&self, error: &Error, shown: &Shown) -> bool {
        let promised = self.tenant.provider.capabilities().federation();
        error.kind() == ErrorKind::InvalidToken
            && shown.refresh_token.is_some()
            && !shown.token.is_jwt()
            && promised.is_some_and(|promised| promised.opaque_tokens)
    }

    async fn end_login(
        &self,
        scope: &CallScope,
        shown: &Shown,
        (key, identity): (&TokenKey, &TokenIdentity),
    ) -> Result<()> {
        // From here on the token may be refused, so whatever fails has changed something.
        scope.recorder().write_begins();
        let token = Revocation {
            key: RevokedKey::Token(key.sha256),
            not_before: None,
            until: self.surely_ended(identity.expires_at),
        };
        let session = self.end_of_session(identity, self.now());
        self.revoke(&[Some(token), session].into_iter().flatten().collect::<Vec<_>>()).await?;
        let entries = match self.idp.log_out(scope, &shown.logout(Some(identity))).await? {
            LoggedOut::RefreshToken => Vec::new(),
            // Its clock may be ahead of ours, and what it issued meanwhile has ended, too.
            LoggedOut::Session => self.end_of_session(identity, self.now()).into_iter().collect(),
            LoggedOut::User { ended_at } => {
                let user = RevokedKey::Subject(identity.subject.clone());
                let user = Revocation { key: user, not_before: Some(ended_at), until: self.all_ended() };
                [Some(user), self.end_of_session(identity, ended_at)].into_iter().flatten().collect()
            }
        };
        self.revoke(&entries).await?;
        self.bridge.front.forget(key);
        Ok(())
    }

    /// The entry that refuses what was issued in this login up to then, and the token itself in any case.
    fn end_of_session(&self, identity: &TokenIdentity, ended_at: Timestamp) -> Option<Revocation> {
        let not_before = identity.issued_at.map_or(ended_at, |issued_at| issued_at.max(ended_at));
        let session = RevokedKey::Session(identity.session.clone()?);
        Some(Revocation { key: session, not_before: Some(not_before), until: self.all_ended() })
    }
}

impl Shown {
    fn logout<'a>(&'a self, identity: Option<&'a TokenIdentity>) -> Logout<'a> {
        Logout {
            token: &self.token,
            identity,
            refresh_token: self.refresh_token.as_ref(),
            id_token_hint: self.id_token_hint.as_ref(),
        }
    }
}
