//! What `doctor` checks of a pool, and the step in the AWS console that mends it.
//!
//! Every check is a read, or a write for a user who is surely not there: IAM decides before Cognito looks for the user, so that
//! the refusal tells whether the action is allowed. Names of pages are those of the documentation in November 2026.

use aws_sdk_cognitoidentityprovider::types::{
    AccountRecoverySettingType, EmailSendingAccountType, PreventUserExistenceErrorTypes, RecoveryOptionNameType,
    UserPoolClientType, UserPoolType, VerifiedAttributeType,
};
use idp_bridge_core::{CallKind, CallScope, Error, ErrorKind, Finding, Result, UserId, Verdict, if_found};

use crate::client::UserPool;
use crate::config::{CognitoConfig, CustomerLookup};
use crate::error::Step;
use crate::index::{CustomerIndex, Standing};
use crate::search::Search;

const POOL_EXISTS: &str = "the pool exists";

/// An id that Cognito gives to nobody.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

const READS: [CallKind; 3] = [CallKind::GetById, CallKind::GetByEmail, CallKind::GetByCustomer];
const MAILS: [CallKind; 2] = [CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail];

/// A pool under diagnosis.
pub(crate) struct Diagnosis<'a> {
    pool: &'a UserPool,
    config: &'a CognitoConfig,
    index: &'a CustomerIndex,
}

impl<'a> Diagnosis<'a> {
    pub(crate) fn of(pool: &'a UserPool, config: &'a CognitoConfig, index: &'a CustomerIndex) -> Self {
        Self { pool, config, index }
    }

    /// Checks all that the settings need. Without a pool and credentials nothing else can be seen, so that comes first.
    pub(crate) async fn run(&self, scope: &CallScope) -> Vec<Finding> {
        let read = self.pool.must_exist(scope).await;
        let mut findings = self.reach(&read);
        if findings.iter().any(|finding| finding.verdict != Verdict::Ok) {
            return findings;
        }
        let listed = self.list_nobody(scope).await;
        if is_denied(&read) && listed.is_err() {
            // AWS refuses a pool that is not there in the same words as one that the policy does not name.
            findings.pop();
            findings.push(self.hidden_pool(&listed));
        }
        findings.push(self.allowed(Step::AdminGetUser, &CallKind::ALL, read));
        findings.push(self.allowed(Step::ListUsers, &CallKind::ALL, listed));
        let marked = self.mark_nobody(scope).await;
        findings.push(self.allowed(Step::AdminUpdateUserAttributes, &[CallKind::MarkEmailVerified], marked));
        let deleted = self.delete_nobody(scope).await;
        findings.push(self.allowed(Step::AdminDeleteUser, &[CallKind::Delete], deleted));
        findings.extend(self.settings(scope).await);
        findings.extend(self.app_client(scope).await);
        findings.push(self.writable(scope).await);
        match self.config.customer_lookup {
            Some(CustomerLookup::Group) => findings.push(self.groups(scope).await),
            Some(CustomerLookup::Index) => findings.push(self.standing()),
            Some(CustomerLookup::Attribute) | None => {}
        }
        if self.config.resend_invitations {
            // To try it could make a user.
            let check = "the credentials may use `cognito-idp:AdminCreateUser`";
            let fix =
                format!("it shows only when an invitation is sent once more: {}", self.grant(Step::AdminCreateUser));
            findings.push(Finding::not_visible(check, &[CallKind::SendVerificationEmail], fix));
        }
        findings
    }

    /// One request tells of three things, each of which hides the next.
    fn reach(&self, read: &Result<()>) -> Vec<Finding> {
        let checks = [
            (
                "Cognito is reachable",
                "check that the region's Cognito, or `endpoint` if it is set, can be reached from here".into(),
            ),
            (
                "AWS knows the credentials",
                "IAM → Users → the bridge's user → Security credentials: copy the access key to `access_key_id` and \
                 `secret_access_key`, or check `role_arn` against the role's trust policy; and check this host's clock"
                    .to_owned(),
            ),
            (POOL_EXISTS, self.copy_pool_id()),
        ];
        let failed = read.as_ref().err().and_then(|error| match error.kind() {
            ErrorKind::PermissionDenied => None,
            ErrorKind::Unauthenticated => Some((1, error.to_string())),
            ErrorKind::Misconfigured => Some((2, error.to_string())),
            _ => Some((0, error.to_string())),
        });
        Finding::chain(&CallKind::ALL, checks, failed)
    }

