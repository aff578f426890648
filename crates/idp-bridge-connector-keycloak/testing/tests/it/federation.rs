//! Tests of the particularities of Keycloak's tokens and sessions.

mod diagnosis;
mod logout;
mod tokens;

use idp_bridge_conformance::Tokens;
use idp_bridge_conformance::fixture::email;
use idp_bridge_core::{AccessToken, ErrorKind, Federation, IdentityProvider as _, Logout, Result, TokenIdentity};

use crate::bench::{Stage, scope};

const PASSWORD: &str = "a-password";

impl Stage {
    pub(crate) fn federation(&self) -> &dyn Federation {
        self.provider.federation().unwrap()
    }

    /// Creates a user, if there is none, and logs it in to one of the realm's clients.
    pub(crate) async fn log_in(&self, client: &str, scope: &str) -> Tokens {
        if self.harness.log_in_at(client, &email("ada"), PASSWORD, scope).await.is_err() {
            self.create_with("ada", &["c-1"], |user| user.password = Some(PASSWORD.to_owned())).await;
        }
        self.harness.log_in_at(client, &email("ada"), PASSWORD, scope).await.unwrap()
    }

    pub(crate) async fn identify(&self, tokens: &Tokens) -> TokenIdentity {
        self.federation().identify(&scope(), &tokens.access).await.unwrap()
    }

    /// Validates a token and returns the kind of the error.
    pub(crate) async fn validation_error(&self, token: &AccessToken) -> Option<ErrorKind> {
        self.federation().validate(&scope(), token).await.err().map(|error| error.kind())
    }

    pub(crate) async fn log_out(&self, tokens: &Tokens, identity: &TokenIdentity) -> Result<()> {
        let logout =
            Logout { token: &tokens.access, identity: Some(identity), refresh_token: None, id_token_hint: None };
        self.federation().log_out(&scope(), &logout).await.map(drop)
    }
}
