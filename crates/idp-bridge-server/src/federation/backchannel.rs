//! What an identity provider tells of logouts that happened elsewhere (OpenID Connect Back-Channel Logout 1.0).
//!
//! A logout token ends what was issued up to then, so one that comes again changes nothing.

use std::sync::Arc;

use http::StatusCode;
use http::request::Parts;
use idp_bridge_core::{AccessToken, CallScope, Ended, ErrorKind, Result};
use idp_bridge_protocol::Code;

use super::federated::Federated;
use super::form::{self, Fields, FormBody};
use super::{Asked, Refused, conclude};
use crate::dispatch::in_time;
use crate::error::Refusal;
use crate::log::Line;
use crate::response::{self, Response};
use crate::revocation::{Revocation, RevokedKey};
use crate::server::Bridge;
use crate::tenant::Tenant;

/// Answers `POST …/backchannel-logout`.
pub(super) async fn answer(asked: Asked<'_>) -> Response {
    let Asked { bridge, tenant, head, body, mut line } = asked;
    let heard = hear(bridge, tenant.as_ref(), (head, body), &mut line).await;
    conclude(line, heard)
}

async fn hear(
    bridge: &Arc<Bridge>,
    tenant: Option<&Arc<Tenant>>,
    (head, body): (&Parts, FormBody),
    line: &mut Line,
) -> Result<Response, Refused> {
    form::refuse_tokens_in_query(head)?;
    let fields = Fields::of_body(head, body).await?;
    // Whatever else the form says is to be ignored (section 2.5 of the specification).
    let [token] = fields.take(["logout_token"]);
    let token = token.and_then(|token| AccessToken::new(token).ok()).ok_or_else(bad_token)?;
    let federated = Federated::of(bridge, tenant).ok_or_else(bad_token)?;
    let scope = federated.begin(line, Tenant::MAX_DEADLINE);
    match in_time(&scope, federated.end_as_told(&scope, &token, line)).await {
        Ok(()) => Ok(response::empty(StatusCode::OK)),
        // A tenant without a back channel is answered like no tenant.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidToken | ErrorKind::Unsupported) => {
            Err(Refused { refusal: bad_token(), cause: Some(error.into()) })
        }
        Err(error) => Err(error.into()),
    }
}

impl Federated<'_> {
    async fn end_as_told(&self, scope: &CallScope, token: &AccessToken, line: &mut Line) -> Result<()> {
        let notice = self.idp.check_logout_token(scope, token).await?;
        let key = match notice.ended {
            Ended::Session(session) => RevokedKey::Session(session),
            Ended::User(user) => {
                line.user(self.bridge.key.user_hash(&self.tenant.id, &user));
                RevokedKey::Subject(user)
            }
        };
        self.revoke(&[Revocation { key, not_before: Some(notice.issued_at), until: self.all_ended() }]).await
    }
}

fn bad_token() -> Refusal {
    Refusal::new(Code::InvalidRequest).with_detail("`logout_token` is missing or not good")
}