    /// Whether the pool exists, if the credentials may not read it: a search that finds no such pool proves that it does not.
    fn hidden_pool(&self, listed: &Result<()>) -> Finding {
        match listed {
            Err(error) if error.kind() == ErrorKind::Misconfigured => {
                Finding::failed(POOL_EXISTS, &CallKind::ALL, self.copy_pool_id()).with_detail(error.to_string())
            }
            _ => {
                let fix = format!("{}; or {}", self.copy_pool_id(), self.grant(Step::AdminGetUser));
                Finding::not_visible(POOL_EXISTS, &CallKind::ALL, fix)
                    .with_detail("AWS refuses another pool than those of the policy, be there such a pool or not")
            }
        }
    }

    fn copy_pool_id(&self) -> String {
        let now = &self.config.user_pool_id;
        format!("Amazon Cognito → User pools: copy the User pool ID to `user_pool_id` (now `{now}`)")
    }

    async fn mark_nobody(&self, scope: &CallScope) -> Result<()> {
        self.pool.set_email_verified(scope, &self.pool.nobody()?, true).await
    }

    async fn delete_nobody(&self, scope: &CallScope) -> Result<()> {
        self.pool.delete(scope, &self.pool.nobody()?).await
    }

    /// Every call searches, be it for users of another identity provider, who are not found by their id.
    async fn list_nobody(&self, scope: &CallScope) -> Result<()> {
        let nobody = UserId::new(NOBODY)
            .map_err(|error| Error::ours(ErrorKind::Unexpected, "the id of nobody is none").with_source(error))?;
        self.pool.search(scope, &Search::id(&nobody)?, None).await.map(drop)
    }

    fn allowed(&self, step: Step, calls: &[CallKind], asked: Result<()>) -> Finding {
        allowed(step, calls, asked, &self.config.user_pool_id)
    }

    fn grant(&self, step: Step) -> String {
        grant(step, &self.config.user_pool_id)
    }

    /// What the pool itself must have; one more permission shows it.
    async fn settings(&self, scope: &CallScope) -> Vec<Finding> {
        let has_mails = self.config.client_id.is_some();
        let (declared, mails) = ("the pool has the customer attribute", "the pool sends its codes by email");
        let pool = match self.pool.settings(scope).await {
            Ok(pool) => pool,
            Err(error) => {
                let hidden = |check, calls: &[CallKind]| {
                    Finding::hidden_by(check, calls, &error, self.grant(Step::DescribeUserPool))
                };
                let mails = has_mails.then(|| hidden(mails, &MAILS));
                return [hidden(declared, &READS)].into_iter().chain(mails).collect();
            }
        };
        let mut findings = vec![self.declared(declared, &pool)];
        if has_mails {
            findings.push(sends_mails(mails, &pool));
        }
        if self.config.customer_lookup == Some(CustomerLookup::Index) {
            findings.push(self.fits_index(&pool));
        }
        findings
    }

    fn declared(&self, check: &str, pool: &UserPoolType) -> Finding {
        let name = &self.config.customer_attribute;
        if pool.schema_attributes().iter().any(|attribute| attribute.name() == Some(name)) {
            return Finding::ok(check, &READS).with_detail(names(pool));
        }
        let short = name.trim_start_matches("custom:");
        let fix = format!("User pools → the pool → Sign-up → Custom attributes → Add: `{short}`, a String");
        Finding::failed(check, &READS, fix)
    }

    fn fits_index(&self, pool: &UserPoolType) -> Finding {
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

    /// The app client that orders mails. A wrong secret shows only when a mail is ordered; whether one is needed shows here.
    async fn app_client(&self, scope: &CallScope) -> Vec<Finding> {
        let Some(id) = &self.config.client_id else { return Vec::new() };
        let check = "the app client that orders mails fits the settings";
        let client = match self.pool.app_client(scope, id).await {
            Ok(client) => client,
            Err(error) => {
                return vec![Finding::hidden_by(check, &MAILS, &error, self.grant(Step::DescribeUserPoolClient))];
            }
        };
        let finding = match (&client.client_secret, &self.config.client_secret) {
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
                    "it hides who is a user (`PreventUserExistenceErrors`)"
                }
                _ => "it tells strangers who is a user: App clients → the client → Edit: Prevent user existence errors",
            }),
        };
        vec![finding]
    }

    async fn groups(&self, scope: &CallScope) -> Finding {
        let asked = self.pool.may_list_groups(scope).await;
        self.allowed(Step::ListUsersInGroup, &[CallKind::GetByCustomer], asked)
    }

    fn standing(&self) -> Finding {
        let (check, calls) = ("the index of customers is whole", [CallKind::GetByCustomer]);
        match self.index.standing() {
            Standing::Whole { users, age } => {
                Finding::ok(check, &calls).with_detail(format!("{users} users, read {} s ago", age.as_secs()))
            }
            Standing::Failed(error) => {
                let fix = "raise `customer_index.max_users`, or keep a group for each customer";
                Finding::failed(check, &calls, fix).with_detail(error)
            }
            Standing::Empty | Standing::Filling => {
                let fix = "the index is read when a call first needs it: check again afterwards, in the running bridge";
                Finding::not_visible(check, &calls, fix)
            }
        }
    }

    async fn writable(&self, scope: &CallScope) -> Finding {
        writable(self.pool, scope, &self.config.user_pool_id, &self.config.customer_attribute, &READS).await
    }
}

