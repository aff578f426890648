//! The OAuth side of the harness: logins that are made in the fake's memory.

use std::sync::Arc;

use idp_bridge_conformance::{
    ClaimNames, EndSessionForm, FederationFacts, FederationHarness, Flaw, SignIn, Staged, TokenStatus, Tokens,
    async_trait,
};
use idp_bridge_core::{AccessToken, IdentityProvider, OutboundPolicy, Secret, UserId};
use serde_json::Value;

use super::{CLIENTS, OidcHarness, STRANGER};
use crate::fake::Login;

/// The tenant's client that logs people in.
const SHOP: &str = "shop";

#[async_trait]
impl FederationHarness for OidcHarness {
    fn facts(&self) -> FederationFacts {
        FederationFacts {
            clients: CLIENTS.map(str::to_owned).into(),
            issuer: self.fake.url(),
            claims: ClaimNames { subject: "sub", client: "client_id", session: Some("sid") },
            end_session: EndSessionForm {
                url: format!("{}/end-session", self.fake.url()),
                client: "client_id",
                redirect_uri: "post_logout_redirect_uri",
                hint: Some("id_token_hint"),
                state: Some("state"),
            },
        }
    }

    async fn sign_in(&self, sign_in: &SignIn) -> Staged<Tokens> {
        let tokens = self.fake.with(|issuer| -> Staged<_> {
            let user = issuer.id_of(sign_in.email.as_str()).ok_or("there is no such user")?;
            let mut login = Login::new(user, if sign_in.foreign_client { STRANGER } else { SHOP });
            login.offline = sign_in.offline;
            login.customer.clone_from(&sign_in.customer_claim);
            if sign_in.expired {
                login.life = -60;
            }
            Ok(issuer.log_in(login)?)
        })?;
        Ok(Tokens {
            access: AccessToken::new(tokens.access)?,
            refresh: Some(Secret::new(tokens.refresh)),
            id: Some(Secret::new(tokens.id)),
        })
    }

    async fn check_tokens(&self, tokens: &mut Tokens) -> Staged<TokenStatus> {
        let access = tokens.access.expose();
        Ok(self.fake.with(|issuer| {
            let lives = Some(issuer.living(access).is_some());
            let refresh = tokens.refresh.as_ref().map(|refresh| issuer.refreshable(refresh.expose()).is_some());
            TokenStatus { userinfo: lives, introspection: lives, refresh }
        }))
    }

    async fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> Staged<AccessToken> {
        let token = self.fake.with(|issuer| -> Staged<String> {
            let user = issuer.id_of(sign_in.email.as_str()).ok_or("there is no such user")?;
            match flaw {
                Flaw::AnotherIssuer => Ok(issuer.foreign_token(&user, SHOP)?),
                Flaw::ServiceAccount => Ok(issuer.client_token(SHOP)?),
                Flaw::SenderConstrained => Ok(issuer.bound_token(Login::new(user, SHOP))?),
                _ => Err("there is no such flaw".into()),
            }
        })?;
        Ok(AccessToken::new(token)?)
    }

    async fn sign(&self, header: &Value, claims: &Value) -> Staged<String> {
        Ok(self.fake.with(|issuer| issuer.sign(header, claims))?)
    }

    async fn end_login(&self, tokens: &Tokens) -> Staged<Option<AccessToken>> {
        let token = self.fake.with(|issuer| issuer.end_session(tokens.access.expose()))?;
        Ok(token.map(AccessToken::new).transpose()?)
    }

    async fn block(&self, id: &UserId) -> Staged<()> {
        self.fake.with(|issuer| {
            let user = issuer.users.get_mut(id.as_str()).ok_or("there is no such user")?;
            user.blocked = true;
            Ok(())
        })
    }

    async fn delete(&self, id: &UserId) -> Staged<()> {
        let user = self.fake.with(|issuer| issuer.users.remove(id.as_str()));
        user.map(drop).ok_or_else(|| "there is no such user".into())
    }

    async fn provider_with_wrong_client_secret(&self) -> Staged<Arc<dyn IdentityProvider>> {
        let mut settings = Self::settings();
        if let Some(first) = settings.clients.first_mut() {
            first.secret = Some(Secret::new("wrong"));
        }
        Ok(Arc::new(self.build(self.config(), Some(settings), OutboundPolicy::default())?))
    }

    async fn provider_without_federation(&self) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(Arc::new(self.build(self.config(), None, OutboundPolicy::default())?))
    }
}
