//! The calls of the Users service, answered from one Auth0 tenant.

use std::sync::Arc;

use async_trait::async_trait;
use idp_bridge_core::{
    CallKind, CallScope, Capabilities, Connector, ConnectorContext, CustomerId, Deleted, Email, EmailStatus, Error,
    ErrorKind, Federation, Finding, IdentityProvider, InvalidValue, Matches, Result, Support, UserId, UserKey,
    UserRecord, if_found, mark_verified,
};

use crate::client::{Auth0Api, PasswordReset};
use crate::config::Auth0Config;
use crate::diagnose::Diagnosis;
use crate::federation::{self, Auth0Federation};
use crate::map::{Auth0User, is_user_id};
use crate::search::{PAGE, PAGES, Search};

const NO_RESETS: &str = "`connection` and `email_client_id` are not set: auth0 sends mails that reset a password for one database \
                         connection, on behalf of one application";

/// One Auth0 tenant, as the identity provider of one tenant.
pub struct Auth0 {
    api: Arc<Auth0Api>,
    config: Auth0Config,
    reset: Option<PasswordReset>,
    capabilities: Capabilities,
    federation: Option<Auth0Federation>,
}

impl Connector for Auth0 {
    const TYPE: &'static str = "auth0";
    type Config = Auth0Config;
    type Provider = Self;

    fn capabilities() -> Capabilities {
        let late = "auth0's user search lags behind: a user that was made or changed a moment ago may not be found";
        let case = "a user whose stored address has capitals, which only social, enterprise and custom database connections \
                    keep, is found by its exact spelling, else by auth0's user search, which lags behind";
        let verified = "auth0 verifies no addresses of users of enterprise and SMS connections";
        let queued = "auth0 sends the mail later, if the tenant's template for it is switched on, and none to users of enterprise \
                      and SMS connections";
        let reset =
            "for users of one database connection; auth0 sends the mail later, and at most one a minute to an address";
        Capabilities::all()
            .with_call(CallKind::GetByEmail, Support::conditional(case))
            .with_call(CallKind::GetByCustomer, Support::conditional(late))
            .with_call(CallKind::MarkEmailVerified, Support::conditional(verified))
            .with_call(CallKind::SendVerificationEmail, Support::conditional(queued))
            .with_call(CallKind::SendPasswordResetEmail, Support::conditional(reset))
            .with_federation(Some(federation::capabilities(true)))
    }

    fn build(config: Auth0Config, context: &ConnectorContext) -> Result<Self> {
        config.check()?;
        let api = Arc::new(Auth0Api::new(&config, context)?);
        let federation = context.federation.clone();
        let federation =
            federation.map(|settings| Auth0Federation::new(&config, settings, api.clone(), context)).transpose()?;
        let reset = config.connection.clone().zip(config.email_client_id.clone());
        let reset = reset.map(|(connection, client_id)| PasswordReset { connection, client_id });
        let promised = federation.is_some().then(|| federation::capabilities(config.accept_opaque));
        let mut capabilities = <Self as Connector>::capabilities().with_federation(promised);
        if reset.is_none() {
            capabilities = capabilities.with_call(CallKind::SendPasswordResetEmail, Support::unsupported(NO_RESETS));
        }
        Ok(Self { api, config, reset, capabilities, federation })
    }
}

#[async_trait]
impl IdentityProvider for Auth0 {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn get(&self, scope: &CallScope, key: UserKey<'_>) -> Result<UserRecord> {
        let user = match key {
            UserKey::Id(id) => self.user(scope, id).await?,
            UserKey::Email(email) => self.user_with_email(scope, email).await?,
            UserKey::Customer(customer) => self.user_of_customer(scope, customer).await?,
        };
        user.record(&self.config.customer_key)
    }

    async fn delete(&self, scope: &CallScope, id: &UserId) -> Result<Deleted> {
        // Auth0 answers the same whether the user was there or not. To look first would cost each delete a second request of the
        // tenant's rate limit, and another writer could still be quicker.
        if !is_user_id(id.as_str()) {
            return Ok(Deleted::Absent);
        }
        Ok(if_found(self.api.delete(scope, id).await)?.map_or(Deleted::Absent, |()| Deleted::Unknown))
    }

    async fn mark_email_verified(&self, scope: &CallScope, id: &UserId, expected: Option<&Email>) -> Result<()> {
        let now = self.user(scope, id).await?.email_status();
        mark_verified(now, expected, |verified| self.set_email_verified(scope, id, verified)).await
    }

