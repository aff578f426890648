//! The tenants of a server: their callers, providers and rules.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use idp_bridge_core::{CallKind, CustomerId, IdentityProvider, TenantId, UserId};
use idp_bridge_protocol::KeyRing;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::{AccessTokens, RestToken};

/// A tenant of the server.
pub struct Tenant {
    /// The platform's id of the tenant.
    pub id: TenantId,
    /// The type of its connector, for the log and `ping`.
    pub connector: String,
    /// The provider of its calls.
    pub provider: Arc<dyn IdentityProvider>,
    /// The keys that verify signed calls.
    pub keys: KeyRing,
    /// The time limit of a call.
    pub deadline: Duration,
    /// The rule for a user without a customer.
    pub customer_missing: CustomerMissing,
    /// The static tokens of REST.
    pub tokens: Vec<RestToken>,
    /// The JWT access tokens that REST accepts. REST is off without these and static tokens.
    pub access_tokens: Option<AccessTokens>,
    /// The disabled calls.
    pub switched_off: BTreeSet<CallKind>,
    /// The rules for userinfo and logout. `None` if federation is off.
    pub federation: Option<FederationRules>,
}

impl Tenant {
    /// The deadline of a tenant that sets none.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(4);
    /// The shortest deadline that a tenant may set.
    pub const MIN_DEADLINE: Duration = Duration::from_millis(100);
    /// The longest deadline that a tenant may set.
    pub const MAX_DEADLINE: Duration = Duration::from_secs(30);

    /// Creates a tenant with the default rules, without REST and without federation.
    pub fn new(id: TenantId, connector: impl Into<String>, provider: Arc<dyn IdentityProvider>, keys: KeyRing) -> Self {
        Self {
            id,
            connector: connector.into(),
            provider,
            keys,
            deadline: Self::DEFAULT_DEADLINE,
            customer_missing: CustomerMissing::default(),
            tokens: Vec::new(),
            access_tokens: None,
            switched_off: BTreeSet::new(),
            federation: None,
        }
    }

    /// Returns the customer of a user without one: the user's id if the rule is `use_id`.
    pub(crate) fn own_customer(&self, id: &UserId) -> Option<CustomerId> {
        match self.customer_missing {
            CustomerMissing::Reject => None,
            CustomerMissing::UseId => CustomerId::new(id.as_str()).ok(),
        }
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("id", &self.id).field("connector", &self.connector).finish_non_exhaustive()
    }
}

/// The rule for a user without a customer at the identity provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomerMissing {
    /// The user is incomplete, and the call fails.
    #[default]
    Reject,
    /// The user is its own customer: its id stands for the customer.
    UseId,
}

/// The rules for userinfo and logout of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationRules {
    /// The client ids of the applications that may end a browser session.
    pub clients: Vec<String>,
    /// The addresses to which the identity provider may redirect after a logout, byte for byte.
    pub post_logout_redirect_uris: Vec<String>,
    /// The origins of the pages that may call userinfo and logout, in the form of the `origin` header.
    pub cors_origins: Vec<String>,
    /// The source of the customer.
    pub customer: CustomerFrom,
    /// The time for which userinfo caches a validated token, up to [`MAX_CACHE`](Self::MAX_CACHE). The connector's default if
    /// absent.
    pub cache: Option<Duration>,
    /// The longest accepted lifetime of an access token, after which entries of the revocation list can be removed.
    pub max_token_age: Duration,
    /// Whether the federation document is public.
    pub publish: bool,
    /// The maximum number of unvalidated tokens that reach the identity provider in a second; at least one.
    pub anonymous_per_second: u32,
}

impl FederationRules {
    /// The longest time for which userinfo caches a validated token.
    pub const MAX_CACHE: Duration = Duration::from_secs(60);
}

impl Default for FederationRules {
    fn default() -> Self {
        Self {
            clients: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            cors_origins: Vec::new(),
            customer: CustomerFrom::default(),
            cache: None,
            max_token_age: Duration::from_secs(24 * 60 * 60),
            publish: false,
            anonymous_per_second: 50,
        }
    }
}

/// The source of the customer in userinfo: the token's claim, or the user at the identity provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomerFrom {
    /// The claim. The user is read only if there is no claim.
    #[default]
    Claim,
    /// The claim. The user is read, too, and a different customer is logged.
    ClaimCompared,
    /// The user. A different customer in the claim is logged.
    User,
}

/// The tenants of a server, by id.
#[derive(Debug, Default)]
pub struct Tenants {
    by_id: HashMap<TenantId, Arc<Tenant>>,
    deadlines: Vec<Duration>,
}

/// The error for tenants that cannot be served together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantsError {
    /// Two tenants have equal ids.
    #[error("the tenant `{0}` is configured twice")]
    Twice(TenantId),
    /// Two tenants share a signing key, so one could sign for the other.
    #[error("the tenants `{0}` and `{1}` share the key `whsec_…`: give each tenant its own key, or use a key pair")]
    SharedKey(TenantId, TenantId),
    /// Two REST tokens of a tenant have equal names, which separate their idempotency keys.
    #[error("two REST tokens of `{0}` have the name `{1}`: give each token its own name")]
    TokenName(TenantId, String),
    /// Two REST tokens of a tenant are equal.
    #[error("the REST tokens `{1}` and `{2}` of `{0}` have equal `sha256`: remove one")]
    SameToken(TenantId, String, String),
}

