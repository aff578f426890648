//! The requests to Rolodex, what its answers mean, and how its people become users.

use idp_bridge_core::ErrorKind::*;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{
    CallScope, Customer, Email, EmailStatus, Error, OutboundPolicy, Result, Secret, UserId, UserRecord,
};
use idp_bridge_http::{BaseUrl, Client, Request, Response, status_error};
use serde::Deserialize;
use serde_json::json;

use crate::RolodexConfig;

/// The people of one Rolodex.
pub(crate) struct People {
    http: Client,
    base: BaseUrl,
    key: Secret,
}

/// A person, as Rolodex shows them.
#[derive(Deserialize)]
pub(crate) struct Person {
    id: String,
    mail: Option<String>,
    mail_verified: bool,
    pub(crate) client: Option<String>,
    suspended: bool,
    joined: Option<String>,
}

impl Person {
    /// The address, if it is well-formed.
    fn mail(&self) -> Option<Email> {
        self.mail.as_deref().and_then(|text| Email::new(text).ok())
    }

    /// Whether this is the address.
    pub(crate) fn has_mail(&self, email: &Email) -> bool {
        self.mail().is_some_and(|own| own.matches(email))
    }

    /// What a mark of the address depends on.
    pub(crate) fn status(&self) -> EmailStatus {
        EmailStatus { email: self.mail(), verified: self.mail_verified }
    }

    /// The id, if the bridge can use it.
    pub(crate) fn id(&self) -> Result<UserId> {
        UserId::new(self.id.as_str()).map_err(|error| {
            Error::upstream(InvalidResponse, "rolodex returned a person with an unusable id").with_source(error)
        })
    }

    /// The person as a user of the bridge.
    pub(crate) fn record(&self) -> Result<UserRecord> {
        Ok(UserRecord {
            customer: Customer::from_values(self.client.as_slice()),
            email: self.mail(),
            create_time: self.joined.as_deref().and_then(|text| text.parse::<Timestamp>().ok()),
            email_verified: Some(self.mail_verified),
            blocked: Some(self.suspended),
            ..UserRecord::new(self.id()?)
        })
    }
}

impl People {
    pub(crate) fn new(config: &RolodexConfig, policy: &OutboundPolicy) -> Result<Self> {
        let (http, base) = (Client::new(policy)?, BaseUrl::parse(&config.url, policy)?);
        http.prepare(&base)?;
        Ok(Self { http, base, key: config.key.clone() })
    }

    /// The person with this id.
    pub(crate) async fn get(&self, scope: &CallScope, id: &UserId) -> Result<Person> {
        self.send(scope, Request::get(self.base.join(&["people", id.as_str()])?)).await?.json()
    }

    /// The people with this value.
    pub(crate) async fn search(&self, scope: &CallScope, pair: (&str, &str)) -> Result<Vec<Person>> {
        #[derive(Deserialize)]
        struct Found {
            people: Vec<Person>,
        }
        let request = Request::get(self.base.join(&["people"])?).query(&[pair]);
        let found: Found = self.send(scope, request).await?.json()?;
        Ok(found.people)
    }

    /// Sets the flag and nothing else, and answers the person as they are afterwards.
    pub(crate) async fn set_verified(&self, scope: &CallScope, id: &UserId, verified: bool) -> Result<Person> {
        let request = Request::patch(self.base.join(&["people", id.as_str()])?);
        self.send(scope, request.json(&json!({"mail_verified": verified}))?).await?.json()
    }

    /// Deletes the person.
    pub(crate) async fn delete(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        self.send(scope, Request::delete(self.base.join(&["people", id.as_str()])?)).await?.check_empty()
    }

    /// What the key may do.
    pub(crate) async fn rights(&self, scope: &CallScope) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Key {
            may: Vec<String>,
        }
        let key: Key = self.send(scope, Request::get(self.base.join(&["key"])?)).await?.json()?;
        Ok(key.may)
    }

    async fn send(&self, scope: &CallScope, request: Request) -> Result<Response> {
        self.http.send(scope, request.bearer(&self.key)?).await?.or_refusal(classify)
    }
}

/// The body of a refusal by Rolodex. One with another body comes from a gateway or another server.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// The error that a refusal by Rolodex means.
fn classify(status: u16, refusal: Refusal) -> Error {
    match status {
        401 => Error::upstream(Unauthenticated, "rolodex refused the key").with_hint("check `key`"),
        403 => Error::upstream(PermissionDenied, "the key lacks a right").with_hint("see it in Rolodex → Keys"),
        // Only one word makes a user missing: a wrong path is 404 as well.
        404 if refusal.error == "no_such_person" => Error::no_such_user(),
        404 => Error::upstream(Misconfigured, "rolodex does not know the path").with_hint("check `url`"),
        _ => status_error(status),
    }
}