    async fn send_verification_email(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        let user = self.user(scope, id).await?;
        if user.email().is_none() {
            return Err(Error::state("the user has no email"));
        }
        // What Auth0 does for a verified address is documented nowhere.
        if user.email_verified() == Some(true) {
            return Ok(());
        }
        let job = self.api.send_verification(scope, &user).await?;
        match (job.kind.as_str(), job.status.as_str()) {
            ("verification_email", "failed") => {
                Err(Error::upstream(ErrorKind::Unavailable, "auth0 could not send the mail"))
            }
            ("verification_email", _) => Ok(()),
            _ => Err(Error::upstream(ErrorKind::InvalidResponse, "auth0 took the order of a mail for another job")),
        }
    }

    async fn send_password_reset_email(&self, scope: &CallScope, email: &Email) -> Result<()> {
        let Some(reset) = &self.reset else { return Err(Error::unsupported(NO_RESETS)) };
        // Auth0 answers the same for an address that nobody has, so the user is looked for first.
        let user = self.user_with_email(scope, email).await?;
        let Some(address) = user.email() else { return Err(Error::state("the user has no email")) };
        if user.is_blocked() {
            return Err(Error::state("the user is blocked"));
        }
        if !user.has_password_in(&reset.connection) {
            return Err(Error::state("the user has no password in the configured `connection`"));
        }
        self.api.send_password_mail(scope, reset, &address).await
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        Diagnosis::of(&self.api, &self.config, self.reset.as_ref()).run(scope).await
    }

    fn federation(&self) -> Option<&dyn Federation> {
        self.federation.as_ref().map(|federation| federation as &dyn Federation)
    }
}

impl Auth0 {
    /// The user with this id. What does not look like one of Auth0's ids never becomes part of a URL.
    async fn user(&self, scope: &CallScope, id: &UserId) -> Result<Auth0User> {
        if !is_user_id(id.as_str()) {
            return Err(Error::no_such_user());
        }
        let user = self.api.user(scope, id).await?;
        if user.has_id(id) { Ok(user) } else { Err(Error::another_user()) }
    }

    /// The one user with this address.
    ///
    /// Auth0 keeps addresses in lower case in its own databases, and as they come everywhere else; its look-up minds the case
    /// (<https://auth0.com/docs/manage-users/user-search/retrieve-users-with-get-users-by-email-endpoint>, November 2026).
    /// So it is asked for the address as given and in lower case, and only then for other spellings, by its search.
    async fn user_with_email(&self, scope: &CallScope, email: &Email) -> Result<Auth0User> {
        let lower = email.as_str().to_ascii_lowercase();
        let mut named = self.api.users_by_email(scope, email.as_str()).await?;
        if lower != email.as_str() {
            named.extend(self.api.users_by_email(scope, &lower).await?);
        }
        let mut found = match named.is_empty() {
            true => self.found(scope, &Search::Email(email)).await?,
            false => Matches::new(),
        };
        for user in named.into_iter().filter(|user| user.has_email(email)) {
            found.add(user.id()?, user);
        }
        for connection in &self.config.prefer_connections {
            found.prefer(|user| user.is_of(connection));
        }
        found.into_single()
    }

    /// The one user of this customer.
    async fn user_of_customer(&self, scope: &CallScope, customer: &CustomerId) -> Result<Auth0User> {
        let search = Search::Customer { key: &self.config.customer_key, customer };
        self.found(scope, &search).await?.into_single()
    }

    /// The users that a search finds, each read again by id, as they are now; no more than it takes to know that they are several.
    async fn found(&self, scope: &CallScope, search: &Search<'_>) -> Result<Matches<Auth0User>> {
        let mut found = Matches::new();
        for page in 0..PAGES {
            let answer = self.api.search(scope, search, page).await;
            // After a full last page the next one does not exist.
            let hits = if page == 0 { answer? } else { if_found(answer)?.unwrap_or_default() };
            let is_last = hits.len() < PAGE;
            for hit in hits {
                let id = UserId::new(hit.user_id).map_err(unusable_hit)?;
                // The search may not have noticed yet that a user is gone.
                if let Some(user) = if_found(self.user(scope, &id).await)?
                    && search.admits(&user)?
                {
                    found.add(id, user);
                }
            }
            if is_last || found.is_ambiguous() {
                return Ok(found);
            }
        }
        Err(Error::upstream(ErrorKind::Unavailable, "auth0's user search lags too far behind"))
    }

    /// Writes the flag. The answer is the user after the change, so it need not be read again.
    async fn set_email_verified(&self, scope: &CallScope, id: &UserId, verified: bool) -> Result<EmailStatus> {
        let user = self.api.set_email_verified(scope, id, verified).await?;
        if user.has_id(id) {
            return Ok(user.email_status());
        }
        Err(Error::another_user())
    }
}

fn unusable_hit(error: InvalidValue) -> Error {
    Error::upstream(ErrorKind::InvalidResponse, "auth0 found a user with an unusable id").with_source(error)
}
