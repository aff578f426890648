//! The checks of `doctor` for federation: reads, and the redemption of a code that does not exist.

use idp_bridge_core::{CallKind, CallScope, Finding, LogoutFallback, OauthClient};
use idp_bridge_http::oidc::{ClientAuthentication, ClientCredentials, SecretCheck};

use super::Auth0Federation;
use crate::diagnose::check_scope;
use crate::error::Step;

/// Federation affects no call of the Users service.
const NO_CALL: &[CallKind] = &[];

impl Auth0Federation {
    pub(super) async fn run_checks(&self, scope: &CallScope) -> Vec<Finding> {
        let mut findings = self.check_issuer(scope).await;
        findings.extend(self.check_scopes(scope).await);
        findings.push(self.check_customer_source());
        for client in &self.settings.clients {
            findings.push(self.check_secret(scope, client).await);
            findings.extend(self.check_application(scope, client).await);
        }
        if self.config.accept_opaque {
            findings.push(
                Finding::not_visible(
                    "the applications that opaque tokens were issued to",
                    NO_CALL,
                    "make applications request an API (`audience`), and unset `accept_opaque`",
                )
                .with_detail("opaque tokens of every application of the Auth0 tenant are accepted"),
            );
        }
        findings
    }

    /// Checks the discovery document and the keys.
    async fn check_issuer(&self, scope: &CallScope) -> Vec<Finding> {
        let fix = || "set `custom_domain` to the domain where users log in; remove it if they use `domain`".to_owned();
        let (named, published) = ("the issuer is the domain where users log in", "the issuer's keys are usable");
        let mut findings = match self.open_id.discovery(scope).await {
            Err(error) => vec![Finding::failed(named, NO_CALL, fix()).with_detail(error.to_string())],
            Ok(discovery) => {
                let (check, setting) = (
                    "discovery names the logout page",
                    "Settings → Advanced → Login and Logout: enable RP-Initiated Logout End Session Endpoint Discovery",
                );
                let page = match discovery.end_session_endpoint {
                    Some(_) => Finding::ok(check, NO_CALL),
                    None => Finding::failed(check, NO_CALL, setting),
                };
                vec![Finding::ok(named, NO_CALL), page]
            }
        };
        findings.push(match self.open_id.check_keys(scope).await {
            Ok(()) => Finding::ok(published, NO_CALL),
            Err(error) => Finding::failed_by(published, NO_CALL, &error, fix()),
        });
        findings
    }

    /// Checks who can set the customer. Users cannot write `app_metadata`
    /// (<https://auth0.com/docs/manage-users/user-accounts/metadata>, November 2026). A claim is set by an Action, which is not
    /// visible.
    fn check_customer_source(&self) -> Finding {
        let key = &self.config.customer_key;
        let finding = match &self.settings.customer_claim {
            None => Finding::ok("users cannot set the customer themselves", NO_CALL)
                .with_detail(format!("it comes from `app_metadata.{key}`, which users cannot write")),
            Some(claim) => Finding::not_visible(
                format!("users cannot set the claim `{claim}` themselves"),
                NO_CALL,
                format!(
                    "Actions → Triggers → post-login: the Action that sets `{claim}` must read `app_metadata`, never \
                     `user_metadata` or the profile; or remove `customer_claim` to use `app_metadata.{key}`"
                ),
            ),
        };
        finding.with_authority()
    }

    /// Checks the scopes of logouts. The scope to read users is checked with the calls.
    async fn check_scopes(&self, scope: &CallScope) -> Vec<Finding> {
        let needed: &[&str] = match (self.config.enterprise_sessions, self.settings.fallback) {
            (true, _) => &["delete:sessions", "delete:refresh_tokens"],
            (false, LogoutFallback::User) => &["read:device_credentials", "delete:device_credentials"],
            (false, LogoutFallback::Refuse) => &[],
        };
        let granted = if needed.is_empty() { Ok(None) } else { self.api.granted_scopes(scope).await };
        let one = |name: &&str| {
            let check = format!("the application has the scope `{name}` for logouts");
            match &granted {
                Ok(granted) => check_scope(&self.config, check, NO_CALL, name, granted.as_deref()),
                Err(error) => Finding::failed_by(check, NO_CALL, error, self.config.grant_step(name)),
            }
        };
        needed.iter().map(one).collect()
    }

    /// Checks the authentication that a client needs to revoke a refresh token.
    async fn check_secret(&self, scope: &CallScope, client: &OauthClient) -> Finding {
        let id = &client.id;
        let check = match client.secret {
            Some(_) => format!("the secret of `{id}` is right"),
            None => format!("`{id}` needs no secret"),
        };
        let fix =
            format!("copy Client ID and Client Secret of Applications → `{id}` → Settings to `federation.clients`");
        let checked = async {
            let (token_url, redirect_uri) = (self.api.login_url(&["oauth", "token"])?.into(), self.config.issuer());
            let credentials = ClientCredentials { client, authentication: ClientAuthentication::Post };
            self.open_id.check_secret_at(scope, token_url, credentials, &redirect_uri).await
        };
        match checked.await {
            Ok(SecretCheck::Right) => Finding::ok(check, NO_CALL),
            Ok(SecretCheck::Wrong) => Finding::failed(check, NO_CALL, fix),
            Ok(SecretCheck::Unknown) => Finding::not_visible(
                check,
                NO_CALL,
                format!(
                    "Applications → `{id}` → Settings → Advanced Settings → Grant Types: tick `Authorization Code`"
                ),
            ),
            Err(error) => Finding::failed_by(check, NO_CALL, &error, fix),
        }
    }

    /// Checks the settings of a client's application.
    async fn check_application(&self, scope: &CallScope, client: &OauthClient) -> Vec<Finding> {
        let id = &client.id;
        let urls = format!("`{id}` has URLs for redirects after a logout");
        let signed = format!("the ID tokens of `{id}` are signed with a key");
        let settings = match self.api.application(scope, id).await {
            Ok(settings) => settings,
            Err(error) => {
                let grant = || self.config.grant_step(Step::ReadClients.scope());
                return vec![
                    Finding::hidden_by(&urls, NO_CALL, &error, grant()),
                    Finding::hidden_by(&signed, NO_CALL, &error, grant()),
                ];
            }
        };
        let fix =
            format!("Applications → `{id}` → Settings → Allowed Logout URLs: add each of `post_logout_redirect_uris`");
        let allowed = &settings.allowed_logout_urls;
        // Auth0 defines the meaning of `*`: a pattern with one may match.
        let allows = |uri: &str| allowed.iter().any(|own| own == uri || own.contains('*'));
        let urls = self.settings.check_post_logout_redirect_uris(id, allows, &fix).unwrap_or_else(|| {
            match allowed.as_slice() {
                [] => Finding::failed(urls, NO_CALL, fix),
                _ => Finding::ok(urls, NO_CALL),
            }
        });
        let signed = match settings.signs_with_a_key() {
            true => Finding::ok(signed, NO_CALL),
            false => Finding::failed(
                signed,
                NO_CALL,
                format!(
                    "Applications → `{id}` → Settings → Advanced Settings → OAuth: JSON Web Token (JWT) Signature Algorithm `RS256`"
                ),
            ),
        };
        vec![urls, signed]
    }
}
