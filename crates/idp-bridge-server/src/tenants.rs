//! The tenants of a server, and their replacement while it runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use idp_bridge_core::TenantId;
use idp_bridge_protocol::{KeyRing, VerifyingKey};
use jiff::Timestamp;

use crate::process_key::ProcessKey;
use crate::tenant::Tenant;

/// The tenants of a server, by id.
#[derive(Debug, Default)]
pub struct Tenants {
    by_id: HashMap<TenantId, Arc<Tenant>>,
    /// All tenants, in no particular order.
    all: Vec<Arc<Tenant>>,
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
    pub fn new<T: Into<Arc<Tenant>>>(tenants: impl IntoIterator<Item = T>) -> Result<Self, TenantsError> {
        let tenants = tenants.into_iter();
        let most = tenants.size_hint().1.unwrap_or_default();
        let mut by_id: HashMap<TenantId, Arc<Tenant>> = HashMap::with_capacity(most);
        let mut shared_keys: HashMap<[u8; 32], TenantId> = HashMap::with_capacity(most);
        for tenant in tenants {
            let tenant: Arc<Tenant> = tenant.into();
            if by_id.contains_key(&tenant.id) {
                return Err(TenantsError::Twice(tenant.id.clone()));
            }
            for digest in tenant.keys.keys().iter().filter_map(VerifyingKey::shared_digest) {
                match shared_keys.insert(digest, tenant.id.clone()) {
                    Some(other) if other != tenant.id => return Err(TenantsError::SharedKey(other, tenant.id.clone())),
                    _ => {}
                }
            }
            check_tokens(&tenant)?;
            by_id.insert(tenant.id.clone(), tenant);
        }
        let all = by_id.values().cloned().collect();
        Ok(Self { by_id, all })
    }

    /// Returns the number of tenants.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Returns whether there is no tenant.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Returns the tenant with this id.
    pub fn get(&self, id: &TenantId) -> Option<Arc<Tenant>> {
        self.by_id.get(id).cloned()
    }

    /// Returns all tenants, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.all.iter()
    }

    /// Finds the tenant of a request. `place` selects the stand-in of an unknown id.
    pub(crate) fn find(&self, id: &TenantId, place: usize) -> FoundTenant {
        match self.by_id.get(id) {
            Some(tenant) => FoundTenant { tenant: Some(Arc::clone(tenant)), is_known: true },
            None => FoundTenant { tenant: self.all.get(place).cloned(), is_known: false },
        }
    }

    /// Returns the longest deadline.
    pub(crate) fn longest_deadline(&self) -> Duration {
        self.all.iter().map(|tenant| tenant.deadline).max().unwrap_or_default()
    }
}

/// The tenant of a request, or a stand-in if the request's id is unknown.
///
/// Both are looked up at equal cost and have a deadline: neither the time of a rejection nor that after which a slow body is cut
/// off reveals which tenants exist. A stand-in accepts no caller.
#[derive(Debug)]
pub(crate) struct FoundTenant {
    /// Absent if the server has no tenants.
    tenant: Option<Arc<Tenant>>,
    is_known: bool,
}

impl FoundTenant {
    /// Returns the tenant, unless it is a stand-in.
    pub(crate) fn into_known(self) -> Option<Arc<Tenant>> {
        self.tenant.filter(|_| self.is_known)
    }

    /// Returns the deadline of the tenant or its stand-in.
    pub(crate) fn deadline(&self) -> Duration {
        self.tenant.as_ref().map_or(Tenant::DEFAULT_DEADLINE, |tenant| tenant.deadline)
    }

    /// Returns the keys of the tenant. A stand-in has none: a check with an empty ring takes as long, and always fails.
    pub(crate) fn keys(&self) -> &KeyRing {
        static NO_KEYS: KeyRing = KeyRing::empty();
        self.tenant.as_ref().filter(|_| self.is_known).map_or(&NO_KEYS, |tenant| &tenant.keys)
    }
}

/// The tenants of a running server, which a reload replaces.
#[derive(Debug, Default)]
pub struct CurrentTenants {
    tenants: ArcSwap<Tenants>,
    broken: AtomicUsize,
    reloads: [AtomicU64; ReloadResult::ALL.len()],
    last_reload: ArcSwapOption<LastReload>,
}

/// The last reload, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastReload {
    /// The time of the reload.
    pub time: Timestamp,
    /// The problems that it found, as text without secrets.
    pub problems: Vec<String>,
}

