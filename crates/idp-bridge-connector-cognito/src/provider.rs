//! The calls of the Users service, answered from one user pool.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cognitoidentityprovider::types::UserStatusType;
use idp_bridge_core::{
    CallKind, CallScope, Capabilities, Connector, ConnectorContext, CustomerId, Deleted, Email, Error, ErrorKind,
    Federation, Fidelity, Field, Finding, IdentityProvider, Matches, Result, Support, UserId, UserKey, UserRecord,
    if_found, mark_verified,
};
use idp_bridge_http::Client;

use crate::client::UserPool;
use crate::config::{CognitoConfig, CustomerLookup};
use crate::diagnose::Diagnosis;
use crate::federation::{self, PoolFederation};
use crate::index::CustomerIndex;
use crate::map::PoolUser;
use crate::search::Search;

const NO_LOOKUP: &str =
    "Cognito cannot search custom attributes; set `customer_lookup` to `attribute`, `group` or `index`";
const NO_APP_CLIENT: &str = "Cognito sends mails for app clients only; set `client_id`";

/// One user pool of Cognito, as the identity provider of one tenant.
pub struct Cognito {
    pool: Arc<UserPool>,
    config: CognitoConfig,
    index: CustomerIndex,
    capabilities: Capabilities,
    federation: Option<PoolFederation>,
}

impl Connector for Cognito {
    const TYPE: &'static str = "cognito";
    type Config = CognitoConfig;
    type Provider = Self;

    fn capabilities() -> Capabilities {
        let by_customer =
            "by a searchable attribute, a group for each customer or an index of the pool, as the settings say";
        let verification = "users who have not confirmed their sign-up, and with `resend_invitations` invited ones who have \
                            never signed in: Cognito has no mail for others";
        let reset = "enabled users of the pool itself with a verified address, who have signed in before";
        Capabilities::all()
            .with_call(CallKind::GetByCustomer, Support::conditional(by_customer))
            .with_call(CallKind::SendVerificationEmail, Support::conditional(verification))
            .with_call(CallKind::SendPasswordResetEmail, Support::conditional(reset))
            .with_field(Field::LoginTime, Fidelity::Absent)
            .with_field(Field::LoginsCount, Fidelity::Absent)
            .with_federation(Some(federation::capabilities()))
    }

    fn build(config: CognitoConfig, context: &ConnectorContext) -> Result<Self> {
        config.check()?;
        let http = Client::new(&context.outbound)?;
        let pool = Arc::new(UserPool::new(&config, context, http.clone())?);
        let index = CustomerIndex::new(Arc::clone(&pool), &config)?;
        let federation = PoolFederation::new(&config, context, Arc::clone(&pool), http)?;
        let capabilities = capabilities(&config, federation.is_some());
        Ok(Self { pool, index, capabilities, federation, config })
    }
}

/// What the settings allow of what the connector can.
fn capabilities(config: &CognitoConfig, has_federation: bool) -> Capabilities {
    let by_customer = match config.customer_lookup {
        None => Support::unsupported(NO_LOOKUP),
        Some(CustomerLookup::Attribute) => {
            Support::conditional("found by search, which a new user is absent from for a moment")
        }
        Some(CustomerLookup::Group) => Support::conditional("users who are members of their customer's group"),
        Some(CustomerLookup::Index) => Support::conditional("users who were in the pool when the index was last read"),
    };
    let mut own = <Cognito as Connector>::capabilities()
        .with_call(CallKind::GetByCustomer, by_customer)
        .with_federation(has_federation.then(federation::capabilities));
    if config.client_id.is_none() {
        for mail in [CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail] {
            own = own.with_call(mail, Support::unsupported(NO_APP_CLIENT));
        }
    }
    own
}

#[async_trait]
impl IdentityProvider for Cognito {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn get(&self, scope: &CallScope, key: UserKey<'_>) -> Result<UserRecord> {
        let user = match key {
            UserKey::Id(id) => self.by_id(scope, id).await?,
            UserKey::Email(email) => self.only(scope, Search::email(email)?).await?,
            UserKey::Customer(customer) => self.by_customer(scope, customer).await?,
        };
        Ok(user.record(&self.config.customer_attribute))
    }

    async fn delete(&self, scope: &CallScope, id: &UserId) -> Result<Deleted> {
        let Some(user) = if_found(self.by_own_name(scope, id).await)? else { return Ok(Deleted::Absent) };
        Ok(if_found(self.pool.delete(scope, &user.name).await)?.map_or(Deleted::Absent, |()| Deleted::Existed))
    }

    async fn mark_email_verified(&self, scope: &CallScope, id: &UserId, expected: Option<&Email>) -> Result<()> {
        let user = &self.by_own_name(scope, id).await?;
        let set = async |verified| {
            self.pool.set_email_verified(scope, &user.name, verified).await?;
            Ok(self.named(scope, user).await?.email_status())
        };
        mark_verified(user.email_status(), expected, set).await
    }

    async fn send_verification_email(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        self.capabilities.require(CallKind::SendVerificationEmail)?;
        let user = self.by_own_name(scope, id).await?;
        if user.email_verified() && user.email().is_some() {
            return Ok(());
        }
        reachable_by_mail(&user)?;
        match user.status {
            Some(UserStatusType::Unconfirmed) => self.pool.resend_code(scope, &user.name).await,
            Some(UserStatusType::ForceChangePassword) if self.config.resend_invitations => {
                self.pool.resend_invitation(scope, &user.name).await
            }
            Some(UserStatusType::ForceChangePassword) => {
                Err(Error::state("the user was invited and has never signed in")
                    .with_hint("`resend_invitations` sends the invitation once more, with a new temporary password"))
            }
            _ => Err(Error::state(
                "the user has confirmed the sign-up, and cognito has no mail to verify an address later",
            )),
        }
    }

