//! The checks of `doctor` for a pool, with the step in the AWS console that fixes each fault.
//!
//! Every check is a read, or a write for a user that does not exist: IAM decides before Cognito looks up the user, so the error
//! shows whether the action is allowed. Names of pages are from the documentation of November 2026.

use aws_sdk_cognitoidentityprovider::types::{
    AccountRecoverySettingType, EmailSendingAccountType, PreventUserExistenceErrorTypes, RecoveryOptionNameType,
    UserPoolClientType, UserPoolType, VerifiedAttributeType,
};
use idp_bridge_core::{CallKind, CallScope, Error, ErrorKind, Finding, Result, UserId, Verdict, if_found};

use crate::client::{AppClients, UserPool};
use crate::config::{CognitoConfig, CustomerLookup};
use crate::error::Operation;
use crate::index::{CustomerIndex, IndexStatus};
use crate::search::Search;

const POOL_EXISTS: &str = "the pool exists";

/// An id that no user has.
const UNUSED_ID: &str = "00000000-0000-0000-0000-000000000000";

const READS: [CallKind; 3] = [CallKind::GetById, CallKind::GetByEmail, CallKind::GetByCustomer];
const MAILS: [CallKind; 2] = [CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail];

/// The diagnosis of a pool.
pub(crate) struct Diagnosis<'a> {
    pool: &'a UserPool,
    config: &'a CognitoConfig,
    index: &'a CustomerIndex,
}

impl<'a> Diagnosis<'a> {
    pub(crate) fn new(pool: &'a UserPool, config: &'a CognitoConfig, index: &'a CustomerIndex) -> Self {
        Self { pool, config, index }
    }

    /// Runs all checks that the settings need. The pool and the credentials come first: without them nothing else is visible.
    pub(crate) async fn run(&self, scope: &CallScope) -> Vec<Finding> {
        let read = self.pool.check_readable(scope).await;
        let mut findings = self.check_connection(&read);
        if findings.iter().any(|finding| finding.verdict != Verdict::Ok) {
            return findings;
        }
        let listed = self.try_list(scope).await;
        if is_denied(&read) && listed.is_err() {
            // For a missing pool AWS returns the same error as for a pool outside of the policy.
            findings.pop();
            findings.push(self.denied_pool(&listed));
        }
        findings.push(allowed(self.pool, Operation::AdminGetUser, &CallKind::ALL, read));
        findings.push(allowed(self.pool, Operation::ListUsers, &CallKind::ALL, listed));
        let marked = self.try_mark(scope).await;
        findings.push(allowed(self.pool, Operation::AdminUpdateUserAttributes, &[CallKind::MarkEmailVerified], marked));
        let deleted = self.try_delete(scope).await;
        findings.push(allowed(self.pool, Operation::AdminDeleteUser, &[CallKind::Delete], deleted));
        findings.extend(self.check_settings(scope).await);
        findings.extend(self.check_app_client(scope).await);
        findings.push(check_not_writable(self.pool, scope, &self.config.customer_attribute, &READS).await);
        match self.config.customer_lookup {
            Some(CustomerLookup::Group) => findings.push(self.check_groups(scope).await),
            Some(CustomerLookup::Index) => findings.push(self.check_index()),
            Some(CustomerLookup::Attribute) | None => {}
        }
        if self.config.resend_invitations {
            // A trial could create a user.
            let check = "the credentials may use `cognito-idp:AdminCreateUser`";
            let fix = format!(
                "it is visible only when an invitation is sent once more: {}",
                grant(self.pool, Operation::AdminCreateUser)
            );
            findings.push(Finding::not_visible(check, &[CallKind::SendVerificationEmail], fix));
        }
        findings
    }

    /// Returns three findings from one request. Each fault hides the next.
    fn check_connection(&self, read: &Result<()>) -> Vec<Finding> {
        let checks = [
            (
                "Cognito is reachable",
                "check that the region's Cognito, or `endpoint` if it is set, can be reached from here".into(),
            ),
            (
                "AWS accepts the credentials",
                "IAM → Users → the bridge's user → Security credentials: copy the access key to `access_key_id` and \
                 `secret_access_key`, or check `role_arn` against the role's trust policy; and check this host's clock"
                    .to_owned(),
            ),
            (POOL_EXISTS, self.copy_pool_id()),
        ];
        let failed = read.as_ref().err().and_then(|error| match error.kind() {
            ErrorKind::PermissionDenied => None,
            ErrorKind::Unauthenticated => Some((1, error)),
            ErrorKind::Misconfigured => Some((2, error)),
            _ => Some((0, error)),
        });
        Finding::chain(&CallKind::ALL, checks, failed)
    }

    /// Returns the finding of a pool that the credentials may not read. A search can prove that it does not exist.
    fn denied_pool(&self, listed: &Result<()>) -> Finding {
        match listed {
            Err(error) if error.kind() == ErrorKind::Misconfigured => {
                Finding::failed(POOL_EXISTS, &CallKind::ALL, self.copy_pool_id()).with_detail(error.to_string())
            }
            _ => {
                let fix = format!("{}; or {}", self.copy_pool_id(), grant(self.pool, Operation::AdminGetUser));
                Finding::not_visible(POOL_EXISTS, &CallKind::ALL, fix).with_detail(
                    "AWS denies access to every pool outside of the policy, even if the pool does not exist",
                )
            }
        }
    }

