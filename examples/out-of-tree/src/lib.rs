//! A connector for Rolodex, an invented directory of people that is spoken to by JSON over HTTP.
//!
//! It is complete, and small since Rolodex is: it sends no mails, so two of the seven calls can never be.

mod client;

use idp_bridge_core::{
    CallKind, CallScope, Capabilities, Connector, ConnectorContext, Deleted, Email, Error, ErrorKind, Fidelity, Field,
    Finding, IdentityProvider, Matches, Result, Secret, Support, UserId, UserKey, UserRecord, async_trait, if_found,
    mark_verified,
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
        Ok(if_found(self.people.delete(scope, id).await)?.map_or(Deleted::Absent, |()| Deleted::Existed))
    }

    async fn mark_email_verified(&self, scope: &CallScope, id: &UserId, expected: Option<&Email>) -> Result<()> {
        let now = self.person(scope, id).await?.status();
        let set = async |verified| Ok(self.people.set_verified(scope, id, verified).await?.status());
        mark_verified(now, expected, set).await
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
        // A cache or a proxy may answer with another person, which says nothing about this one.
        if person.id()? == *id { Ok(person) } else { Err(Error::another_user()) }
    }
}

/// The one person whom a search means; what else it found is left aside.
fn only(people: Vec<Person>, is_meant: impl Fn(&Person) -> bool) -> Result<Person> {
    let mut found = Matches::new();
    for person in people.into_iter().filter(is_meant) {
        found.add(person.id()?, person);
    }
    found.into_single()
}
