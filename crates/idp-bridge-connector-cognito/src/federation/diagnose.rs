//! What `doctor` checks of federation, and the step in the AWS console that mends it.
//!
//! Nobody signs in: a code that was given to nobody proves a client's secret, and whoever is signed out is nobody.

use aws_sdk_cognitoidentityprovider::types::UserPoolClientType;
use idp_bridge_core::{AccessToken, CallScope, Error, ErrorKind, Finding, LogoutFallback, OauthClient, Result};

use idp_bridge_http::oidc::SecretCheck;

use super::PoolFederation;
use crate::diagnose::{allowed, grant, writable, writes};
use crate::error::Step;

/// A token that no pool ever gave.
const NO_TOKEN: &str = "idp-bridge-doctor";

/// The OAuth side under diagnosis.
pub(super) struct Diagnosis<'a>(&'a PoolFederation);

impl<'a> Diagnosis<'a> {
    pub(super) fn of(federation: &'a PoolFederation) -> Self {
        Self(federation)
    }

    /// Checks the issuer, the domain, each client, and the right that logouts need.
    pub(super) async fn run(&self, scope: &CallScope) -> Vec<Finding> {
        let mut findings = vec![self.keys(scope).await, self.document(scope).await, self.domain(scope).await];
        for client in &self.0.settings.clients {
            let described = self.0.pool.app_client(scope, &client.id).await;
            findings.push(self.secret(scope, client, described.as_ref().ok()).await);
            findings.extend(self.client(client, &described));
        }
        // Every client of the pool writes to the same users. That of the calls is checked with them.
        if self.0.customer_claim != self.0.customer_attribute {
            findings.push(writable(&self.0.pool, scope, &self.0.pool_id, &self.0.customer_claim, &[]).await);
        }
        if self.0.settings.fallback == LogoutFallback::User {
            let asked = self.end_nobody(scope).await;
            findings.push(allowed(Step::AdminUserGlobalSignOut, &[], asked, &self.0.pool_id));
        }
        findings
    }

    async fn keys(&self, scope: &CallScope) -> Finding {
        let check = "the issuer's keys can be read";
        match self.0.issuer.check_keys(scope).await {
            Ok(()) => Finding::ok(check, &[]).with_detail(self.0.issuer.issuer()),
            Err(error) => Finding::failed_by(check, &[], &error, "check `user_pool_id` and `region`".into()),
        }
    }

    async fn document(&self, scope: &CallScope) -> Finding {
        let check = "the issuer's document names the pool's domain";
        match self.0.issuer.discovery(scope).await {
            Ok(_) => Finding::ok(check, &[]),
            // A pool may have a domain of its own and one of Amazon's, and the document names one of them.
            Err(error) if error.context("endpoint").is_some() => {
                let fix = "User pools → the pool → Domain: compare `domain`; a pool with two domains may use either";
                Finding::not_visible(check, &[], fix).with_detail(error.to_string())
            }
            Err(error) => Finding::failed_by(check, &[], &error, "check `user_pool_id` and `region`".into()),
        }
    }

    async fn domain(&self, scope: &CallScope) -> Finding {
        let check = "the pool's domain answers";
        let fix = "User pools → the pool → Domain: copy it to `domain`";
        match self.ask_of_nothing(scope).await {
            Err(error) if error.kind() == ErrorKind::InvalidToken => Finding::ok(check, &[]),
            Err(error) => Finding::failed(check, &[], fix).with_detail(error.to_string()),
            Ok(()) => Finding::failed(check, &[], fix).with_detail("something else answers there"),
        }
    }

    async fn ask_of_nothing(&self, scope: &CallScope) -> Result<()> {
        let token = AccessToken::new(NO_TOKEN)
            .map_err(|error| Error::ours(ErrorKind::Unexpected, "no token is none").with_source(error))?;
        self.0.domain.user_info(scope, &self.0.issuer, &token).await.map(drop)
    }

    async fn end_nobody(&self, scope: &CallScope) -> Result<()> {
        self.0.pool.end_all(scope, &self.0.pool.nobody()?).await.map(drop)
    }

