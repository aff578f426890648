//! Federation of the toy's harness.

use std::sync::Arc;

use idp_bridge_conformance::{
    ClaimNames, EndSessionForm, FederationFacts, FederationHarness, Flaw, SignIn, Staged, TokenStatus, Tokens,
    async_trait,
};
use idp_bridge_core::{AccessToken, IdentityProvider, UserId};
use serde_json::Value;

use super::harness::Toy;
use super::sessions::{CLIENT, ISSUER, sign};

#[async_trait]
impl FederationHarness for Toy {
    fn facts(&self) -> FederationFacts {
        FederationFacts {
            clients: vec![CLIENT.to_owned()],
            issuer: ISSUER.to_owned(),
            claims: ClaimNames { subject: "sub", client: "azp", session: Some("sid") },
            end_session: EndSessionForm {
                url: format!("{ISSUER}/end"),
                client: "client_id",
                redirect_uri: "post_logout_redirect_uri",
                hint: Some("id_token_hint"),
                state: Some("state"),
            },
        }
    }

    async fn sign_in(&self, sign_in: &SignIn) -> Staged<Tokens> {
        self.server.sign_in(sign_in)
    }

    async fn check_tokens(&self, tokens: &mut Tokens) -> Staged<TokenStatus> {
        Ok(self.server.check_tokens(tokens))
    }

    async fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> Staged<AccessToken> {
        self.server.issue_flawed(flaw, sign_in)
    }

    async fn sign(&self, header: &Value, claims: &Value) -> Staged<String> {
        Ok(sign(header, claims))
    }

    async fn end_login(&self, tokens: &Tokens) -> Staged<Option<AccessToken>> {
        Ok(Some(self.server.end_login(tokens)))
    }

    async fn block(&self, id: &UserId) -> Staged<()> {
        self.server.block(id);
        Ok(())
    }

    async fn delete(&self, id: &UserId) -> Staged<()> {
        self.server.delete(id);
        Ok(())
    }

    async fn provider_with_wrong_client_secret(&self) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(self.with_client_secret("guess"))
    }

    async fn provider_without_federation(&self) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(self.without_federation())
    }
}
