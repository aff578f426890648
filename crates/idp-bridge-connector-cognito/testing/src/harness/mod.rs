//! The harnesses of the conformance suite: for the fake, and for ministack.

mod application;
mod federation;
mod iam;
mod site;
mod stand_in;
mod stand_in_federation;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use idp_bridge_conformance::{FederationHarness, Harness, Need, NewUser, Setup, TestResult, async_trait};
use idp_bridge_connector_cognito::{Cognito, CognitoConfig, CognitoStore, CustomerLookup};
use idp_bridge_core::{
    Capabilities, Connector, CustomerId, Directory, Email, FederationSettings, IdentityProvider, OauthClient, Secret,
    UserId,
};

use crate::fake::{AppClient, FakeCognito, Principal, Status, User};
use site::{ACTIONS, GROUP_PREFIX, Key, Keys, Site, reads};
pub use stand_in::{StandIn, StandInHarness};

/// The secret of all IAM users.
const SECRET: &str = "s3cret-of-the-harness";
/// The app client for mails and sign-ins.
const APP_CLIENT: &str = "3fakeappclient";
/// An app client of the tenant without a secret.
const PUBLIC_CLIENT: &str = "4fakepublicclient";
/// An app client of the pool that does not belong to the tenant.
const FOREIGN_CLIENT: &str = "5fakeforeignclient";
/// The secret of the app clients that have one.
const APP_SECRET: &str = "s3cret-of-the-app-client";
/// The name of a user of another identity provider.
const FEDERATED: &str = "google_1234";

/// A fake user pool under test.
pub struct CognitoHarness {
    fake: FakeCognito,
    name: &'static str,
    site: Site,
    created: AtomicU32,
}

/// Returns an app client as a tenant's settings name it.
fn client(id: &str, secret: Option<&str>) -> OauthClient {
    OauthClient { id: id.into(), secret: secret.map(Secret::new) }
}

impl CognitoHarness {
    /// Starts a pool with app clients and principals. Customers are found by a searchable attribute.
    pub async fn start_with_fake() -> TestResult<Self> {
        let fake = FakeCognito::start().await?;
        let key = |id: &str| Key { id: id.into(), secret: Secret::new(SECRET) };
        let keys = Keys {
            bridge: key("AKIDBRIDGE"),
            no_right: key("AKIDNORIGHT"),
            read_only: key("AKIDREADONLY"),
            every_pool: key("AKIDEVERYPOOL"),
        };
        let principal = |key: &Key, actions: &[&str]| Principal::new(&key.id, SECRET, actions);
        let mut every_pool = principal(&keys.every_pool, &ACTIONS);
        every_pool.pools = None;
        fake.with(|pool| {
            pool.principals = vec![
                principal(&keys.bridge, &ACTIONS),
                principal(&keys.no_right, &[]),
                principal(&keys.read_only, &reads()),
                every_pool,
            ];
            pool.app_clients =
                [APP_CLIENT, PUBLIC_CLIENT, FOREIGN_CLIENT].map(|id| AppClient::new(id, APP_SECRET)).into();
            pool.app_clients.iter_mut().filter(|own| own.client_id == PUBLIC_CLIENT).for_each(|own| own.secret = None);
            pool.begins_with_an_empty_page = true;
            pool.insert(User::new(FEDERATED, Status::ExternalProvider, &[("email", "federated@conformance.example")]));
        });
        let clients = vec![client(APP_CLIENT, Some(APP_SECRET)), client(PUBLIC_CLIENT, None)];
        let site = Site { url: fake.url(), pool: FakeCognito::POOL.into(), keys, clients, settings: |_| {} };
        Ok(Self { fake, name: "cognito (fake)", site, created: AtomicU32::new(0) })
    }

    /// Sets the name, and a change of the settings of all providers.
    #[must_use]
    pub fn with(mut self, name: &'static str, settings: fn(&mut CognitoConfig)) -> Self {
        (self.name, self.site.settings) = (name, settings);
        self
    }

    /// Returns the fake.
    pub fn fake(&self) -> &FakeCognito {
        &self.fake
    }