fn is_denied(read: &Result<()>) -> bool {
    read.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// Whether any app client of the pool, the tenant's or not, lets users write an attribute that says which customer they belong to.
pub(crate) async fn writable(
    pool: &UserPool,
    scope: &CallScope,
    pool_id: &str,
    attribute: &str,
    calls: &[CallKind],
) -> Finding {
    let check = format!("no app client lets users write `{attribute}`, which names the customer");
    let hidden =
        |error: &Error, step| Finding::hidden_by(check.clone(), calls, error, grant(step, pool_id)).with_authority();
    let (clients, more) = match pool.app_clients(scope).await {
        Ok(clients) => clients,
        Err(error) => return hidden(&error, Step::ListUserPoolClients),
    };
    for id in clients {
        match pool.app_client(scope, &id).await {
            Ok(client) if writes(&client, attribute) => {
                let fix = format!(
                    "User pools → the pool → App clients → `{id}` → Attribute permissions: do not let it write `{attribute}`"
                );
                return Finding::failed(check, calls, fix).with_authority();
            }
            Ok(_) => {}
            Err(error) => return hidden(&error, Step::DescribeUserPoolClient),
        }
    }
    let finding = match more {
        true => Finding::not_visible(check, calls, "the pool has more than 60 app clients: check the others by hand"),
        false => Finding::ok(check, calls),
    };
    finding.with_authority()
}

/// Whether an action is allowed: that there is no such user is told only to whoever may ask.
pub(crate) fn allowed(step: Step, calls: &[CallKind], asked: Result<()>, pool_id: &str) -> Finding {
    let check = format!("the credentials may use `cognito-idp:{}`", step.name());
    match if_found(asked) {
        Ok(_) => Finding::ok(check, calls),
        Err(error) => Finding::failed_by(check, calls, &error, grant(step, pool_id)),
    }
}

/// The step that grants an action.
pub(crate) fn grant(step: Step, pool_id: &str) -> String {
    let action = step.name();
    format!(
        "IAM → the bridge's user or role → Permissions: allow `cognito-idp:{action}` on the ARN of the pool `{pool_id}`"
    )
}

/// Whether a client lets users write an attribute. One without a list may write all standard attributes, but no custom ones (AWS,
/// Developer Guide, November 2026).
pub(crate) fn writes(client: &UserPoolClientType, attribute: &str) -> bool {
    match client.write_attributes() {
        [] => !attribute.starts_with("custom:"),
        listed => listed.iter().any(|own| own == attribute),
    }
}

/// How the pool names its users, for whoever wonders why two have one address.
fn names(pool: &UserPoolType) -> String {
    let list = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let own = list(pool.username_attributes().iter().map(|own| own.as_str()).collect());
    let aliases = list(pool.alias_attributes().iter().map(|alias| alias.as_str()).collect());
    let exact = pool.username_configuration.as_ref().is_none_or(|names| names.case_sensitive);
    let case = if exact { "matters" } else { "does not matter" };
    format!("sign-in by attributes: {own}; aliases: {aliases}; the case of names {case}")
}

/// Whether codes go by mail: Cognito prefers a text message where it is asked to, and to users who have a number.
fn sends_mails(check: &str, pool: &UserPoolType) -> Finding {
    if !pool.auto_verified_attributes().contains(&VerifiedAttributeType::Email) {
        let fix = "User pools → the pool → Sign-up → Attribute verification: let Cognito verify the email";
        return Finding::failed(check, &MAILS, fix).with_detail("the pool does not verify addresses");
    }
    if !pool.account_recovery_setting.as_ref().is_none_or(prefers_mail) {
        let fix = "User pools → the pool → Sign-in → User account recovery: `Email only`, or email if available";
        return Finding::failed(check, &MAILS, fix).with_detail("accounts are not recovered by email first");
    }
    let by = pool.email_configuration.as_ref().and_then(|mail| mail.email_sending_account.as_ref());
    Finding::ok(check, &MAILS).with_detail(match by {
        Some(EmailSendingAccountType::Developer) => "by SES",
        _ => "by Cognito's own mail service, which is for tests: Authentication methods → Email: use SES",
    })
}

fn prefers_mail(recovery: &AccountRecoverySettingType) -> bool {
    let first = recovery.recovery_mechanisms().iter().min_by_key(|mechanism| mechanism.priority());
    first.is_none_or(|first| *first.name() == RecoveryOptionNameType::VerifiedEmail)
}
