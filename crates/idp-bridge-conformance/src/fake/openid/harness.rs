//! The methods of a federation harness.

use idp_bridge_core::AccessToken;
use serde_json::json;

use super::{CLIENT, FOREIGN_CLIENT, Login, OpenId, Users, set};
use crate::{ClaimNames, EndSessionForm, FederationFacts, Flaw, SignIn, TestResult, TokenStatus, Tokens};

impl<U: Users> OpenId<U> {
    /// Returns the facts for these clients of the tenant.
    pub fn facts(&self, clients: &[&str]) -> FederationFacts {
        FederationFacts {
            clients: clients.iter().map(|client| (*client).to_owned()).collect(),
            issuer: self.issuer.clone(),
            claims: ClaimNames { subject: "sub", client: "client_id", session: Some("sid") },
            end_session: EndSessionForm {
                url: format!("{}/end-session", self.issuer),
                client: "client_id",
                redirect_uri: "post_logout_redirect_uri",
                hint: Some("id_token_hint"),
                state: Some("state"),
            },
        }
    }

    /// Logs a user in as [`FederationHarness::sign_in`](crate::FederationHarness::sign_in) requires, without the password.
    pub fn sign_in(&mut self, sign_in: &SignIn) -> TestResult<Tokens> {
        let client = if sign_in.foreign_client { FOREIGN_CLIENT } else { CLIENT };
        let mut login = Login::new(self.find_user(sign_in)?, client);
        login.offline = sign_in.offline;
        login.customer.clone_from(&sign_in.customer_claim);
        if sign_in.expired {
            login.lifetime = -60;
        }
        self.log_in(login)
    }

    /// Returns which tokens of a login are active.
    pub fn check_tokens(&self, tokens: &Tokens) -> TokenStatus {
        let access = Some(self.active(tokens.access.expose()).is_some());
        let refresh = tokens.refresh.as_ref().map(|token| self.refreshable(token.expose()).is_some());
        TokenStatus { userinfo: access, introspection: access, refresh }
    }

    /// Returns a token with a flaw. All of them have a valid signature.
    pub fn issue_flawed(&mut self, flaw: Flaw, sign_in: &SignIn) -> TestResult<AccessToken> {
        let tokens = self.sign_in(sign_in)?;
        let (login, _) = self.active(tokens.access.expose()).ok_or("the login has already ended")?;
        let mut claims = self.access_claims(login)?;
        match flaw {
            Flaw::AnotherIssuer => set(&mut claims, "iss", json!(format!("{}/other", self.issuer))),
            Flaw::ServiceAccount => set(&mut claims, "sub", json!(CLIENT)),
            Flaw::SenderConstrained => {
                set(&mut claims, "cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}));
            }
        }
        let header = self.key.header(self.access_type.unwrap_or("at+jwt"));
        Ok(AccessToken::new(self.sign(&header, &claims)?)?)
    }

    fn find_user(&self, sign_in: &SignIn) -> TestResult<String> {
        Ok(self.users.find(sign_in.email.as_str()).ok_or("no user has this address")?)
    }
}