    /// Returns the settings of a correct provider.
    pub fn config(&self) -> CognitoConfig {
        self.site.config()
    }

    /// Returns the federation settings of the providers.
    pub fn federation_settings(&self) -> FederationSettings {
        self.site.federation()
    }

    /// Builds a provider from settings that a test has changed.
    pub fn build(&self, config: CognitoConfig) -> TestResult<Directory<CognitoStore>> {
        self.build_with(config, self.site.federation())
    }

    /// Builds a provider with these federation settings.
    pub fn build_with(
        &self,
        config: CognitoConfig,
        federation: FederationSettings,
    ) -> TestResult<Directory<CognitoStore>> {
        self.site.build(config, Some(federation))
    }
}

#[async_trait]
impl Harness for CognitoHarness {
    fn name(&self) -> &str {
        self.name
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Cognito as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        let is_group = self.config().customer_lookup == Some(CustomerLookup::Group);
        let reason = match need {
            Need::UnusualCustomer if is_group => "the name of a customer's group contains the customer, and no spaces",
            need => site::not_applicable(need)?,
        };
        Some(reason.into())
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        self.site.provider(setup)
    }

    /// Creates a verified user as confirmed, and an unverified user as unconfirmed, so that each can get its mail.
    async fn create(&self, new: NewUser) -> TestResult<UserId> {
        let is_confirmed = new.email_verified || new.password.is_some();
        let status = if is_confirmed { Status::Confirmed } else { Status::Unconfirmed };
        let mut user = User::new(&format!("person-{}", self.created.fetch_add(1, Relaxed)), status, &[]);
        if let Some(email) = &new.email {
            let verified = if new.email_verified { "true" } else { "false" };
            user.attributes.extend([("email", email.as_str()), ("email_verified", verified)].map(pair));
        }
        match new.customers.as_slice() {
            [] => {}
            [customer] => {
                let attributes = ["preferred_username", "custom:customer_id"].map(|name| (name, customer.as_str()));
                user.attributes.extend(attributes.map(pair));
                user.groups.insert(format!("{GROUP_PREFIX}{}", customer.as_str()));
            }
            _ => return Err("an attribute has one value".into()),
        }
        (user.enabled, user.password) = (!new.blocked, new.password);
        Ok(UserId::new(self.fake.insert(user))?)
    }

    fn reserved_ids(&self) -> Vec<UserId> {
        let shape_of_an_id = "........-....-....-....-............";
        [FEDERATED, "person-0", "federated@conformance.example", "sub", ".", shape_of_an_id]
            .into_iter()
            .filter_map(|id| UserId::new(id).ok())
            .collect()
    }

    async fn exists(&self, id: &UserId) -> TestResult<bool> {
        Ok(self.fake.with(|pool| pool.user(id.as_str()).is_some()))
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        self.fake.change(id.as_str(), |user| {
            let verified = user.attribute("email_verified").map(str::to_owned);
            user.set("email", email.as_str());
            user.attributes.extend(verified.map(|verified| ("email_verified".into(), verified)));
        });
        Ok(())
    }

    async fn log_in(&self, email: &Email, password: &str) -> TestResult<bool> {
        self.fake.with(|pool| {
            let name = pool.username_of(email.as_str()).ok_or("no user has this address")?;
            Ok(pool.user_with_password(&name, password).is_some_and(|user| user.status == Status::Confirmed))
        })
    }

    /// Sets `name`: the app clients let users write only `email` and `name`.
    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> TestResult<()> {
        if !self.log_in(email, password).await? {
            return Err("the user cannot log in".into());
        }
        let is_meant = |user: &&mut User| user.attribute("email") == Some(email.as_str());
        self.fake.with(|pool| pool.users.iter_mut().filter(is_meant).for_each(|user| user.set("name", value.as_str())));
        Ok(())
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        Ok(self.fake.mails().iter().filter(|mail| mail.to.eq_ignore_ascii_case(email.as_str())).count())
    }

    async fn upstream(&self) -> TestResult<String> {
        Ok(self.site.url.clone())
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self)
    }
}

fn pair((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
