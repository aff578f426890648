//! The federation harness of the fake.

use idp_bridge_conformance::{
    FederationFacts, FederationHarness, Flaw, SignIn, TestResult, TokenStatus, Tokens, async_trait,
};
use idp_bridge_core::{AccessToken, UserId};
use serde_json::Value;

use super::{CLIENTS, OidcHarness};

#[async_trait]
impl FederationHarness for OidcHarness {
    fn facts(&self) -> FederationFacts {
        self.fake.with(|issuer| issuer.facts(&CLIENTS))
    }

    async fn sign_in(&self, sign_in: &SignIn) -> TestResult<Tokens> {
        self.fake.with(|issuer| issuer.sign_in(sign_in))
    }

    async fn check_tokens(&self, tokens: &mut Tokens) -> TestResult<TokenStatus> {
        Ok(self.fake.with(|issuer| issuer.check_tokens(tokens)))
    }

    async fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> TestResult<AccessToken> {
        self.fake.with(|issuer| issuer.issue_flawed(flaw, sign_in))
    }

    async fn sign(&self, header: &Value, claims: &Value) -> TestResult<String> {
        Ok(self.fake.with(|issuer| issuer.sign(header, claims))?)
    }

    async fn end_login(&self, tokens: &Tokens) -> TestResult<Option<AccessToken>> {
        self.fake.with(|issuer| issuer.end_login(tokens))
    }

    async fn block(&self, id: &UserId) -> TestResult<()> {
        let found = self.fake.with(|issuer| issuer.users.0.get_mut(id.as_str()).map(|user| user.blocked = true));
        found.ok_or_else(|| "the user does not exist".into())
    }

    async fn delete(&self, id: &UserId) -> TestResult<()> {
        let found = self.fake.with(|issuer| issuer.users.0.remove(id.as_str()));
        found.map(drop).ok_or_else(|| "the user does not exist".into())
    }
}
