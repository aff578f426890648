//! Directories with users, and providers for them.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use idp_bridge_connector_ldap::{Ldap, LdapConfig, Preset};
use idp_bridge_core::{
    CallScope, Connector as _, ConnectorContext, Error, IdentityProvider, Result, Secret, TenantId, UpstreamCounters,
    UserId, UserKey, UserRecord,
};
use idp_bridge_test_slapd::SlapdServer;

/// The server of all tests that only read. It ends with the process.
pub(crate) static SERVER: LazyLock<SlapdServer> = LazyLock::new(|| start(""));

/// The name of the bridge's own entry.
pub(crate) const BRIDGE: &str = "cn=bridge,dc=acme,dc=example";

/// The base of the users, and the rights of the bridge.
pub(crate) const PEOPLE: &str = SlapdServer::PEOPLE;
pub(crate) const RIGHTS: &str = SlapdServer::RIGHTS;

const ROBOT: &str = "
dn: cn=robot,ou=people,dc=acme,dc=example
objectClass: organizationalRole
objectClass: tenantUser
objectClass: extensibleObject
cn: robot
mail: robot@acme.example
customerId: c-3
";

/// Starts a server with users and additional general settings.
pub(crate) fn start(general: &str) -> SlapdServer {
    let server = SlapdServer::start(general, RIGHTS, &["bridge"]);
    server.add_user("ada", "ada@acme.example", "c-1");
    server.add_user("grace", "grace@acme.example", "c-2");
    server.execute(ROBOT);
    server
}

/// Returns settings for all calls of a server's users.
pub(crate) fn config(server: &SlapdServer) -> LdapConfig {
    config_at(&server.url())
}

/// Returns settings for all calls of the users of a server at this URL.
pub(crate) fn config_at(url: &str) -> LdapConfig {
    let mut config = LdapConfig::new(url, BRIDGE, Secret::new("secret-of-bridge"), PEOPLE, Preset::Openldap);
    config.start_tls = false;
    config.attributes.customer = Some("customerId".to_owned());
    config.attributes.email_verified = Some("emailVerified".to_owned());
    config
}

/// Builds a provider.
pub(crate) fn provider(config: LdapConfig) -> Arc<dyn IdentityProvider> {
    Arc::new(try_provider(config).unwrap())
}

/// Builds a provider, and returns its counters, too.
pub(crate) fn counted_provider(config: LdapConfig) -> (Arc<dyn IdentityProvider>, UpstreamCounters) {
    let context = ConnectorContext::new(TenantId::new("acme").unwrap());
    (Arc::new(Ldap::build(config, &context).unwrap()), context.outbound.counters)
}

/// Builds a provider, or returns why its settings are refused.
pub(crate) fn try_provider(config: LdapConfig) -> Result<impl IdentityProvider> {
    Ldap::build(config, &ConnectorContext::new(TenantId::new("acme").unwrap()))
}

/// Returns a scope with ample time.
pub(crate) fn ample() -> CallScope {
    scope(Duration::from_secs(20))
}

/// Returns a scope with this timeout.
pub(crate) fn scope(timeout: Duration) -> CallScope {
    CallScope::new("test", timeout)
}

/// Returns the id of the user with this `uid`.
pub(crate) fn id(server: &SlapdServer, uid: &str) -> UserId {
    UserId::new(server.id(&format!("(uid={uid})"))).unwrap()
}

/// Reads the user `ada` by its address.
pub(crate) async fn read(provider: &dyn IdentityProvider) -> Result<UserRecord> {
    let email = idp_bridge_core::Email::new("ada@acme.example").unwrap();
    provider.get(&ample(), UserKey::Email(&email)).await
}

/// Runs a call with a short deadline, and checks that it ends by then.
pub(crate) async fn short<T>(call: impl AsyncFnOnce(CallScope) -> Result<T>) -> Error {
    let timeout = Duration::from_millis(400);
    let ended = tokio::time::timeout(timeout + Duration::from_secs(1), call(scope(timeout))).await;
    ended.expect("the call should end by its deadline").err().expect("the call should fail")
}
