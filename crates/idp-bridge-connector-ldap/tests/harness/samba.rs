//! The harness of the Active Directory of a Samba server.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_conformance::{Control, Harness, Need, NewUser, Setup, TestResult, UserKind, async_trait};
use idp_bridge_connector_ldap::{Ldap, LdapConfig, Preset};
use idp_bridge_core::{
    CallScope, Capabilities, Connector, ConnectorContext, CustomerId, Directory, Email, ErrorKind, IdentityProvider,
    OutboundPolicy, Outcome, Secret, TenantId, UserId, UserStore as _, Verdict,
};
use idp_bridge_test_http::Certificates;
use idp_bridge_test_slapd::SambaServer;

use super::{Mails, line};

const PEOPLE: &str = "ou=people,dc=acme,dc=example";

const ROLES: [&str; 5] = ["bridge", "reader", "narrow", "stranger", "marker"];

/// The attribute of the customer. It may have several values.
const CUSTOMER: &str = "departmentNumber";

/// The attribute of the flag of a verified address.
const VERIFIED: &str = "employeeType";

/// The bits of `userAccountControl`: a disabled account, one that needs no password, and a user's or a computer's account.
const DISABLED: u32 = 0x2;
const WITHOUT_PASSWORD: u32 = 0x20;
const USER: u32 = 0x200;
const COMPUTER: u32 = 0x1000;

pub(crate) struct SambaHarness {
    server: SambaServer,
    authority: String,
    mails: Mails,
    made: AtomicU32,
    connected: AtomicU32,
}

impl SambaHarness {
    pub(crate) async fn start() -> TestResult<Self> {
        let mut server = SambaServer::create();
        server.change_database("ldbadd", &roles()?);
        server.change_database("ldbmodify", &rights(&server));
        let Certificates { authority, certificate, key } = Certificates::issue(&server.address().to_string());
        server.start(&authority, &certificate, &key);
        let (made, connected) = (AtomicU32::new(0), AtomicU32::new(0));
        let harness = Self { server, authority, mails: Mails::start(), made, connected };
        harness.check_password_needs_tls().await?;
        harness.check_changed_address_is_not_marked().await?;
        harness.check_mark_writes_the_address().await?;
        Ok(harness)
    }

    /// Returns settings with TLS from the first byte, and with StartTLS every other time.
    fn config(&self, role: &str, password: &str, base: &str) -> LdapConfig {
        let is_even = self.connected.fetch_add(1, Relaxed).is_multiple_of(2);
        let url = format!("{}://{}", if is_even { "ldaps" } else { "ldap" }, self.server.address());
        let name = format!("{role}@acme.example");
        let mut config = LdapConfig::new(url, name, Secret::new(password), base, Preset::ActiveDirectory);
        // The suite makes many providers at the same time.
        config.connections = 4;
        config.attributes.customer = Some(CUSTOMER.to_owned());
        config.attributes.email_verified = Some(VERIFIED.to_owned());
        config.mail = Some(self.mails.config());
        config
    }

    fn build(&self, config: LdapConfig) -> TestResult<Directory<Ldap>> {
        let mut context = ConnectorContext::new(TenantId::new("conformance")?);
        let ca_pem = Some(self.authority.as_bytes().to_vec());
        context.outbound = OutboundPolicy { ca_pem, ..OutboundPolicy::default() };
        Ok(Ldap::build(config, &context)?)
    }

    fn working(&self) -> LdapConfig {
        self.config("bridge", "Secret-of-bridge-1", PEOPLE)
    }

    /// Checks that the server refuses a password without TLS.
    async fn check_password_needs_tls(&self) -> TestResult<()> {
        let mut config = self.working();
        (config.url, config.start_tls) = (format!("ldap://{}", self.server.address()), false);
        let id = UserId::new("8aec4f2c-7fe2-1041-9264-878632ad99b3")?;
        let refused = self.build(config)?.store().read(&scope(), &id).await.err();
        match refused {
            Some(error) if error.kind() == ErrorKind::Misconfigured && error.context("code") == Some("8") => Ok(()),
            other => Err(format!("a password without TLS should be refused with the code 8: {other:?}").into()),
        }
    }

