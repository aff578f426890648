//! The checks of `doctor`, each with the step in the Auth0 Dashboard that fixes it.
//!
//! All checks are read-only. Names of pages, tabs and switches are those of the documentation in November 2026.

use idp_bridge_core::{CallKind, CallScope, Error, ErrorKind, Finding, UserId, Verdict, if_found};

use crate::client::{Auth0Api, PasswordReset};
use crate::config::Auth0Config;

/// The calls that read a user, including those that change it afterwards.
const READERS: [CallKind; 6] = [
    CallKind::GetById,
    CallKind::GetByEmail,
    CallKind::GetByCustomer,
    CallKind::MarkEmailVerified,
    CallKind::SendVerificationEmail,
    CallKind::SendPasswordResetEmail,
];
const UPDATERS: [CallKind; 2] = [CallKind::MarkEmailVerified, CallKind::SendVerificationEmail];

/// The id of a user that does not exist, for a test read.
const MISSING_USER: &str = "auth0|idp-bridge-doctor";

/// A tenant under diagnosis.
pub(crate) struct Diagnosis<'a> {
    api: &'a Auth0Api,
    config: &'a Auth0Config,
    reset: Option<&'a PasswordReset>,
}

impl<'a> Diagnosis<'a> {
    pub(crate) fn new(api: &'a Auth0Api, config: &'a Auth0Config, reset: Option<&'a PasswordReset>) -> Self {
        Self { api, config, reset }
    }

    /// Runs all checks that the settings need. The login comes first, since all others depend on it.
    pub(crate) async fn run(&self, scope: &CallScope) -> Vec<Finding> {
        let granted = self.api.granted_scopes(scope).await;
        let mut findings = self.check_login(granted.as_ref().err());
        if findings.iter().any(|finding| finding.verdict != Verdict::Ok) {
            return findings;
        }
        let granted = granted.ok().flatten();
        findings.push(self.check_read(scope).await);
        for (scope, calls) in [("update:users", &UPDATERS[..]), ("delete:users", &[CallKind::Delete])] {
            let check = format!("the application has the scope `{scope}`");
            findings.push(check_scope(self.config, check, calls, scope, granted.as_deref()));
        }
        findings.extend(self.check_idp_tokens_hidden(granted.as_deref()));
        let (template, name) = ("verify_email", "Verification Email (using Link)");
        findings.push(self.check_template(scope, template, name, CallKind::SendVerificationEmail).await);
        if let Some(reset) = self.reset {
            findings.push(self.check_connection(scope, reset).await);
            let (template, name) = ("reset_email", "Change Password (Link)");
            findings.push(self.check_template(scope, template, name, CallKind::SendPasswordResetEmail).await);
        }
        findings
    }

    /// Derives three findings from one login. Each failure hides the checks after it.
    fn check_login(&self, failure: Option<&Error>) -> Vec<Finding> {
        let Auth0Config { domain, client_id, .. } = self.config;
        let checks = [
            (
                "Auth0 is reachable",
                format!("check that this host can connect to `https://{domain}`, or to `endpoint` if it is set"),
            ),
            (
                "the tenant exists and has a Management API of this name",
                "copy Applications → the application → Settings → Domain to `domain`; it is never a custom domain"
                    .into(),
            ),
            (
                "the application can log in and is authorized for the Management API",
                format!(
                    "copy Client ID and Client Secret of Applications → `{client_id}` → Settings, or register the public half of \
                     `private_key` under Credentials; then Applications → APIs → Auth0 Management API → Machine to Machine \
                     Applications → `{client_id}`: Authorize"
                ),
            ),
        ];
        let failed = failure.map(|error| match error.kind() {
            ErrorKind::Misconfigured => (1, error),
            ErrorKind::Unauthenticated | ErrorKind::PermissionDenied => (2, error),
            _ => (0, error),
        });
        Finding::chain(&CallKind::ALL, checks, failed)
    }

    /// Reads a missing user. Auth0 returns 404 for it only if the application has the scope.
    async fn check_read(&self, scope: &CallScope) -> Finding {
        let check = "the application may read users";
        let read = match UserId::new(MISSING_USER) {
            Ok(id) => self.api.user(scope, &id).await.map(drop),
            Err(error) => {
                Err(Error::ours(ErrorKind::Unexpected, "the id of the test read is invalid").with_source(error))
            }
        };
        match if_found(read) {
            Ok(_) => Finding::ok(check, &READERS),
            Err(error) => Finding::failed_by(check, &READERS, &error, self.config.grant_step("read:users")),
        }
    }

    /// Checks that the application lacks the scope that adds the tokens of upstream identity providers to users.
    fn check_idp_tokens_hidden(&self, granted: Option<&[String]>) -> Option<Finding> {
        let scope = "read:user_idp_tokens";
        granted?.iter().any(|own| own == scope).then(|| {
            let untick = self.config.grant_step(scope).replace(": tick ", ": untick ");
            Finding::failed(
                "the application cannot read users' upstream tokens",
                &[],
                format!("{untick}; the bridge does not need it"),
            )
        })
    }

    async fn check_connection(&self, scope: &CallScope, reset: &PasswordReset) -> Finding {
        let check = "the connection for password resets is a database";
        let calls = &[CallKind::SendPasswordResetEmail];
        let fix = "copy the name of a connection under Authentication → Database to `connection`";
        match self.api.connection(scope, &reset.connection).await {
            Err(error) => Finding::hidden_by(check, calls, &error, self.config.grant_step("read:connections")),
            Ok(Some(connection)) if connection.strategy == "auth0" => Finding::ok(check, calls).with_detail(
                "only Applications → the application → Connections shows whether it is enabled for `email_client_id`",
            ),
            Ok(Some(_)) => Finding::failed(check, calls, fix).with_detail("the connection is not a database"),
            Ok(None) => Finding::failed(check, calls, fix).with_detail("the connection does not exist"),
        }
    }

    /// Checks that a template is enabled. With a disabled one Auth0 accepts requests and sends no mail.
    async fn check_template(&self, scope: &CallScope, template: &str, name: &str, call: CallKind) -> Finding {
        let check = format!("the mail `{name}` is enabled");
        let fix = format!("Branding → Email Templates → Template: `{name}`: switch Status on");
        match self.api.email_template(scope, template).await {
            Ok(template) if template.enabled => Finding::ok(check, &[call]),
            Ok(_) => Finding::failed(check, &[call], fix),
            Err(error) if error.kind() == ErrorKind::NotFound => Finding::not_visible(check, &[call], fix)
                .with_detail("auth0 does not show the status of templates that were never changed"),
            Err(error) => Finding::hidden_by(&check, &[call], &error, self.config.grant_step("read:email_templates")),
        }
    }
}

/// Checks a scope in the token response, without a request that needs it.
pub(crate) fn check_scope(
    config: &Auth0Config,
    check: String,
    calls: &[CallKind],
    scope: &str,
    granted: Option<&[String]>,
) -> Finding {
    let fix = config.grant_step(scope);
    match granted {
        Some(granted) if granted.iter().any(|own| own == scope) => Finding::ok(check, calls),
        Some(_) => Finding::failed(check, calls, fix),
        None => Finding::not_visible(check, calls, fix)
            .with_detail("auth0's token response does not list the application's scopes"),
    }
}
