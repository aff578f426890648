//! The traps of Keycloak's tokens and sessions, as they were seen on the real one.

mod diagnosis;
mod logout;
mod recorded;
mod tokens;

use idp_bridge_conformance::Tokens;
use idp_bridge_conformance::fixture::email;
use idp_bridge_core::{AccessToken, ErrorKind, Federation, IdentityProvider as _, Logout, Result, TokenIdentity};

use super::{Stage, scope};

const PASSWORD: &str = "a-password";

impl Stage {
    fn oauth(&self) -> &dyn Federation {
        self.provider.federation().unwrap()
    }

    /// Makes a user with this customer and logs it in at one of the realm's clients.
    async fn log_in(&self, client: &str, scope: &str) -> Tokens {
        if self.harness.log_in_at(client, &email("ada"), PASSWORD, scope).await.is_err() {
            self.create_with("ada", &["c-1"], |user| user.password = Some(PASSWORD.to_owned())).await;
        }
        self.harness.log_in_at(client, &email("ada"), PASSWORD, scope).await.unwrap()
    }

    async fn identify(&self, tokens: &Tokens) -> TokenIdentity {
        self.oauth().identify(&scope(), &tokens.access).await.unwrap()
    }

    /// How the validation of a token ended.
    async fn kind(&self, token: &AccessToken) -> Option<ErrorKind> {
        self.oauth().validate(&scope(), token).await.err().map(|error| error.kind())
    }

    async fn log_out(&self, tokens: &Tokens, identity: &TokenIdentity) -> Result<()> {
        let logout =
            Logout { token: &tokens.access, identity: Some(identity), refresh_token: None, id_token_hint: None };
        self.oauth().log_out(&scope(), &logout).await.map(drop)
    }
}
