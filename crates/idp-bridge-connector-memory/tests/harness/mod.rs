//! The harness of the memory connector.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use idp_bridge_conformance::{Harness, Need, NewUser, Setup, TestResult, UserKind, async_trait};
use idp_bridge_connector_memory::{Customers, Memory, MemoryUser};
use idp_bridge_core::{Capabilities, Clock as _, Connector, Email, IdentityProvider, SystemClock, UserId};

/// One memory for all cases.
pub(crate) struct InProcess {
    memory: Memory,
    made: AtomicU64,
}

impl InProcess {
    pub(crate) async fn start() -> TestResult<Self> {
        Ok(Self { memory: Memory::with_users(Vec::new())?, made: AtomicU64::new(0) })
    }
}

#[async_trait]
impl Harness for InProcess {
    fn name(&self) -> &str {
        "memory"
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Memory as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        let reason = match need {
            Need::Upstream => "it runs in process: there is no connection to an identity provider to interrupt",
            Need::Control(_) => "it runs in process: there are no credentials, realms and rights that could be wrong",
            Need::UndeliverableMail | Need::UnacceptedMail(_) => "mails are recorded, and recording does not fail",
            Need::SelfEdit => "no user can log in, so users edit nothing",
            Need::SecondEmail => "a user has one address",
            Need::Login => "no user can log in: login times and counts are those of the file",
            _ => return None,
        };
        Some(reason.to_owned())
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        match setup {
            Setup::Working => Ok(Arc::new(self.memory.provider())),
            other => Err(other.unsupported()),
        }
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        // Spread out, so that no user has an id with one letter changed.
        let number = self.made.fetch_add(1, Relaxed).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let id = UserId::new(format!("User-{number:016x}"))?;
        self.memory.insert(MemoryUser {
            customer: Customers::List(user.customers),
            email: user.email,
            create_time: Some(SystemClock.now()),
            email_verified: user.email_verified,
            blocked: user.blocked,
            service_account: user.kind == UserKind::ServiceAccount,
            ..MemoryUser::new(id.clone())
        })?;
        Ok(id)
    }

    async fn exists(&self, id: &UserId) -> TestResult<bool> {
        Ok(self.memory.user(id).is_some())
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        let change = |user: &mut MemoryUser| {
            (user.email, user.update_time) = (Some(email.clone()), Some(SystemClock.now()));
        };
        if self.memory.change(id, change) { Ok(()) } else { Err("there is no such user".into()) }
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        Ok(self.memory.outbox().iter().filter(|mail| mail.to.matches(email)).count())
    }
}
