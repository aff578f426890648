//! The tenants of a server: who may call for them, which provider answers, and by which rules.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{constant_time, digest};
use idp_bridge_core::{CallKind, IdentityProvider, TenantId};
use idp_bridge_protocol::KeyRing;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rest::AccessTokens;

/// One tenant, ready to be served.
pub struct Tenant {
    /// The platform's id of it.
    pub id: TenantId,
    /// The type of its connector, as the log and `ping` name it.
    pub connector: String,
    /// Answers its calls.
    pub provider: Arc<dyn IdentityProvider>,
    /// Verifies the signed calls for it.
    pub keys: KeyRing,
    /// How long a call may take.
    pub deadline: Duration,
    /// What a user without a customer is.
    pub customer_missing: CustomerMissing,
    /// Who may use REST with a static token.
    pub tokens: Vec<RestToken>,
    /// Whose JWT access tokens REST takes; without these and static ones, REST is off.
    pub access_tokens: Option<AccessTokens>,
    /// The calls that nobody may make, signed or not.
    pub switched_off: BTreeSet<CallKind>,
    /// By which rules applications get customers and end logins; none if federation is off.
    pub federation: Option<FederationRules>,
}

impl Tenant {
    /// The deadline of a tenant that sets none.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(4);
    /// The shortest deadline that a tenant may set.
    pub const MIN_DEADLINE: Duration = Duration::from_millis(100);
    /// The longest deadline that a tenant may set.
    pub const MAX_DEADLINE: Duration = Duration::from_secs(30);

    /// A tenant with the default rules, without REST and without federation.
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
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("id", &self.id).field("connector", &self.connector).finish_non_exhaustive()
    }
}

/// What becomes of a user for whom the identity provider holds no customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomerMissing {
    /// The user is incomplete and is not answered.
    #[default]
    Reject,
    /// The user is its own customer: its id stands for the customer.
    UseId,
}

/// By which rules a tenant's applications get customers and end logins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationRules {
    /// The ids of the applications that a browser may be sent to the identity provider for.
    pub clients: Vec<String>,
    /// Where the identity provider may send the browser after a logout, byte for byte.
    pub post_logout_redirect_uris: Vec<String>,
    /// The origins whose pages may call userinfo and logout, as browsers write them.
    pub cors_origins: Vec<String>,
    /// Which of two customers wins.
    pub customer: CustomerFrom,
    /// For how long userinfo may answer without asking, up to [`MAX_CACHE`](Self::MAX_CACHE); the connector says if absent.
    pub cache: Option<Duration>,
    /// The longest life of an access token: one that is issued for longer is refused, so that the revocation list may forget.
    pub max_token_age: Duration,
    /// Whether anybody may read what an application needs to know.
    pub publish: bool,
    /// How many tokens that were not proven good lately may reach the identity provider in a second; at least one.
    pub anonymous_per_second: u32,
}

impl FederationRules {
    /// The longest that userinfo may answer without asking.
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

/// Which customer userinfo answers, of the token's claim and of the user at the identity provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomerFrom {
    /// The claim's; the user is asked only if there is none.
    #[default]
    Claim,
    /// The claim's, and the log tells of a user with another one; this costs a second request.
    ClaimCompared,
    /// The user's, and the log tells of a claim with another one; this costs a second request.
    User,
}

/// What a REST token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    /// The gets.
    #[serde(rename = "users.read")]
    Read,
    /// The writes.
    #[serde(rename = "users.write")]
    Write,
}

impl Scope {
    /// The scope that this call needs.
    pub fn of(call: CallKind) -> Self {
        if call.is_write() { Self::Write } else { Self::Read }
    }

    /// The scope with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "users.read" => Some(Self::Read),
            "users.write" => Some(Self::Write),
            _ => None,
        }
    }
}

/// A caller of REST, known by its bearer token.
#[derive(Clone)]
pub struct RestToken {
    /// Who it is, for the log.
    pub name: String,
    /// SHA-256 of the token, which itself is stored nowhere.
    pub sha256: [u8; 32],
    /// What it allows.
    pub scopes: BTreeSet<Scope>,
}

impl RestToken {
    /// The caller whose token it is. Every stored digest is compared, in constant time.
    pub(crate) fn find<'a>(tokens: &'a [Self], token: &[u8]) -> Option<&'a Self> {
        let asked = digest::digest(&digest::SHA256, token);
        let mut found = None;
        for own in tokens {
            if constant_time::verify_slices_are_equal(asked.as_ref(), &own.sha256).is_ok() {
                found = Some(own);
            }
        }
        found
    }
}