    /// The client itself and its secret, by what the pool says where it may be asked, and by what the domain takes.
    async fn secret(&self, scope: &CallScope, client: &OauthClient, described: Option<&UserPoolClientType>) -> Finding {
        let check = format!("the domain knows the client `{}` with its secret", client.id);
        let page = format!("User pools → the pool → App clients → `{}`", client.id);
        let fix =
            format!("{page}: copy the Client secret to the settings of federation, or leave it out if there is none");
        let own = client.secret.as_ref().map(|secret| secret.expose());
        if described.is_some_and(|described| described.client_secret.as_deref() != own) {
            return Finding::failed(check, &[], fix).with_detail("the pool has another secret for it, or none");
        }
        match self.0.domain.check_secret(scope, &self.0.issuer, client).await {
            Ok(SecretCheck::Right) => Finding::ok(check, &[]),
            Ok(SecretCheck::Wrong) => Finding::failed(check, &[], fix).with_detail("the domain refuses the client"),
            Ok(SecretCheck::Unknown) => {
                let fix =
                    format!("{page} → Login pages: allow the grant type `Authorization code grant`, and sign in once");
                Finding::not_visible(check, &[], fix).with_detail("the domain does not say")
            }
            Err(error) => Finding::failed_by(check, &[], &error, fix),
        }
    }

    /// What the pool says of a client; one more permission shows it.
    fn client(&self, client: &OauthClient, described: &Result<UserPoolClientType>) -> Vec<Finding> {
        let of_client = |what: &str| format!("the client `{}` {what}", client.id);
        let checks = [
            of_client("may ask for the scopes `openid` and `profile`"),
            of_client("has sign-out URLs"),
            of_client("can revoke its tokens"),
            of_client(&format!("may read `{}`", self.0.customer_claim)),
            of_client(&format!("does not let users write `{}`", self.0.customer_claim)),
        ];
        let described = match described {
            Ok(described) => described,
            Err(error) => {
                let fix = grant(Step::DescribeUserPoolClient, &self.0.pool_id);
                let mut hidden = checks.map(|check| Finding::hidden_by(check, &[], error, fix.clone()));
                let [.., write] = &mut hidden;
                write.authority = true;
                return hidden.into();
            }
        };
        let page = format!("User pools → the pool → App clients → `{}`", client.id);
        let [scopes, urls, revocation, read, write] = checks;
        let finding = |check: String, fits: bool, fix: &str| {
            if fits { Finding::ok(check, &[]) } else { Finding::failed(check, &[], format!("{page} → {fix}")) }
        };
        let claim = &self.0.customer_claim;
        let has = |scope: &str| described.allowed_o_auth_scopes().iter().any(|own| own == scope);
        let fix = "Login pages → Edit: add every URL of `post_logout_redirect_uris` to the allowed sign-out URLs";
        let sign_out = described.logout_urls();
        let allows = |uri: &str| sign_out.iter().any(|own| own == uri);
        let way_back = self.0.settings.check_way_back(&client.id, allows, &format!("{page} → {fix}"));
        let way_back = way_back.unwrap_or_else(|| finding(urls, !sign_out.is_empty(), fix));
        vec![
            finding(
                scopes,
                has("openid") && has("profile"),
                "Login pages → Edit: allow the scopes `OpenID` and `Profile`",
            ),
            way_back,
            finding(
                revocation,
                described.enable_token_revocation == Some(true),
                "Edit: enable token revocation; without it a logout ends all logins of the user",
            ),
            finding(read, reads(described, claim), &format!("Attribute permissions: let it read `{claim}`")),
            finding(write, !writes(described, claim), &format!("Attribute permissions: do not let it write `{claim}`"))
                .with_authority(),
        ]
    }
}

/// A client without a list may read all standard attributes, but no custom ones (AWS, API reference, November 2026).
fn reads(client: &UserPoolClientType, attribute: &str) -> bool {
    match client.read_attributes() {
        [] => !attribute.starts_with("custom:"),
        listed => listed.iter().any(|own| own == attribute),
    }
}