    fn copy_pool_id(&self) -> String {
        let now = &self.config.user_pool_id;
        format!("Amazon Cognito → User pools: copy the User pool ID to `user_pool_id` (now `{now}`)")
    }

    async fn try_mark(&self, scope: &CallScope) -> Result<()> {
        self.pool.set_email_verified(scope, &self.pool.unused_name()?, true).await
    }

    async fn try_delete(&self, scope: &CallScope) -> Result<()> {
        self.pool.delete(scope, &self.pool.unused_name()?).await
    }

    /// Every call needs searches: users of another identity provider are not found by their id.
    async fn try_list(&self, scope: &CallScope) -> Result<()> {
        let id = UserId::new(UNUSED_ID)
            .map_err(|error| Error::ours(ErrorKind::Unexpected, "the unused id is invalid").with_source(error))?;
        self.pool.search(scope, &Search::by_id(&id)?, None).await.map(drop)
    }

    /// Checks the settings of the pool, which need `DescribeUserPool`.
    async fn check_settings(&self, scope: &CallScope) -> Vec<Finding> {
        let has_mails = self.config.client_id.is_some();
        let (declared, mails) = ("the pool has the customer attribute", "the pool sends its codes by email");
        let pool = match self.pool.settings(scope).await {
            Ok(pool) => pool,
            Err(error) => {
                let hidden = |check, calls: &[CallKind]| {
                    Finding::hidden_by(check, calls, &error, grant(self.pool, Operation::DescribeUserPool))
                };
                let mails = has_mails.then(|| hidden(mails, &MAILS));
                return [hidden(declared, &READS)].into_iter().chain(mails).collect();
            }
        };
        let mut findings = vec![self.check_customer_attribute(declared, &pool)];
        if has_mails {
            findings.push(check_mails(mails, &pool));
        }
        if self.config.customer_lookup == Some(CustomerLookup::Index) {
            findings.push(self.check_index_size(&pool));
        }
        findings
    }

    fn check_customer_attribute(&self, check: &str, pool: &UserPoolType) -> Finding {
        let name = &self.config.customer_attribute;
        if pool.schema_attributes().iter().any(|attribute| attribute.name() == Some(name)) {
            return Finding::ok(check, &READS).with_detail(describe_names(pool));
        }
        let short = name.trim_start_matches("custom:");
        let fix = format!("User pools → the pool → Sign-up → Custom attributes → Add: `{short}`, a String");
        Finding::failed(check, &READS, fix)
    }

    fn check_index_size(&self, pool: &UserPoolType) -> Finding {
        let check = "the pool is small enough for the index of customers";
        let (users, most) = (pool.estimated_number_of_users, self.config.customer_index.max_users);
        let detail = format!("about {users} users, which take {} requests to read", (users.max(1) - 1) / 60 + 1);
        let finding = if usize::try_from(users).is_ok_and(|users| users > most) {
            let fix = "keep a group for each customer and set `customer_lookup = \"group\"`, or raise `customer_index.max_users`";
            Finding::failed(check, &[CallKind::GetByCustomer], fix)
        } else {
            Finding::ok(check, &[CallKind::GetByCustomer])
        };
        finding.with_detail(detail)
    }

    /// Checks the app client that requests mails.
    async fn check_app_client(&self, scope: &CallScope) -> Option<Finding> {
        let id = self.config.client_id.as_ref()?;
        let check = "the app client for mails fits the settings";
        let client = match self.pool.app_client(scope, id).await {
            Ok(client) => client,
            Err(error) => {
                let fix = grant(self.pool, Operation::DescribeUserPoolClient);
                return Some(Finding::hidden_by(check, &MAILS, &error, fix));
            }
        };
        Some(match (&client.client_secret, &self.config.client_secret) {
            (None, Some(_)) => {
                Finding::failed(check, &MAILS, "the app client has no secret: remove `client_secret` from the settings")
            }
            (Some(secret), own) if own.as_ref().map(|own| own.expose()) != Some(secret) => Finding::failed(
                check,
                &MAILS,
                "User pools → the pool → App clients → the client: copy the Client secret to `client_secret`",
            ),
            _ => Finding::ok(check, &MAILS).with_detail(match client.prevent_user_existence_errors {
                Some(PreventUserExistenceErrorTypes::Enabled) => {
                    "its errors hide which users exist (`PreventUserExistenceErrors`)"
                }
                _ => {
                    "its errors show which users exist: App clients → the client → Edit: Prevent user existence errors"
                }
            }),
        })
    }

    async fn check_groups(&self, scope: &CallScope) -> Finding {
        let tried = self.pool.check_groups_readable(scope).await;
        allowed(self.pool, Operation::ListUsersInGroup, &[CallKind::GetByCustomer], tried)
    }

