//! What `doctor` checks of a pool, and the step in the AWS console that mends it.
//!
//! Every check is a read, or a write for a user who is surely not there: IAM decides before Cognito looks for the user, so that
//! the refusal tells whether the action is allowed. Names of pages are those of the documentation in November 2026.

use aws_sdk_cognitoidentityprovider::types::UserPoolClientType;
use idp_bridge_core::{CallKind, CallScope, ErrorKind, Finding, Result, Verdict, if_found};

use crate::client::UserPool;
use crate::config::{CognitoConfig, CustomerLookup};
use crate::error::Step;
use crate::index::{CustomerIndex, Standing};

/// The calls that read a user by name, be it before they do something else.
const BY_NAME: [CallKind; 7] = CallKind::ALL;
/// The calls that search.
const SEARCHES: [CallKind; 2] = [CallKind::GetByEmail, CallKind::SendPasswordResetEmail];
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
        findings.push(self.allowed(Step::AdminGetUser, &BY_NAME, read));
        findings.push(self.may_list(scope).await);
        let marked = self.mark_nobody(scope).await;
        findings.push(self.allowed(Step::AdminUpdateUserAttributes, &[CallKind::MarkEmailVerified], marked));
        let deleted = self.delete_nobody(scope).await;
        findings.push(self.allowed(Step::AdminDeleteUser, &[CallKind::Delete], deleted));
        findings.extend(self.app_client(scope).await);
        findings.extend(self.customers(scope).await);
        findings
    }

    /// One request tells of three things, each of which hides the next.
    fn reach(&self, read: &Result<()>) -> Vec<Finding> {
        let CognitoConfig { user_pool_id, .. } = self.config;
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
            (
                "the pool exists",
                format!("Amazon Cognito → User pools: copy the User pool ID to `user_pool_id` (now `{user_pool_id}`)"),
            ),
        ];
        let failed = read.as_ref().err().and_then(|error| match error.kind() {
            ErrorKind::PermissionDenied => None,
            ErrorKind::Unauthenticated => Some((1, error.to_string())),
            ErrorKind::Misconfigured => Some((2, error.to_string())),
            _ => Some((0, error.to_string())),
        });
        Finding::chain(&CallKind::ALL, checks, failed)
    }

    async fn mark_nobody(&self, scope: &CallScope) -> Result<()> {
        self.pool.set_email_verified(scope, &self.pool.nobody()?, true).await
    }

    async fn delete_nobody(&self, scope: &CallScope) -> Result<()> {
        self.pool.delete(scope, &self.pool.nobody()?).await
    }

    async fn may_list(&self, scope: &CallScope) -> Finding {
        let listed = self.pool.everybody(scope, None).await.map(drop);
        self.allowed(Step::ListUsers, &SEARCHES, listed)
    }

    /// Whether an action is allowed: that there is no such user is told only to whoever may ask.
    fn allowed(&self, step: Step, calls: &[CallKind], asked: Result<()>) -> Finding {
        let check = format!("the credentials may use `cognito-idp:{}`", step.name());
        match if_found(asked) {
            Ok(_) => Finding::ok(check, calls),
            Err(error) => Finding::failed_by(check, calls, &error, self.grant(step)),
        }
    }

    fn grant(&self, step: Step) -> String {
        format!(
            "IAM → the bridge's user or role → Permissions: allow `cognito-idp:{}` on the ARN of the pool `{}`",
            step.name(),
            self.config.user_pool_id
        )
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
            _ => Finding::ok(check, &MAILS),
        };
        vec![finding]
    }

    async fn customers(&self, scope: &CallScope) -> Vec<Finding> {
        let by_customer = [CallKind::GetByCustomer];
        let Some(lookup) = self.config.customer_lookup else { return vec![self.writable(scope).await] };
        let mut findings = vec![self.writable(scope).await];
        match lookup {
            CustomerLookup::Attribute => {
                let check = "the customer attribute can be searched";
                findings.push(Finding::ok(check, &by_customer));
            }
            CustomerLookup::Group => {
                let asked = self.pool.may_list_groups(scope).await;
                findings.push(self.allowed(Step::ListUsersInGroup, &by_customer, asked));
            }
            CustomerLookup::Index => findings.push(self.standing()),
        }
        findings
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

    /// The customer is authority: a client that lets users write it lets them choose whom they belong to.
    async fn writable(&self, scope: &CallScope) -> Finding {
        let check = "no app client lets users write the customer attribute";
        let calls = [CallKind::GetById, CallKind::GetByEmail, CallKind::GetByCustomer];
        let (clients, more) = match self.pool.app_clients(scope).await {
            Ok(clients) => clients,
            Err(error) => return Finding::hidden_by(check, &calls, &error, self.grant(Step::ListUserPoolClients)),
        };
        for id in clients {
            match self.pool.app_client(scope, &id).await {
                Ok(client) if self.is_writable_by(&client) => {
                    let fix = format!(
                        "User pools → the pool → App clients → `{id}` → Attribute permissions: do not let it write `{}`",
                        self.config.customer_attribute
                    );
                    return Finding::failed(check, &calls, fix);
                }
                Ok(_) => {}
                Err(error) => {
                    return Finding::hidden_by(check, &calls, &error, self.grant(Step::DescribeUserPoolClient));
                }
            }
        }
        if more {
            return Finding::not_visible(
                check,
                &calls,
                "the pool has more than 60 app clients: check the others by hand",
            );
        }
        Finding::ok(check, &calls)
    }

    /// A client without a list may write all standard attributes, but no custom ones (AWS, Developer Guide, November 2026).
    fn is_writable_by(&self, client: &UserPoolClientType) -> bool {
        let attribute = &self.config.customer_attribute;
        match client.write_attributes.as_deref() {
            None | Some([]) => !attribute.starts_with("custom:"),
            Some(listed) => listed.contains(attribute),
        }
    }
}
