//! Federation of the toy's harness.

use idp_bridge_conformance::fake::openid::CLIENT;
use idp_bridge_conformance::{
    FederationFacts, FederationHarness, Flaw, SignIn, TestResult, TokenStatus, Tokens, async_trait,
};
use idp_bridge_core::{AccessToken, UserId};
use serde_json::Value;

use super::harness::Toy;

#[async_trait]
impl FederationHarness for Toy {
    fn facts(&self) -> FederationFacts {
        self.server.state().openid.facts(&[CLIENT])
    }

    async fn sign_in(&self, sign_in: &SignIn) -> TestResult<Tokens> {
        if !self.server.log_in(&sign_in.email, &sign_in.password) {
            return Err("the password is wrong".into());
        }
        self.server.state().openid.sign_in(sign_in)
    }

    async fn check_tokens(&self, tokens: &mut Tokens) -> TestResult<TokenStatus> {
        Ok(self.server.state().openid.check_tokens(tokens))
    }

    async fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> TestResult<AccessToken> {
        self.server.state().openid.issue_flawed(flaw, sign_in)
    }

    async fn sign(&self, header: &Value, claims: &Value) -> TestResult<String> {
        Ok(self.server.state().openid.sign(header, claims)?)
    }

    async fn end_login(&self, tokens: &Tokens) -> TestResult<Option<AccessToken>> {
        self.server.state().openid.end_login(tokens)
    }

    async fn block(&self, id: &UserId) -> TestResult<()> {
        self.server.block(id);
        Ok(())
    }

    async fn delete(&self, id: &UserId) -> TestResult<()> {
        self.server.delete(id);
        Ok(())
    }
}