/// The result of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReloadResult {
    /// All tenants have the new settings.
    Ok,
    /// Some tenants keep their earlier settings.
    Partial,
    /// All tenants keep their earlier settings.
    Failed,
}

impl ReloadResult {
    /// All results.
    pub(crate) const ALL: [Self; 3] = [Self::Ok, Self::Partial, Self::Failed];

    /// Returns the name in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

impl CurrentTenants {
    /// Creates the tenants of a server that starts.
    pub fn new(tenants: Tenants) -> Self {
        Self { tenants: ArcSwap::from_pointee(tenants), ..Self::default() }
    }

    /// Returns the current tenants.
    pub fn load(&self) -> Arc<Tenants> {
        self.tenants.load_full()
    }

    /// Replaces the tenants. Running calls finish with the earlier ones.
    ///
    /// `broken` is the number of tenants with settings that cannot be loaded, for `/readyz?verbose`.
    pub fn replace(&self, tenants: Tenants, broken: usize) {
        self.tenants.store(Arc::new(tenants));
        self.count_reload(if broken == 0 { ReloadResult::Ok } else { ReloadResult::Partial }, broken);
    }

    /// Records a reload without an effect, and the number of tenants or tables with settings that cannot be loaded.
    pub fn set_broken(&self, broken: usize) {
        self.count_reload(ReloadResult::Failed, broken);
    }

    /// Sets the last reload, which `/status` shows.
    pub fn set_last_reload(&self, reload: LastReload) {
        self.last_reload.store(Some(Arc::new(reload)));
    }

    /// Returns the last reload.
    pub(crate) fn last_reload(&self) -> Option<Arc<LastReload>> {
        self.last_reload.load_full()
    }

    fn count_reload(&self, result: ReloadResult, broken: usize) {
        self.broken.store(broken, Relaxed);
        if let Some(count) = self.reloads.get(result as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Returns the number of reloads with this result.
    pub(crate) fn reloads(&self, result: ReloadResult) -> u64 {
        self.reloads.get(result as usize).map_or(0, |count| count.load(Relaxed))
    }

    /// Returns the number of tenants with settings that cannot be loaded.
    pub(crate) fn broken(&self) -> usize {
        self.broken.load(Relaxed)
    }

    /// Finds the tenant of a request. An unknown id gets a stand-in, always the same one.
    pub(crate) fn find(&self, id: &TenantId, key: &ProcessKey) -> FoundTenant {
        let tenants = self.tenants.load();
        tenants.find(id, key.pick(id, tenants.len()))
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

#[cfg(test)]
mod tests {
    use idp_bridge_connector_memory::Memory;
    use idp_bridge_protocol::SigningKey;

    use super::*;
    use crate::auth::{RestToken, Scope};

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
    fn unknown_id_has_a_stand_in() {
        let key = SigningKey::from_seed([1; 32]).unwrap();
        let (deadline, mut only) = (Duration::from_secs(7), tenant("a", &key));
        only.deadline = deadline;
        let tenants = Tenants::new([only]).unwrap();
        let find = |tenants: &Tenants, id| tenants.find(&TenantId::new(id).unwrap(), 0);
        let (known, unknown) = (find(&tenants, "a"), find(&tenants, "b"));
        assert_eq!((known.keys().keys().len(), unknown.keys().keys().len()), (1, 0));
        assert_eq!((known.deadline(), unknown.deadline()), (deadline, deadline));
        assert!(known.into_known().is_some() && unknown.into_known().is_none());
        assert!(find(&Tenants::default(), "a").into_known().is_none());
    }

    #[test]
    fn rest_tokens_and_names_are_unique() {
        let token =
            |name: &str, byte| RestToken { name: name.into(), sha256: [byte; 32], scopes: [Scope::Read].into() };
        let with = |tokens: Vec<RestToken>| {
            let mut tenant = tenant("a", &SigningKey::from_seed([1; 32]).unwrap());
            tenant.tokens = tokens;
            Tenants::new([tenant]).map(drop)
        };
        let id = TenantId::new("a").unwrap();
        assert_eq!(with(vec![token("one", 1), token("two", 2)]), Ok(()));
        let same_name = with(vec![token("one", 1), token("two", 2), token("one", 3)]);
        assert_eq!(same_name, Err(TenantsError::TokenName(id.clone(), "one".into())));
        let same_token = with(vec![token("one", 1), token("two", 1)]);
        assert_eq!(same_token, Err(TenantsError::SameToken(id, "one".into(), "two".into())));
    }
}