    async fn send_password_reset_email(&self, scope: &CallScope, email: &Email) -> Result<()> {
        self.capabilities.require(CallKind::SendPasswordResetEmail)?;
        let user = self.only(scope, Search::email(email)?).await?;
        // Cognito's 200 proves nothing: with `PreventUserExistenceErrors` it says so of users whom it sends no mail, too.
        reachable_by_mail(&user)?;
        if !user.email_verified() {
            return Err(Error::state(
                "the user's address is not verified, and cognito resets passwords by verified ones only",
            ));
        }
        match user.status {
            Some(UserStatusType::ForceChangePassword) => {
                Err(Error::state("the user was invited and has no password yet")
                    .with_hint("send the invitation once more"))
            }
            _ => self.pool.forgot_password(scope, &user.name).await,
        }
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        Diagnosis::of(&self.pool, &self.config, &self.index).run(scope).await
    }

    fn federation(&self) -> Option<&dyn Federation> {
        self.federation.as_ref().map(|federation| federation as &dyn Federation)
    }
}

impl Cognito {
    /// The user with this id: by the id itself where Cognito takes it for a name, which it does for the pool's own users, and
    /// else by a search. Either answer may be about somebody else.
    async fn by_id(&self, scope: &CallScope, id: &UserId) -> Result<PoolUser> {
        if !is_uuid(id.as_str()) {
            return Err(Error::no_such_user());
        }
        match if_found(self.pool.user(scope, id.as_str()).await)? {
            Some(user) if user.id == *id => return Ok(user),
            // Somebody took another user's id for a name.
            Some(user) if !user.may_be_called(id.as_str()) => return Err(Error::another_user()),
            _ => {}
        }
        self.only(scope, Search::id(id)?).await
    }

    /// The same, read by the user's own name: only then it is sure that a write by that name means this user and no other.
    async fn by_own_name(&self, scope: &CallScope, id: &UserId) -> Result<PoolUser> {
        let user = self.by_id(scope, id).await?;
        if user.name == id.as_str() { Ok(user) } else { self.named(scope, &user).await }
    }

    /// The user as it is now, by the name that it was found with.
    async fn named(&self, scope: &CallScope, found: &PoolUser) -> Result<PoolUser> {
        let user = self.pool.user(scope, &found.name).await?;
        if user.id == found.id { Ok(user) } else { Err(Error::another_user()) }
    }

    async fn by_customer(&self, scope: &CallScope, customer: &CustomerId) -> Result<PoolUser> {
        self.capabilities.require(CallKind::GetByCustomer)?;
        let attribute = &self.config.customer_attribute;
        match self.config.customer_lookup {
            Some(CustomerLookup::Attribute) => self.only(scope, Search::customer(attribute, customer)?).await,
            Some(CustomerLookup::Group) => {
                let search = Search::group(&self.config.customer_group_prefix, attribute, customer)?;
                self.only(scope, search).await
            }
            Some(CustomerLookup::Index) | None => self.indexed(scope, customer).await,
        }
    }

    /// The one user that a search finds, however many pages its hits fill.
    ///
    /// Searches see changes late, so that the user is then read by name.
    async fn only(&self, scope: &CallScope, search: Search<'_>) -> Result<PoolUser> {
        let mut hits = Matches::new();
        let mut token = None;
        loop {
            let page = self.pool.search(scope, &search, token.clone()).await?;
            for user in page.users.into_iter().filter(|user| search.admits(user)) {
                hits.add(user.id.clone(), user);
            }
            // A page may be empty and not be the last.
            if page.next.is_none() {
                break;
            }
            if page.next == token {
                return Err(Error::upstream(ErrorKind::InvalidResponse, "cognito's pages never end"));
            }
            token = page.next;
        }
        let user = self.named(scope, &search.choose(hits)?).await?;
        if search.admits(&user) { Ok(user) } else { Err(Error::no_such_user()) }
    }

    /// The one user whom the index names and who still belongs to the customer.
    async fn indexed(&self, scope: &CallScope, customer: &CustomerId) -> Result<PoolUser> {
        let mut found = Matches::new();
        for id in self.index.users_of(scope, customer).await? {
            let user = if_found(self.by_id(scope, &id).await)?;
            if let Some(user) = user.filter(|user| user.customer(&self.config.customer_attribute).is(customer)) {
                found.add(id, user);
            }
        }
        found.into_single()
    }
}

/// Whether it has the form of every id that Cognito gives. Nothing else can be one.
fn is_uuid(text: &str) -> bool {
    let mut parts = text.split('-');
    let lengths = [8, 4, 4, 4, 12];
    lengths.iter().all(|length| {
        parts.next().is_some_and(|part| part.len() == *length && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }) && parts.next().is_none()
}

/// Whether Cognito sends mails to this user at all.
fn reachable_by_mail(user: &PoolUser) -> Result<()> {
    if user.email().is_none() {
        return Err(Error::state("the user has no email"));
    }
    if !user.enabled {
        return Err(Error::state("the user is disabled, and cognito sends no mails to such users"));
    }
    if user.status == Some(UserStatusType::ExternalProvider) {
        return Err(Error::state(
            "the user signs in at another identity provider, and cognito sends no mails to such users",
        ));
    }
    Ok(())
}