    /// Checks that the mark of an address fails if the address has changed since it was read.
    async fn check_changed_address_is_not_marked(&self) -> TestResult<()> {
        let id = self.create(NewUser::person(Email::new("ada@acme.example")?)).await?;
        let (directory, scope) = (self.build(self.working())?, scope());
        let user = directory.store().read(&scope, &id).await?.ok_or("the new user is missing")?;
        self.change_email(&id, &Email::new("new@acme.example")?).await?;
        directory.store().set_email_verified(&scope, &user, true).await?;
        let outcome = scope.recorder().outcome();
        let is_marked = self.server.find("(mail=new@acme.example)").contains(&format!("{VERIFIED}: TRUE"));
        if outcome == Outcome::NotApplied && !is_marked {
            return Ok(());
        }
        Err(format!("a changed address was marked: {is_marked}, and the outcome is {outcome:?}").into())
    }

    /// Checks that `doctor` finds a missing right to write the address, which a mark needs.
    async fn check_mark_writes_the_address(&self) -> TestResult<()> {
        let mut grace = NewUser::person(Email::new("grace@acme.example")?);
        grace.customers.push(CustomerId::new("c-1")?);
        let id = self.create(grace).await?;
        let directory = self.build(self.config("marker", "Secret-of-marker-1", PEOPLE))?;
        let refused = directory.mark_email_verified(&scope(), &id, None).await.err().map(|error| error.kind());
        let check = format!("the bridge may write `{VERIFIED}` and `mail`");
        let findings = directory.diagnose(&scope()).await;
        let verdict = findings.into_iter().find(|finding| finding.check == check).map(|finding| finding.verdict);
        if (refused, verdict) == (Some(ErrorKind::PermissionDenied), Some(Verdict::Failed)) {
            return Ok(());
        }
        Err(format!("the mark without a right ended with {refused:?}, and the verdict of doctor is {verdict:?}").into())
    }

    /// Returns the value of an attribute of the entry that a filter finds.
    fn value(&self, filter: &str, attribute: &str) -> TestResult<String> {
        let entry = self.server.find(filter);
        let value = entry.lines().find_map(|line| line.strip_prefix(attribute)?.strip_prefix(": "));
        value.map(str::to_owned).ok_or_else(|| format!("no entry has the attribute {attribute}: {filter}").into())
    }
}

fn scope() -> CallScope {
    CallScope::new("harness", Duration::from_secs(20))
}

/// Returns the entries of the roles, and the entry above all users.
fn roles() -> TestResult<String> {
    let mut entries = format!("dn: {PEOPLE}\nobjectClass: organizationalUnit\n");
    for role in ROLES {
        write!(
            entries,
            "\ndn: cn={role},cn=Users,dc=acme,dc=example\nobjectClass: user\nsAMAccountName: {role}\n\
             userPrincipalName: {role}@acme.example\nuserAccountControl: {USER}\n{}",
            line("clearTextPassword", utf16(&format!("Secret-of-{role}-1")))
        )?;
    }
    Ok(entries)
}

/// Returns the change of the rights on users. `narrow` sees the entry above the users and no users, and `marker` lacks the right to
/// write the address.
///
/// The letters are those of SDDL: <https://learn.microsoft.com/windows/win32/secauthz/ace-strings> (November 2026).
fn rights(server: &SambaServer) -> String {
    let [bridge, reader, narrow, marker] =
        ["bridge", "reader", "narrow", "marker"].map(|role| server.security_id(role));
    let all = "RPWPCRCCDCLCLORCWOWDSDDTSW";
    // The bridge writes the flag and, as a condition, the address. It deletes users.
    let (verified, email, user) = (
        "a8df73f0-c5ea-11d1-bbcb-0080c76670c0",
        "bf967961-0de6-11d0-a285-00aa003049e2",
        "bf967aba-0de6-11d0-a285-00aa003049e2",
    );
    format!(
        "dn: {PEOPLE}\nchangetype: modify\nreplace: nTSecurityDescriptor\nnTSecurityDescriptor: O:DAG:DAD:PAI\
         (A;CI;{all};;;DA)(A;CI;{all};;;SY)\
         (A;CI;RPLC;;;{bridge})(OA;CIIO;WP;{verified};{user};{bridge})(OA;CIIO;WP;{email};{user};{bridge})\
         (OA;CIIO;SD;;{user};{bridge})\
         (A;CI;RPLC;;;{reader})(A;;RP;;;{narrow})(A;CI;RPLC;;;{marker})(OA;CIIO;WP;{verified};{user};{marker})\n"
    )
}

