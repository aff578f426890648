//! A connector for Rolodex, an invented directory of people that is spoken to by JSON over HTTP.
//!
//! It is complete, and small since Rolodex is: it sends no mails, so two of the seven calls can never be.

mod client;

use idp_bridge_core::{
    CallKind, CallScope, Capabilities, Connector, ConnectorContext, Deleted, Email, Error, ErrorKind, Fidelity, Field,
    Finding, IdentityProvider, Result, Secret, Support, UserId, UserKey, UserRecord, async_trait,
};
use schemars::JsonSchema;
use serde::Deserialize;

use client::{People, Person};

/// A tenant's settings.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RolodexConfig {
    /// Where Rolodex listens, such as `https://rolodex.acme.example`.
    pub url: String,

    /// The key that the bridge uses.
    pub key: Secret,
}

/// One Rolodex, as the identity provider of one tenant.
pub struct Rolodex {
    people: People,
    capabilities: Capabilities,
}

impl Connector for Rolodex {
    const TYPE: &'static str = "rolodex";
    type Config = RolodexConfig;
    type Provider = Self;

    fn capabilities() -> Capabilities {
        let no_mails = || Support::unsupported("Rolodex sends no mails");
        Capabilities::all()
            .with_call(CallKind::SendVerificationEmail, no_mails())
            .with_call(CallKind::SendPasswordResetEmail, no_mails())
            .with_field(Field::UpdateTime, Fidelity::Absent)
            .with_field(Field::LoginTime, Fidelity::Absent)
            .with_field(Field::LoginsCount, Fidelity::Absent)
    }

    fn build(config: RolodexConfig, context: &ConnectorContext) -> Result<Self> {
        let people = People::new(&config, &context.outbound)?;
        Ok(Self { people, capabilities: <Self as Connector>::capabilities() })
    }
}

#[async_trait]
impl IdentityProvider for Rolodex {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn get(&self, scope: &CallScope, key: UserKey<'_>) -> Result<UserRecord> {
        match key {
            UserKey::Id(id) => self.person(scope, id).await?.record(),
            UserKey::Email(email) => {
                let people = self.people.search(scope, ("mail", email.as_str())).await?;
                only(people, |person| person.has_mail(email))?.record()
            }
            UserKey::Customer(customer) => {
                let people = self.people.search(scope, ("client", customer.as_str())).await?;
                only(people, |person| person.client.as_deref() == Some(customer.as_str()))?.record()
            }
        }
    }

    async fn delete(&self, scope: &CallScope, id: &UserId) -> Result<Deleted> {
        match self.people.delete(scope, id).await {
            Ok(()) => Ok(Deleted::Existed),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Deleted::Absent),
            Err(error) => Err(error),
        }
    }

    async fn mark_email_verified(&self, scope: &CallScope, id: &UserId, expected: Option<&Email>) -> Result<()> {
        let person = self.person(scope, id).await?;
        let Some(current) = person.mail() else {
            return Err(Error::ours(ErrorKind::State, "the user has no email"));
        };
        // Without an expected address the caller means the one in force now, not one that replaces it meanwhile.
        let address = expected.unwrap_or(&current);
        if !current.matches(address) {
            return Err(other_address());
        }
        if person.mail_verified || self.people.set_verified(scope, id, true).await?.has_mail(address) {
            return Ok(());
        }
        // The flag must not vouch for an address that nobody has proved.
        self.people.set_verified(scope, id, false).await?;
        Err(other_address())
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        let rights = self.people.rights(scope).await;
        let checks = [
            ("Rolodex is reachable", "check `url`, and that it can be reached from here".to_owned()),
            ("the key is known", "make a key in Rolodex → Keys, and copy it to `key`".to_owned()),
        ];
        let is_refused = |error: &Error| usize::from(error.kind() == ErrorKind::Unauthenticated);
        let failed = rights.as_ref().err().map(|error| (is_refused(error), error.to_string()));
        let mut findings = Finding::chain(&CallKind::ALL, checks, failed);
        let writes = [CallKind::Delete, CallKind::MarkEmailVerified];
        for (right, calls) in [("read", &CallKind::ALL[..]), ("write", &writes)] {
            let (check, fix) = (format!("the key may {right}"), format!("tick `{right}` in Rolodex → Keys"));
            findings.push(match &rights {
                Ok(rights) if rights.iter().any(|own| own == right) => Finding::ok(check, calls),
                Ok(_) => Finding::failed(check, calls, fix),
                Err(_) => Finding::not_visible(check, calls, "mend what failed before, and check again"),
            });
        }
        findings
    }
}

impl Rolodex {
    async fn person(&self, scope: &CallScope, id: &UserId) -> Result<Person> {
        let person = self.people.get(scope, id).await?;
        // A cache or a proxy may answer with somebody else.
        if person.id == id.as_str() { Ok(person) } else { Err(nobody()) }
    }
}

/// The one person whom a search means; what else it found is left aside.
fn only(people: Vec<Person>, is_meant: impl Fn(&Person) -> bool) -> Result<Person> {
    let mut meant = people.into_iter().filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(person), None) => Ok(person),
        (Some(_), Some(_)) => Err(Error::upstream(ErrorKind::Ambiguous, "several users match")),
        (None, _) => Err(nobody()),
    }
}

fn nobody() -> Error {
    Error::ours(ErrorKind::NotFound, "no such user")
}

fn other_address() -> Error {
    Error::ours(ErrorKind::Conflict, "the user has another address than the expected one")
}
