//! The common parts of Cognito's harnesses: the settings of their providers, and the needs that Cognito cannot meet.

use std::sync::Arc;

use idp_bridge_conformance::{ClaimNames, Control, EndSessionForm, FederationFacts, Need, Setup, TestResult, fixture};
use idp_bridge_connector_cognito::{Cognito, CognitoConfig, CognitoStore, CustomerLookup};
use idp_bridge_core::{
    CallKind, Connector as _, ConnectorContext, Directory, FederationSettings, IdentityProvider, OauthClient, Secret,
    TenantId,
};

/// The rights of the bridge's IAM user.
pub(super) const ACTIONS: [&str; 10] = [
    "AdminGetUser",
    "ListUsers",
    "ListUsersInGroup",
    "AdminUpdateUserAttributes",
    "AdminDeleteUser",
    "AdminCreateUser",
    "AdminUserGlobalSignOut",
    "DescribeUserPool",
    "DescribeUserPoolClient",
    "ListUserPoolClients",
];

/// The prefix of customers' groups.
pub(super) const GROUP_PREFIX: &str = "customer-";

/// Returns the actions that only read.
pub(super) fn reads() -> Vec<&'static str> {
    let reads = |action: &&str| ["AdminGet", "List", "Describe"].iter().any(|verb| action.starts_with(verb));
    ACTIONS.into_iter().filter(reads).collect()
}

/// The access key of an IAM user.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: Secret,
}

/// The keys of the IAM users.
pub(super) struct Keys {
    /// With the documented rights.
    pub(super) bridge: Key,
    /// Without rights.
    pub(super) no_right: Key,
    /// With rights to read only.
    pub(super) read_only: Key,
    /// With rights on every pool, so that AWS shows which pools exist.
    pub(super) every_pool: Key,
}

/// A pool under test.
pub(super) struct Site {
    /// The URL of the API, of the issuer's documents and of the pool's domain.
    pub(super) url: String,
    pub(super) pool: String,
    pub(super) keys: Keys,
    /// The tenant's app clients. The first one requests mails.
    pub(super) clients: Vec<OauthClient>,
    pub(super) settings: fn(&mut CognitoConfig),
}

impl Site {
    /// Returns the settings of a correct provider.
    pub(super) fn config(&self) -> CognitoConfig {
        self.config_for(&self.keys.bridge)
    }

    /// Returns the settings of a provider with this key. Customers are found by a searchable attribute.
    fn config_for(&self, key: &Key) -> CognitoConfig {
        let mut config = CognitoConfig::new(&self.pool);
        config.domain = Some(self.url.clone());
        config.endpoint = Some(self.url.clone());
        config.issuer_endpoint = Some(self.url.clone());
        config.access_key_id = Some(key.id.clone());
        config.secret_access_key = Some(key.secret.clone());
        let client = self.clients.first();
        config.client_id = client.map(|client| client.id.clone());
        config.client_secret = client.and_then(|client| client.secret.clone());
        config.customer_attribute = "preferred_username".into();
        config.customer_lookup = Some(CustomerLookup::Attribute);
        config.customer_group_prefix = GROUP_PREFIX.into();
        (self.settings)(&mut config);
        config
    }

    /// Returns the federation settings of the providers.
    pub(super) fn federation(&self) -> FederationSettings {
        FederationSettings { clients: self.clients.clone(), ..FederationSettings::default() }
    }

    pub(super) fn build(
        &self,
        config: CognitoConfig,
        federation: Option<FederationSettings>,
    ) -> TestResult<Directory<CognitoStore>> {
        let context = ConnectorContext { federation, ..ConnectorContext::new(TenantId::new("conformance")?) };
        Ok(Cognito::build(config, &context)?)
    }

    /// Builds a provider for the suite.
    pub(super) fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        let mut config = self.config();
        let federation = Some(self.federation());
        let mut context = ConnectorContext { federation, ..ConnectorContext::new(TenantId::new("conformance")?) };
        match setup {
            Setup::Working => {}
            Setup::Broken(Control::WrongSecret) => config.secret_access_key = Some(Secret::new("wrong")),
            // The bridge's key has rights only for its pool, and IAM would deny access to another.
            Setup::Broken(Control::WrongRealm) => {
                config = self.config_for(&self.keys.every_pool);
                let region = self.pool.split('_').next().unwrap_or_default();
                config.user_pool_id = format!("{region}_NoSuchPool");
            }
            Setup::Broken(Control::MissingRole) => config = self.config_for(&self.keys.no_right),
            Setup::Broken(Control::ReadOnlyRole) => config = self.config_for(&self.keys.read_only),
            // As a proxy, since the signature covers the host.
            Setup::At(base_url) => context.outbound.proxy = Some(base_url.to_owned()),
            Setup::WrongClientSecret => context.federation = context.federation.map(fixture::with_wrong_secret),
            Setup::WithoutFederation => context.federation = None,
            other => return Err(other.unsupported()),
        }
        Ok(Arc::new(Cognito::build(config, &context)?))
    }

    pub(super) fn facts(&self) -> FederationFacts {
        let region = self.pool.split('_').next().unwrap_or_default();
        FederationFacts {
            clients: self.clients.iter().map(|client| client.id.clone()).collect(),
            issuer: format!("https://cognito-idp.{region}.amazonaws.com/{}", self.pool),
            claims: ClaimNames { subject: "sub", client: "client_id", session: Some("origin_jti") },
            end_session: EndSessionForm {
                url: format!("{}/logout", self.url),
                client: "client_id",
                redirect_uri: "logout_uri",
                hint: None,
                state: Some("state"),
            },
        }
    }
}

/// Returns why Cognito itself cannot meet a need.
pub(super) fn not_applicable(need: Need) -> Option<&'static str> {
    Some(match need {
        Need::SecondEmail => "a Cognito user has one address",
        Need::SecondOrigin => "requests to AWS contain signatures, never the secret key",
        Need::SeveralCustomers => "an attribute of a Cognito user has one value",
        Need::ServiceAccount => "a user pool contains only people: programs are app clients",
        Need::Control(Control::NarrowRole) => "AWS refuses a search without the right, and never returns an empty list",
        Need::ControlOf(Control::ReadOnlyRole, CallKind::SendVerificationEmail | CallKind::SendPasswordResetEmail) => {
            "Cognito sends such mails for the app client, without IAM rights"
        }
        Need::OfflineLogin => "all refresh tokens of Cognito are of one kind",
        _ => return None,
    })
}