/// Returns a text in UTF-16 with the lower byte of each unit first.
fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Returns the text of a GUID, of which the first three groups begin with their lowest byte.
fn guid(bytes: [u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let rest = u64::from_be_bytes(rest);
    let (first, second, third) =
        (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f]), u16::from_le_bytes([g, h]));
    format!("{first:08x}-{second:04x}-{third:04x}-{:04x}-{:012x}", rest >> 48, rest & 0xffff_ffff_ffff)
}

#[async_trait]
impl Harness for SambaHarness {
    fn name(&self) -> &str {
        "ldap (Samba AD)"
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Ldap as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        super::not_applicable(need)
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        let config = match setup {
            Setup::Working => self.working(),
            Setup::Broken(Control::WrongSecret) => self.config("bridge", "wrong-password", PEOPLE),
            Setup::Broken(Control::WrongRealm) => {
                self.config("bridge", "Secret-of-bridge-1", "ou=other,dc=acme,dc=example")
            }
            Setup::Broken(Control::MissingRole) => self.config("stranger", "Secret-of-stranger-1", PEOPLE),
            Setup::Broken(Control::NarrowRole) => self.config("narrow", "Secret-of-narrow-1", PEOPLE),
            Setup::Broken(Control::ReadOnlyRole) => self.config("reader", "Secret-of-reader-1", PEOPLE),
            other => return Err(other.unsupported()),
        };
        Ok(Arc::new(self.build(config)?))
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        let number = self.made.fetch_add(1, Relaxed);
        let (class, account, mut control) = match user.kind {
            UserKind::Person => ("user", format!("u{number}"), USER),
            UserKind::ServiceAccount => ("computer", format!("r{number}$"), COMPUTER),
        };
        control |= if user.blocked { DISABLED } else { 0 };
        control |= if user.password.is_some() { 0 } else { WITHOUT_PASSWORD };
        let mut entry = format!(
            "dn: cn=e{number},{PEOPLE}\nobjectClass: {class}\nsAMAccountName: {account}\nuserAccountControl: {control}\n"
        );
        for (attribute, value) in user
            .customers
            .iter()
            .map(|customer| (CUSTOMER, customer.as_str()))
            .chain(user.email.as_ref().map(|email| ("mail", email.as_str())))
            .chain([(VERIFIED, if user.email_verified { "TRUE" } else { "FALSE" })])
        {
            entry.push_str(&line(attribute, value));
        }
        if let Some(password) = &user.password {
            entry.push_str(&line("unicodePwd", utf16(&format!("\"{password}\""))));
        }
        self.server.execute(&entry);
        let id = STANDARD.decode(self.value(&format!("(cn=e{number})"), "objectGUID:")?)?;
        Ok(UserId::new(guid(id.as_slice().try_into()?))?)
    }

    async fn exists(&self, id: &UserId) -> TestResult<bool> {
        Ok(!self.server.find(&format!("(objectGUID={})", id.as_str())).is_empty())
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        let name = line("dn", format!("<GUID={}>", id.as_str()));
        self.server.execute(&format!("{name}changetype: modify\nreplace: mail\n{}", line("mail", email.as_str())));
        Ok(())
    }

    async fn log_in(&self, email: &Email, password: &str) -> TestResult<bool> {
        let name = self.value(&format!("(mail={})", email.as_str()), "dn")?;
        Ok(self.server.execute_as(&name, password, "").status.success())
    }

    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> TestResult<()> {
        let name = self.value(&format!("(mail={})", email.as_str()), "dn")?;
        let mut allowed = 0;
        for attribute in [CUSTOMER, VERIFIED, "mail", "telephoneNumber", "street", "wWWHomePage"] {
            let change = line(attribute, value.as_str());
            let change = format!("dn: {name}\nchangetype: modify\nreplace: {attribute}\n{change}");
            allowed += usize::from(self.server.execute_as(&name, password, &change).status.success());
        }
        if allowed == 3 { Ok(()) } else { Err(format!("the user could write {allowed} attributes").into()) }
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        Ok(self.mails.count(email))
    }
}
