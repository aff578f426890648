//! The calls of the Users service, answered from one realm.

use async_trait::async_trait;
use idp_bridge_core::{
    CallScope, Capabilities, Connector, ConnectorContext, Customer, Deleted, Email, EmailStatus, Error, ErrorKind,
    Federation, Fidelity, Field, Finding, IdentityProvider, Matches, Result, UserId, UserKey, UserRecord, if_found,
    mark_verified,
};

use crate::client::AdminApi;
use crate::config::KeycloakConfig;
use crate::diagnose::Diagnosis;
use crate::federation::{self, RealmFederation};
use crate::logins::Logins;
use crate::map::KeycloakUser;
use crate::person::is_person;
use crate::search::Search;

/// What answers at `users/{id}` without being a user.
const RESERVED: [&str; 2] = ["count", "profile"];

/// One realm of a Keycloak, as the identity provider of one tenant.
pub struct Keycloak {
    api: AdminApi,
    config: KeycloakConfig,
    capabilities: Capabilities,
    federation: Option<RealmFederation>,
}

impl Connector for Keycloak {
    const TYPE: &'static str = "keycloak";
    type Config = KeycloakConfig;
    type Provider = Self;

    fn capabilities() -> Capabilities {
        Capabilities::all()
            .with_field(Field::UpdateTime, Fidelity::Absent)
            .with_field(Field::LoginTime, Fidelity::Derived)
            .with_field(Field::LoginsCount, Fidelity::Derived)
            .with_federation(Some(federation::capabilities()))
    }

    fn build(config: KeycloakConfig, context: &ConnectorContext) -> Result<Self> {
        config.check()?;
        let api = AdminApi::new(&config, &context.outbound)?;
        let mut capabilities = <Self as Connector>::capabilities();
        if !config.login_events {
            capabilities = capabilities
                .with_field(Field::LoginTime, Fidelity::Absent)
                .with_field(Field::LoginsCount, Fidelity::Absent);
        }
        let federation = context.federation.as_ref();
        let federation =
            federation.map(|settings| RealmFederation::new(api.clone(), &config, settings, context)).transpose()?;
        if federation.is_none() {
            capabilities = capabilities.with_federation(None);
        }
        Ok(Self { api, config, capabilities, federation })
    }
}

#[async_trait]
impl IdentityProvider for Keycloak {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn get(&self, scope: &CallScope, key: UserKey<'_>) -> Result<UserRecord> {
        let user = match key {
            UserKey::Id(id) => self.person(scope, id).await?,
            UserKey::Email(email) => self.only(scope, Search::email(email)).await?,
            UserKey::Customer(customer) => {
                self.only(scope, Search::customer(&self.config.customer_attribute, customer)?).await?
            }
        };
        let record = user.record(&self.config.customer_attribute)?;
        if matches!(key, UserKey::Customer(_)) && record.customer == Customer::Several {
            return Err(Error::upstream(ErrorKind::Ambiguous, "the user of this customer has other customers too"));
        }
        self.complete(scope, record).await
    }

    async fn get_for_userinfo(&self, scope: &CallScope, id: &UserId) -> Result<UserRecord> {
        self.person(scope, id).await?.record(&self.config.customer_attribute)
    }

    async fn delete(&self, scope: &CallScope, id: &UserId) -> Result<Deleted> {
        // Keycloak would delete a service account too, the bridge's own included, so the user is looked at first.
        // It is looked at whatever its name is, since nothing brings back what was deleted.
        let Some(user) = if_found(self.user(scope, id).await)? else { return Ok(Deleted::Absent) };
        if !is_person(&self.api, scope, &user).await? {
            return Ok(Deleted::Absent);
        }
        Ok(if_found(self.api.delete(scope, id).await)?.map_or(Deleted::Absent, |()| Deleted::Existed))
    }

    async fn mark_email_verified(&self, scope: &CallScope, id: &UserId, expected: Option<&Email>) -> Result<()> {
        let now = self.person(scope, id).await?.email_status();
        mark_verified(now, expected, |verified| self.set_email_verified(scope, id, verified)).await
    }

