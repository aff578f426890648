//! The Management API of logins: sessions and device credentials.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::{Answer, Outcome};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{good, refusal, stricter_than_auth0};
use super::management::Call;
use super::tenant::Tenant;
use super::{Fields, body};

/// The kinds of device credentials that are refresh tokens, and whether they rotate.
const KINDS: [(&str, bool); 2] = [("refresh_token", false), ("rotating_refresh_token", true)];

impl Tenant {
    pub(crate) fn revoke_session(&mut self, call: &Call<'_>) -> Outcome {
        self.check_may_end_sessions(call)?;
        if self.logins.sessions.remove(call.id).is_none() {
            // The text is documented; the code was not recorded.
            return Err(refusal(404, "The session does not exist.", "inexistent_session"));
        }
        self.logins.refresh_tokens.retain(|_, refresh| refresh.grant.session.as_deref() != Some(call.id));
        Ok(good(202, &json!({})))
    }

    /// Ends all logins of a user. Succeeds for a missing user, by the list of documented responses.
    pub(crate) fn revoke_access(&mut self, call: &Call<'_>) -> Outcome {
        /// Auth0 accepts members. The connector sends none.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Everything {}
        self.check_may_end_sessions(call)?;
        let Everything {} = body(call.request)?;
        self.end_logins(call.id);
        Ok(good(202, &json!({})))
    }

    /// Checks that the scopes and the plan allow ending sessions. The error code is recorded for another feature of a plan.
    fn check_may_end_sessions(&self, call: &Call<'_>) -> Result<(), Answer> {
        call.require(&["delete:refresh_tokens"])?;
        if self.is_enterprise {
            return Ok(());
        }
        Err(refusal(403, "Please upgrade your subscription to use sessions", "insufficient_entitlement"))
    }

    pub(crate) fn list_credentials(&self, call: &Call<'_>) -> Outcome {
        let query = Fields::query(call.request, &["user_id", "type", "page", "per_page"])?;
        let (page, per_page) = query.page()?;
        let kind = KINDS.into_iter().find(|(kind, _)| *kind == query.get("type"));
        let (kind, rotates) = kind.ok_or_else(|| stricter_than_auth0("a list of credentials needs `type`"))?;
        let own = self.logins.refresh_tokens.values();
        let own = own.filter(|refresh| refresh.grant.user_id == query.get("user_id") && refresh.rotates == rotates);
        // The tokens of a family share one credential.
        let credentials: BTreeMap<&str, Value> = own
            .map(|refresh| {
                let (id, grant) = (refresh.credential.as_str(), &refresh.grant);
                let shown = json!({
                    "id": id, "device_name": "Other", "type": kind, "user_id": grant.user_id, "client_id": grant.client_id,
                });
                (id, shown)
            })
            .collect();
        Ok(good(200, &credentials.into_values().skip(page * per_page).take(per_page).collect()))
    }
}