impl fmt::Debug for RestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestToken").field("name", &self.name).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

/// The tenants of a server, by id.
#[derive(Debug, Default)]
pub struct Tenants {
    by_id: HashMap<TenantId, Arc<Tenant>>,
    deadlines: Vec<Duration>,
}

/// Why tenants cannot be served together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantsError {
    /// Two of them have the same id.
    #[error("the tenant `{0}` is there twice")]
    Twice(TenantId),
    /// One could sign for the other.
    #[error("the tenants `{0}` and `{1}` have the same shared key (`whsec_…`): give each its own, or use a key pair")]
    SharedKey(TenantId, TenantId),
    /// Two REST tokens of a tenant have the same name, by which their idempotency keys are told apart.
    #[error("two of the REST tokens of `{0}` have the same name `{1}`: give each its own")]
    TokenName(TenantId, String),
    /// Two REST tokens of a tenant are the same one.
    #[error("the REST tokens `{1}` and `{2}` of `{0}` have the same `sha256`: remove one")]
    SameToken(TenantId, String, String),
}

impl TenantsError {
    /// The tenant whose settings are to be changed.
    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::Twice(id) | Self::SharedKey(_, id) | Self::TokenName(id, _) | Self::SameToken(id, ..) => id,
        }
    }
}

impl Tenants {
    /// Takes tenants with distinct ids, of which no two have the same shared key. The REST tokens of each differ, and their names.
    pub fn new(tenants: impl IntoIterator<Item = Tenant>) -> Result<Self, TenantsError> {
        let mut all: HashMap<_, Arc<Tenant>> = HashMap::new();
        for tenant in tenants {
            let shares = |other: &&Arc<Tenant>| have_same_shared_key(&other.keys, &tenant.keys);
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

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.by_id.values()
    }

    /// The tenant with this id.
    pub fn get(&self, id: &TenantId) -> Option<Arc<Tenant>> {
        self.by_id.get(id).cloned()
    }

    /// The deadlines of all tenants, in no order.
    pub(crate) fn deadlines(&self) -> &[Duration] {
        &self.deadlines
    }

    /// How long a call may take at most.
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

fn have_same_shared_key(one: &KeyRing, other: &KeyRing) -> bool {
    one.keys().iter().filter(|key| key.is_shared()).any(|key| other.keys().contains(key))
}

#[cfg(test)]
mod tests {
    use idp_bridge_connector_memory::Memory;
    use idp_bridge_protocol::{SigningKey, VerifyingKey};

    use super::*;

    fn tenant(id: &str, key: &SigningKey) -> Tenant {
        let key = VerifyingKey::parse(key.to_verifying_text().expose()).unwrap();
        let provider = Arc::new(Memory::with_users(Vec::new()).unwrap().provider());
        Tenant::new(TenantId::new(id).unwrap(), "memory", provider, KeyRing::new(vec![key]).unwrap())
    }

    #[test]
    fn a_shared_key_serves_one_tenant_and_a_key_pair_may_serve_all() {
        let pair = SigningKey::from_seed([1; 32]).unwrap();
        assert!(Tenants::new([tenant("a", &pair), tenant("b", &pair)]).is_ok());
        let shared = SigningKey::from_shared([1; 32]);
        let error = Tenants::new([tenant("a", &shared), tenant("b", &shared)]).unwrap_err();
        assert!(matches!(&error, TenantsError::SharedKey(..)), "{error}");
        assert!(Tenants::new([tenant("a", &shared), tenant("b", &SigningKey::from_shared([2; 32]))]).is_ok());
    }

    #[test]
    fn an_id_is_taken_once() {
        let pair = SigningKey::from_seed([1; 32]).unwrap();
        let error = Tenants::new([tenant("a", &pair), tenant("a", &pair)]).unwrap_err();
        assert_eq!(error, TenantsError::Twice(TenantId::new("a").unwrap()));
    }

    #[test]
    fn rest_tokens_and_their_names_differ() {
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

    #[test]
    fn a_token_is_found_by_its_digest_and_is_never_shown() {
        let digest = |text: &str| digest::digest(&digest::SHA256, text.as_bytes()).as_ref().try_into().unwrap();
        let token = |name: &str| RestToken { name: name.into(), sha256: digest(name), scopes: [Scope::Read].into() };
        let tokens = [token("one"), token("two")];
        assert_eq!(RestToken::find(&tokens, b"two").unwrap().name, "two");
        assert!(RestToken::find(&tokens, b"three").is_none());
        assert!(RestToken::find(&[], b"two").is_none());
        assert!(!format!("{tokens:?}").contains("sha256"));
    }
}
