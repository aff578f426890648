//! The checks of `doctor` for federation, with the step in the AWS console that fixes each fault.
//!
//! The checks need no login: an invalid code is enough to verify a client's secret, and the sign-out is for a missing user.

use aws_sdk_cognitoidentityprovider::types::UserPoolClientType;
use idp_bridge_core::{AccessToken, CallScope, Error, ErrorKind, Finding, LogoutFallback, OauthClient, Result};
use idp_bridge_http::oidc::SecretCheck;

use super::PoolFederation;
use crate::diagnose::{allowed, can_write, check_not_writable, grant};
use crate::error::Operation;

/// A token that no pool issues.
const INVALID_TOKEN: &str = "idp-bridge-doctor";

/// The diagnosis of federation.
pub(super) struct Diagnosis<'a>(&'a PoolFederation);

impl<'a> Diagnosis<'a> {
    pub(super) fn new(federation: &'a PoolFederation) -> Self {
        Self(federation)
    }

    /// Checks the issuer, the domain, each client, and the right that logouts need.
    pub(super) async fn run(&self, scope: &CallScope) -> Vec<Finding> {
        let mut findings =
            vec![self.check_keys(scope).await, self.check_document(scope).await, self.check_domain(scope).await];
        for client in &self.0.settings.clients {
            let described = self.0.pool.app_client(scope, &client.id).await;
            findings.push(self.check_secret(scope, client, described.as_ref().ok()).await);
            findings.extend(self.check_client(client, &described));
        }
        // The diagnosis of the pool checks `customer_attribute`.
        if self.0.customer_claim != self.0.customer_attribute {
            findings.push(check_not_writable(&self.0.pool, scope, &self.0.customer_claim, &[]).await);
        }
        if self.0.settings.fallback == LogoutFallback::User {
            let tried = self.try_sign_out(scope).await;
            findings.push(allowed(&self.0.pool, Operation::AdminUserGlobalSignOut, &[], tried));
        }
        findings
    }

    async fn check_keys(&self, scope: &CallScope) -> Finding {
        let check = "the issuer's keys can be read";
        match self.0.issuer.check_keys(scope).await {
            Ok(()) => Finding::ok(check, &[]).with_detail(self.0.issuer.issuer()),
            Err(error) => Finding::failed_by(check, &[], &error, "check `user_pool_id` and `region`".into()),
        }
    }

    async fn check_document(&self, scope: &CallScope) -> Finding {
        let check = "the issuer's document names the pool's domain";
        match self.0.issuer.discovery(scope).await {
            Ok(_) => Finding::ok(check, &[]),
            // A pool can have a custom domain and a Cognito domain. The document contains one of them.
            Err(error) if error.context("endpoint").is_some() => {
                let fix = "User pools → the pool → Domain: compare `domain`; a pool with two domains may use either";
                Finding::not_visible(check, &[], fix).with_detail(error.to_string())
            }
            Err(error) => Finding::failed_by(check, &[], &error, "check `user_pool_id` and `region`".into()),
        }
    }

    async fn check_domain(&self, scope: &CallScope) -> Finding {
        let check = "the pool's domain answers";
        let fix = "User pools → the pool → Domain: copy it to `domain`";
        match self.try_user_info(scope).await {
            Err(error) if error.kind() == ErrorKind::InvalidToken => Finding::ok(check, &[]),
            Err(error) => Finding::failed(check, &[], fix).with_detail(error.to_string()),
            Ok(()) => Finding::failed(check, &[], fix).with_detail("the response is not from a pool's userInfo"),
        }
    }

    async fn try_user_info(&self, scope: &CallScope) -> Result<()> {
        let token = AccessToken::new(INVALID_TOKEN)
            .map_err(|error| Error::ours(ErrorKind::Unexpected, "the invalid token is malformed").with_source(error))?;
        self.0.domain.user_info(scope, &self.0.issuer, &token).await.map(drop)
    }

    async fn try_sign_out(&self, scope: &CallScope) -> Result<()> {
        self.0.pool.sign_out_everywhere(scope, &self.0.pool.unused_name()?).await.map(drop)
    }

    /// Checks a client and its secret, with the pool's description of it if readable, and with the domain.
    async fn check_secret(
        &self,
        scope: &CallScope,
        client: &OauthClient,
        described: Option<&UserPoolClientType>,
    ) -> Finding {
        let check = format!("the domain accepts the client `{}` with its secret", client.id);
        let page = format!("User pools → the pool → App clients → `{}`", client.id);
        let fix =
            format!("{page}: copy the Client secret to `federation.clients`, or remove it if the client has none");
        let own = client.secret.as_ref().map(|secret| secret.expose());
        if described.is_some_and(|described| described.client_secret.as_deref() != own) {
            return Finding::failed(check, &[], fix).with_detail("the pool has another secret for the client, or none");
        }
        match self.0.domain.check_secret(scope, &self.0.issuer, client).await {
            Ok(SecretCheck::Right) => Finding::ok(check, &[]),
            Ok(SecretCheck::Wrong) => Finding::failed(check, &[], fix).with_detail("the domain refuses the client"),
            Ok(SecretCheck::Unknown) => {
                let fix =
                    format!("{page} → Login pages: allow the grant type `Authorization code grant`, and sign in once");
                Finding::not_visible(check, &[], fix).with_detail("the domain's answer shows neither")
            }
            Err(error) => Finding::failed_by(check, &[], &error, fix),
        }
    }

    /// Checks the settings of a client, which need `DescribeUserPoolClient`.
    fn check_client(&self, client: &OauthClient, described: &Result<UserPoolClientType>) -> Vec<Finding> {
        let check = |what: &str| format!("the client `{}` {what}", client.id);
        let checks = [
            check("may request the scopes `openid` and `profile`"),
            check("has sign-out URLs"),
            check("can revoke its tokens"),
            check(&format!("may read `{}`", self.0.customer_claim)),
            check(&format!("does not let users write `{}`", self.0.customer_claim)),
        ];
        let described = match described {
            Ok(described) => described,
            Err(error) => {
                let fix = grant(&self.0.pool, Operation::DescribeUserPoolClient);
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
        let is_allowed = |uri: &str| sign_out.iter().any(|own| own == uri);
        let redirects =
            self.0.settings.check_post_logout_redirect_uris(&client.id, is_allowed, &format!("{page} → {fix}"));
        let redirects = redirects.unwrap_or_else(|| finding(urls, !sign_out.is_empty(), fix));
        vec![
            finding(
                scopes,
                has("openid") && has("profile"),
                "Login pages → Edit: allow the scopes `OpenID` and `Profile`",
            ),
            redirects,
            finding(
                revocation,
                described.enable_token_revocation == Some(true),
                "Edit: enable token revocation; without it a logout ends all logins of the user",
            ),
            finding(read, can_read(described, claim), &format!("Attribute permissions: let it read `{claim}`")),
            finding(
                write,
                !can_write(described, claim),
                &format!("Attribute permissions: do not let it write `{claim}`"),
            )
            .with_authority(),
        ]
    }
}

/// Returns whether a client can read an attribute. A client without a list can read all standard attributes, but no custom
/// attributes (AWS, API reference, November 2026).
fn can_read(client: &UserPoolClientType, attribute: &str) -> bool {
    match client.read_attributes() {
        [] => !attribute.starts_with("custom:"),
        listed => listed.iter().any(|own| own == attribute),
    }
}