    fn check_index(&self) -> Finding {
        let (check, calls) = ("the index of customers is complete", [CallKind::GetByCustomer]);
        match self.index.status() {
            IndexStatus::Complete { users, age } => {
                Finding::ok(check, &calls).with_detail(format!("{users} users, read {} s ago", age.as_secs()))
            }
            IndexStatus::Failed(error) => {
                let fix = "raise `customer_index.max_users`, or keep a group for each customer";
                Finding::failed(check, &calls, fix).with_detail(error)
            }
            IndexStatus::Empty | IndexStatus::Filling => {
                let fix = "the first call that needs the index fills it: check again afterwards, in the running bridge";
                Finding::not_visible(check, &calls, fix)
            }
        }
    }
}

fn is_denied(read: &Result<()>) -> bool {
    read.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// Checks that no app client of the pool lets users write the attribute with their customer.
pub(crate) async fn check_not_writable(
    pool: &UserPool,
    scope: &CallScope,
    attribute: &str,
    calls: &[CallKind],
) -> Finding {
    let check = format!("no app client lets users write `{attribute}`, the customer");
    let hidden = |error: &Error, operation| {
        Finding::hidden_by(check.clone(), calls, error, grant(pool, operation)).with_authority()
    };
    let AppClients { ids, has_more } = match pool.app_clients(scope).await {
        Ok(clients) => clients,
        Err(error) => return hidden(&error, Operation::ListUserPoolClients),
    };
    for id in ids {
        match pool.app_client(scope, &id).await {
            Ok(client) if can_write(&client, attribute) => {
                let fix = format!(
                    "User pools → the pool → App clients → `{id}` → Attribute permissions: do not let it write `{attribute}`"
                );
                return Finding::failed(check, calls, fix).with_authority();
            }
            Ok(_) => {}
            Err(error) => return hidden(&error, Operation::DescribeUserPoolClient),
        }
    }
    let finding = if has_more {
        Finding::not_visible(check, calls, "the pool has more than 60 app clients: check the others by hand")
    } else {
        Finding::ok(check, calls)
    };
    finding.with_authority()
}

/// Returns whether an action is allowed, by the result of a trial. The error of a missing user proves the right.
pub(crate) fn allowed(pool: &UserPool, operation: Operation, calls: &[CallKind], tried: Result<()>) -> Finding {
    let check = format!("the credentials may use `cognito-idp:{operation}`");
    match if_found(tried) {
        Ok(_) => Finding::ok(check, calls),
        Err(error) => Finding::failed_by(check, calls, &error, grant(pool, operation)),
    }
}

/// Returns the step that grants an action.
pub(crate) fn grant(pool: &UserPool, operation: Operation) -> String {
    let id = pool.id();
    format!(
        "IAM → the bridge's user or role → Permissions: allow `cognito-idp:{operation}` on the ARN of the pool `{id}`"
    )
}

/// Returns whether a client lets users write an attribute. A client without a list can write all standard attributes, but no
/// custom attributes (AWS, Developer Guide, November 2026).
pub(crate) fn can_write(client: &UserPoolClientType, attribute: &str) -> bool {
    match client.write_attributes() {
        [] => !attribute.starts_with("custom:"),
        listed => listed.iter().any(|own| own == attribute),
    }
}

/// Describes how users of the pool sign in, which explains two users with one address.
fn describe_names(pool: &UserPoolType) -> String {
    let list = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let own = list(pool.username_attributes().iter().map(|own| own.as_str()).collect());
    let aliases = list(pool.alias_attributes().iter().map(|alias| alias.as_str()).collect());
    let is_exact = pool.username_configuration.as_ref().is_none_or(|names| names.case_sensitive);
    let case = if is_exact { "matters" } else { "does not matter" };
    format!("sign-in by attributes: {own}; aliases: {aliases}; the case of names {case}")
}

/// Checks that codes are sent by mail. Some pools prefer text messages, as far as users have a number.
fn check_mails(check: &str, pool: &UserPoolType) -> Finding {
    if !pool.auto_verified_attributes().contains(&VerifiedAttributeType::Email) {
        let fix = "User pools → the pool → Sign-up → Attribute verification: let Cognito verify the email";
        return Finding::failed(check, &MAILS, fix).with_detail("the pool does not verify addresses");
    }
    if !pool.account_recovery_setting.as_ref().is_none_or(prefers_email) {
        let fix = "User pools → the pool → Sign-in → User account recovery: `Email only`, or email if available";
        return Finding::failed(check, &MAILS, fix).with_detail("accounts are not recovered by email first");
    }
    let by = pool.email_configuration.as_ref().and_then(|mail| mail.email_sending_account.as_ref());
    Finding::ok(check, &MAILS).with_detail(match by {
        Some(EmailSendingAccountType::Developer) => "by SES",
        _ => "by Cognito's own mail service, which is for tests: Authentication methods → Email: use SES",
    })
}

fn prefers_email(recovery: &AccountRecoverySettingType) -> bool {
    let first = recovery.recovery_mechanisms().iter().min_by_key(|mechanism| mechanism.priority());
    first.is_none_or(|first| *first.name() == RecoveryOptionNameType::VerifiedEmail)
}