    async fn send_verification_email(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        let user = self.person(scope, id).await?;
        // Keycloak would send a mail to a verified address again.
        if user.email_verified == Some(true) && user.email().is_some() {
            return Ok(());
        }
        reachable_by_mail(&user)?;
        self.api.send_verify_email(scope, id).await
    }

    async fn send_password_reset_email(&self, scope: &CallScope, email: &Email) -> Result<()> {
        let user = self.only(scope, Search::email(email)).await?;
        reachable_by_mail(&user)?;
        self.api.send_password_email(scope, &user.id()?).await
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        Diagnosis::of(&self.api, &self.config).run(scope).await
    }

    fn federation(&self) -> Option<&dyn Federation> {
        self.federation.as_ref().map(|federation| federation as &dyn Federation)
    }
}

impl Keycloak {
    /// The user with this id, be it a person or a service account.
    async fn user(&self, scope: &CallScope, id: &UserId) -> Result<KeycloakUser> {
        if RESERVED.contains(&id.as_str()) {
            return Err(Error::no_such_user());
        }
        let user = self.api.user(scope, id).await?;
        if user.has_id(id) { Ok(user) } else { Err(Error::no_such_user()) }
    }

    /// The user with this id, if it is a person.
    async fn person(&self, scope: &CallScope, id: &UserId) -> Result<KeycloakUser> {
        let user = self.user(scope, id).await?;
        if self.may_be_answered(scope, &user).await? { Ok(user) } else { Err(Error::no_such_user()) }
    }

    /// Whether the user is a person, as far as its name leaves that open: a usual name costs no request.
    async fn may_be_answered(&self, scope: &CallScope, user: &KeycloakUser) -> Result<bool> {
        Ok(!user.is_named_like_service_account() || is_person(&self.api, scope, user).await?)
    }

    /// The one person that a search finds, however many pages its hits fill.
    async fn only(&self, scope: &CallScope, search: Search<'_>) -> Result<KeycloakUser> {
        let mut found = Matches::new();
        let mut seen = 0;
        loop {
            let page = self.api.users(scope, &search, seen).await?;
            seen += page.len();
            let is_last = page.len() < search.page();
            for user in page {
                if search.admits(&user)? && self.may_be_answered(scope, &user).await? {
                    found.add(user.id()?, user);
                }
            }
            if is_last || found.is_ambiguous() {
                break;
            }
        }
        if seen == 0 {
            // The role `query-users` alone makes every search an empty list. Roles count as they are now, whatever the
            // token says of them, so that only Keycloak itself can tell that nobody was hidden.
            self.api.may_view_users(scope).await?;
        }
        found.into_single()
    }

    /// Writes the flag, and reads the user again, since Keycloak's answer says nothing.
    async fn set_email_verified(&self, scope: &CallScope, id: &UserId, verified: bool) -> Result<EmailStatus> {
        self.api.set_email_verified(scope, id, verified).await?;
        Ok(self.person(scope, id).await?.email_status())
    }

    /// Adds what the settings ask for and what Keycloak keeps outside of the user.
    async fn complete(&self, scope: &CallScope, mut record: UserRecord) -> Result<UserRecord> {
        if self.config.brute_force && record.blocked == Some(false) {
            record.blocked = Some(self.api.lock(scope, &record.id).await?.disabled);
        }
        if self.config.login_events {
            let logins = Logins::of(&self.api, scope, &record.id).await?;
            record.login_time = logins.last;
            record.logins_count = logins.count;
        }
        Ok(record)
    }
}

/// Whether Keycloak sends mails to this user.
fn reachable_by_mail(user: &KeycloakUser) -> Result<()> {
    if user.email().is_none() {
        return Err(Error::state("the user has no email"));
    }
    if user.enabled == Some(false) {
        return Err(Error::state("the user is disabled, and keycloak sends no mails to such users"));
    }
    Ok(())
}
