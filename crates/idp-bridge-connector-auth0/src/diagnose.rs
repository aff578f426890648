//! What `doctor` checks of a tenant, and the step in the Auth0 Dashboard that mends it.
//!
//! Every check is a read. Names of pages, tabs and switches are those of the documentation in November 2026.

use idp_bridge_core::{CallKind, CallScope, Error, ErrorKind, Finding, UserId, Verdict, if_found};

use crate::client::{Auth0Api, PasswordReset};
use crate::config::Auth0Config;

/// The calls that read a user, be it before they do something else.
const READERS: [CallKind; 6] = [
    CallKind::GetById,
    CallKind::GetByEmail,
    CallKind::GetByCustomer,
    CallKind::MarkEmailVerified,
    CallKind::SendVerificationEmail,
    CallKind::SendPasswordResetEmail,
];
const UPDATERS: [CallKind; 2] = [CallKind::MarkEmailVerified, CallKind::SendVerificationEmail];

/// An id that no user has, to see whether users may be read at all.
const NOBODY: &str = "auth0|idp-bridge-doctor";

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

    /// Checks all that the settings need. Without a login nothing else can be seen, so that comes first.
    pub(crate) async fn run(&self, scope: &CallScope) -> Vec<Finding> {
        let granted = self.api.granted_scopes(scope).await;
        let mut findings = self.login(granted.as_ref().err());
        if findings.iter().any(|finding| finding.verdict != Verdict::Ok) {
            return findings;
        }
        let granted = granted.ok().flatten();
        findings.push(self.may_read(scope).await);
        findings.push(self.may("update:users", &UPDATERS, granted.as_deref()));
        findings.push(self.may("delete:users", &[CallKind::Delete], granted.as_deref()));
        findings.extend(self.sees_too_much(granted.as_deref()));
        if let Some(reset) = self.reset {
            findings.push(self.connection(scope, reset).await);
        }
        findings.extend(self.templates(scope).await);
        findings
    }

    /// One login tells of three things, each of which hides the next.
    fn login(&self, failure: Option<&Error>) -> Vec<Finding> {
        let Auth0Config { domain, client_id, .. } = self.config;
        let checks = [
            (
                "Auth0 is reachable",
                format!("check that `https://{domain}`, or `endpoint` if it is set, can be reached from here"),
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

    /// Auth0 tells of an unknown user that there is none, but only to whoever may read users.
    async fn may_read(&self, scope: &CallScope) -> Finding {
        let check = "the application may read users";
        let read = match UserId::new(NOBODY) {
            Ok(nobody) => self.api.user(scope, &nobody).await.map(drop),
            Err(error) => Err(Error::ours(ErrorKind::Unexpected, "the id of nobody is unusable").with_source(error)),
        };
        match if_found(read) {
            Ok(_) => Finding::ok(check, &READERS),
            Err(error) => Finding::failed_by(check, &READERS, &error, self.tick("read:users")),
        }
    }

    /// What a write needs can be told by the token alone.
    fn may(&self, scope: &str, calls: &[CallKind], granted: Option<&[String]>) -> Finding {
        let check = format!("the application has the scope `{scope}`");
        match granted {
            Some(granted) if granted.iter().any(|own| own == scope) => Finding::ok(check, calls),
            Some(_) => Finding::failed(check, calls, self.tick(scope)),
            None => Finding::not_visible(check, calls, self.tick(scope))
                .with_detail("auth0 did not say which scopes the application has"),
        }
    }

    /// With this scope Auth0 answers users together with the tokens of the identity providers behind it.
    fn sees_too_much(&self, granted: Option<&[String]>) -> Option<Finding> {
        let scope = "read:user_idp_tokens";
        granted?.iter().any(|own| own == scope).then(|| {
            let fix = format!("{}; the bridge needs no such thing", self.tick(scope).replace(": tick ", ": untick "));
            Finding::failed("the application sees no tokens of users", &[], fix)
        })
    }

    async fn connection(&self, scope: &CallScope, reset: &PasswordReset) -> Finding {
        let check = "the connection for password resets is a database";
        let calls = &[CallKind::SendPasswordResetEmail];
        let fix = "copy the name of one of Authentication → Database to `connection`";
        match self.api.connection(scope, &reset.connection).await {
            Err(error) => Finding::hidden_by(check, calls, &error, self.tick("read:connections")),
            Ok(Some(connection)) if connection.strategy == "auth0" => Finding::ok(check, calls).with_detail(
                "whether it is switched on for `email_client_id` shows only in Applications → the application → Connections",
            ),
            Ok(Some(_)) => Finding::failed(check, calls, fix).with_detail("the connection is no database"),
            Ok(None) => Finding::failed(check, calls, fix).with_detail("there is no such connection"),
        }
    }

    async fn templates(&self, scope: &CallScope) -> Vec<Finding> {
        let verification = ("verify_email", "Verification Email (using Link)", CallKind::SendVerificationEmail, true);
        let reset = ("reset_email", "Change Password (Link)", CallKind::SendPasswordResetEmail, self.reset.is_some());
        let mut findings = Vec::new();
        for (template, name, call, is_sent) in [verification, reset] {
            if is_sent {
                findings.push(self.template(scope, template, name, call).await);
            }
        }
        findings
    }

    /// A template that is switched off sends nothing, and no answer says so.
    async fn template(&self, scope: &CallScope, template: &str, name: &str, call: CallKind) -> Finding {
        let check = format!("the mail `{name}` is switched on");
        let fix = format!("Branding → Email Templates → Template: `{name}`: switch Status on");
        match self.api.email_template(scope, template).await {
            Ok(template) if template.enabled => Finding::ok(check, &[call]),
            Ok(_) => Finding::failed(check, &[call], fix),
            Err(error) if error.kind() == ErrorKind::NotFound => Finding::not_visible(check, &[call], fix)
                .with_detail("the template was never changed, and of such auth0 does not say whether they are on"),
            Err(error) => Finding::hidden_by(&check, &[call], &error, self.tick("read:email_templates")),
        }
    }

    fn tick(&self, scope: &str) -> String {
        self.config.tick(scope)
    }
}