impl TenantsError {
    /// Returns the tenant with the invalid settings.
    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::Twice(id) | Self::SharedKey(_, id) | Self::TokenName(id, _) | Self::SameToken(id, ..) => id,
        }
    }
}

impl Tenants {
    /// Creates the set of tenants.
    ///
    /// Fails unless ids and shared keys are distinct, and the REST tokens of each tenant have distinct names and digests.
    pub fn new(tenants: impl IntoIterator<Item = Tenant>) -> Result<Self, TenantsError> {
        let mut all: HashMap<_, Arc<Tenant>> = HashMap::new();
        for tenant in tenants {
            let shares = |other: &&Arc<Tenant>| share_a_key(&other.keys, &tenant.keys);
            if all.contains_key(&tenant.id) {
                return Err(TenantsError::Twice(tenant.id));
            }
            if let Some(other) = all.values().find(shares) {
                return Err(TenantsError::SharedKey(other.id.clone(), tenant.id));
            }
            check_tokens(&tenant)?;
            all.insert(tenant.id.clone(), Arc::new(tenant));
        }
        let deadlines = all.values().map(|tenant| tenant.deadline).collect();
        Ok(Self { by_id: all, deadlines })
    }

    /// Returns all tenants.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.by_id.values()
    }

    /// Returns the tenant with this id.
    pub fn get(&self, id: &TenantId) -> Option<Arc<Tenant>> {
        self.by_id.get(id).cloned()
    }

    /// Returns the deadlines of all tenants, in no particular order.
    pub(crate) fn deadlines(&self) -> &[Duration] {
        &self.deadlines
    }

    /// Returns the longest deadline.
    pub(crate) fn longest_deadline(&self) -> Duration {
        self.deadlines.iter().copied().max().unwrap_or_default()
    }
}

fn check_tokens(tenant: &Tenant) -> Result<(), TenantsError> {
    for (index, token) in tenant.tokens.iter().enumerate() {
        for other in tenant.tokens.iter().skip(index + 1) {
            if token.name == other.name {
                return Err(TenantsError::TokenName(tenant.id.clone(), token.name.clone()));
            }
            if token.sha256 == other.sha256 {
                return Err(TenantsError::SameToken(tenant.id.clone(), token.name.clone(), other.name.clone()));
            }
        }
    }
    Ok(())
}

fn share_a_key(one: &KeyRing, other: &KeyRing) -> bool {
    one.keys().iter().filter(|key| key.is_shared()).any(|key| other.keys().contains(key))
}

#[cfg(test)]
mod tests {
    use idp_bridge_connector_memory::Memory;
    use idp_bridge_protocol::{SigningKey, VerifyingKey};

    use super::*;
    use crate::auth::Scope;

    fn tenant(id: &str, key: &SigningKey) -> Tenant {
        let key = VerifyingKey::parse(key.to_verifying_text().expose()).unwrap();
        let provider = Arc::new(Memory::with_users(Vec::new()).unwrap().provider());
        Tenant::new(TenantId::new(id).unwrap(), "memory", provider, KeyRing::new(vec![key]).unwrap())
    }

    #[test]
    fn shared_key_serves_one_tenant() {
        let pair = SigningKey::from_seed([1; 32]).unwrap();
        assert!(Tenants::new([tenant("a", &pair), tenant("b", &pair)]).is_ok());
        let shared = SigningKey::from_shared([1; 32]);
        let error = Tenants::new([tenant("a", &shared), tenant("b", &shared)]).unwrap_err();
        assert!(matches!(&error, TenantsError::SharedKey(..)), "{error}");
        assert!(Tenants::new([tenant("a", &shared), tenant("b", &SigningKey::from_shared([2; 32]))]).is_ok());
    }

    #[test]
    fn ids_are_unique() {
        let pair = SigningKey::from_seed([1; 32]).unwrap();
        let error = Tenants::new([tenant("a", &pair), tenant("a", &pair)]).unwrap_err();
        assert_eq!(error, TenantsError::Twice(TenantId::new("a").unwrap()));
    }

    #[test]
    fn rest_tokens_and_names_are_unique() {
        let token =
            |name: &str, byte| RestToken { name: name.into(), sha256: [byte; 32], scopes: [Scope::Read].into() };
        let with = |tokens: Vec<RestToken>| {
            Tenants::new([Tenant { tokens, ..tenant("a", &SigningKey::from_seed([1; 32]).unwrap()) }]).map(drop)
        };
        let id = TenantId::new("a").unwrap();
        assert_eq!(with(vec![token("one", 1), token("two", 2)]), Ok(()));
        let same_name = with(vec![token("one", 1), token("two", 2), token("one", 3)]);
        assert_eq!(same_name, Err(TenantsError::TokenName(id.clone(), "one".into())));
        let same_token = with(vec![token("one", 1), token("two", 1)]);
        assert_eq!(same_token, Err(TenantsError::SameToken(id, "one".into(), "two".into())));
    }
}
