//! The harness of OpenLDAP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use idp_bridge_conformance::{Control, Harness, Need, NewUser, Setup, TestResult, UserKind, async_trait};
use idp_bridge_connector_ldap::{Ldap, LdapConfig, Preset};
use idp_bridge_core::{
    Capabilities, Connector, ConnectorContext, CustomerId, Email, IdentityProvider, Secret, TenantId, UserId,
};
use idp_bridge_test_slapd::SlapdServer;

use super::{Mails, line};

const PEOPLE: &str = SlapdServer::PEOPLE;

/// The rights of each role. `narrow` sees the entry above the users, and nothing of the users. Users edit themselves, other than
/// the attributes that others rely on.
const RIGHTS: &str = r#"
lastbind on
access to attrs=userPassword by self =w by anonymous auth by * none
access to dn.base="ou=people,dc=acme,dc=example"
    by dn.exact="cn=bridge,dc=acme,dc=example" write
    by dn.exact="cn=reader,dc=acme,dc=example" read
    by dn.exact="cn=narrow,dc=acme,dc=example" read
    by * disclose
access to dn.base="dc=acme,dc=example" by * disclose
access to dn.children="ou=people,dc=acme,dc=example" attrs=emailVerified,entry
    by dn.exact="cn=bridge,dc=acme,dc=example" write
    by dn.exact="cn=reader,dc=acme,dc=example" read
    by self read
    by * none
access to dn.children="ou=people,dc=acme,dc=example" attrs=customerId
    by dn.exact="cn=bridge,dc=acme,dc=example" read
    by dn.exact="cn=reader,dc=acme,dc=example" read
    by self read
    by * none
access to dn.children="ou=people,dc=acme,dc=example"
    by dn.exact="cn=bridge,dc=acme,dc=example" read
    by dn.exact="cn=reader,dc=acme,dc=example" read
    by self write
    by * none
"#;

const ROLES: [&str; 4] = ["bridge", "reader", "narrow", "stranger"];

pub(crate) struct OpenldapHarness {
    server: SlapdServer,
    mails: Mails,
    made: AtomicU32,
}

impl OpenldapHarness {
    pub(crate) async fn start() -> TestResult<Self> {
        let (server, mails) = (SlapdServer::start("", RIGHTS, &ROLES), Mails::start());
        Ok(Self { server, mails, made: AtomicU32::new(0) })
    }

    fn config(&self, role: &str, password: &str, base: &str) -> LdapConfig {
        let name = format!("cn={role},dc=acme,dc=example");
        let mut config = LdapConfig::new(self.server.url(), name, Secret::new(password), base, Preset::Openldap);
        config.start_tls = false;
        // The suite makes many providers at the same time.
        config.connections = 4;
        config.attributes.customer = Some("customerId".to_owned());
        config.attributes.email_verified = Some("emailVerified".to_owned());
        config.attributes.blocked = Some("pwdAccountLockedTime".to_owned());
        config.attributes.login_time = Some("pwdLastSuccess".to_owned());
        config.mail = Some(self.mails.config());
        config
    }

    /// Returns the name of an entry.
    fn name(&self, filter: &str) -> TestResult<String> {
        let entry = self.server.find(filter);
        let name = entry.lines().find_map(|line| line.strip_prefix("dn: "));
        name.map(str::to_owned).ok_or_else(|| "there is no such entry".into())
    }
}

#[async_trait]
impl Harness for OpenldapHarness {
    fn name(&self) -> &str {
        "ldap (OpenLDAP)"
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Ldap as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        super::not_applicable(need)
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        let config = match setup {
            Setup::Working => self.config("bridge", "secret-of-bridge", PEOPLE),
            Setup::Broken(Control::WrongSecret) => self.config("bridge", "wrong-password", PEOPLE),
            Setup::Broken(Control::WrongRealm) => {
                self.config("bridge", "secret-of-bridge", "ou=other,dc=acme,dc=example")
            }
            Setup::Broken(Control::MissingRole) => self.config("stranger", "secret-of-stranger", PEOPLE),
            Setup::Broken(Control::NarrowRole) => self.config("narrow", "secret-of-narrow", PEOPLE),
            Setup::Broken(Control::ReadOnlyRole) => self.config("reader", "secret-of-reader", PEOPLE),
            other => return Err(other.unsupported()),
        };
        Ok(Arc::new(Ldap::build(config, &ConnectorContext::new(TenantId::new("conformance")?))?))
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        let number = self.made.fetch_add(1, Relaxed);
        let mut entry = match user.kind {
            UserKind::Person => {
                format!("dn: uid=u{number},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: u{number}\ncn: U\nsn: U\n")
            }
            UserKind::ServiceAccount => {
                format!("dn: cn=r{number},{PEOPLE}\nobjectClass: organizationalRole\nobjectClass: extensibleObject\n")
            }
        };
        entry.push_str("objectClass: tenantUser\n");
        for (attribute, value) in user
            .customers
            .iter()
            .map(|customer| ("customerId", customer.as_str()))
            .chain(user.email.as_ref().map(|email| ("mail", email.as_str())))
            .chain(user.password.as_deref().map(|password| ("userPassword", password)))
            .chain(user.blocked.then_some(("pwdAccountLockedTime", "000001010000Z")))
            .chain([("emailVerified", if user.email_verified { "TRUE" } else { "FALSE" })])
        {
            entry.push_str(&line(attribute, value));
        }
        self.server.execute(&entry);
        let name = if user.kind == UserKind::Person { format!("(uid=u{number})") } else { format!("(cn=r{number})") };
        Ok(UserId::new(self.server.id(&name))?)
    }

    async fn exists(&self, id: &UserId) -> TestResult<bool> {
        Ok(!self.server.find(&format!("(entryUUID={})", id.as_str())).is_empty())
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        let name = self.name(&format!("(entryUUID={})", id.as_str()))?;
        let change = line("mail", email.as_str());
        self.server.execute(&format!("dn: {name}\nchangetype: modify\nreplace: mail\n{change}"));
        Ok(())
    }

    async fn log_in(&self, email: &Email, password: &str) -> TestResult<bool> {
        let name = self.name(&format!("(mail={})", email.as_str()))?;
        Ok(self.server.execute_as(&name, password, "").status.success())
    }

    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> TestResult<()> {
        let name = self.name(&format!("(mail={})", email.as_str()))?;
        let mut allowed = 0;
        for attribute in ["customerId", "description", "sn", "o", "employeeNumber", "employeeType"] {
            let change = line(attribute, value.as_str());
            let change = format!("dn: {name}\nchangetype: modify\nreplace: {attribute}\n{change}");
            allowed += usize::from(self.server.execute_as(&name, password, &change).status.success());
        }
        if allowed == 5 { Ok(()) } else { Err(format!("the user could write {allowed} attributes").into()) }
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        Ok(self.mails.count(email))
    }
}
