//! The requests to Rolodex, what its answers mean, and how its people become users.

use idp_bridge_core::ErrorKind::*;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{CallScope, Customer, Email, Error, OutboundPolicy, Result, Secret, UserId, UserRecord};
use idp_bridge_http::{BaseUrl, Client, Request, Response};
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
    pub(crate) id: String,
    mail: Option<String>,
    pub(crate) mail_verified: bool,
    pub(crate) client: Option<String>,
    suspended: bool,
    joined: Option<String>,
}

impl Person {
    /// The address, if it is well-formed.
    pub(crate) fn mail(&self) -> Option<Email> {
        self.mail.as_deref().and_then(|text| Email::new(text).ok())
    }

    /// Whether this is the address.
    pub(crate) fn has_mail(&self, email: &Email) -> bool {
        self.mail().is_some_and(|own| own.matches(email))
    }

    /// The person as a user of the bridge.
    pub(crate) fn record(&self) -> Result<UserRecord> {
        let id = UserId::new(self.id.as_str()).map_err(|error| {
            Error::upstream(InvalidResponse, "rolodex returned a person with an unusable id").with_source(error)
        })?;
        Ok(UserRecord {
            customer: Customer::from_values(self.client.as_slice()),
            email: self.mail(),
            create_time: self.joined.as_deref().and_then(|text| text.parse::<Timestamp>().ok()),
            email_verified: Some(self.mail_verified),
            blocked: Some(self.suspended),
            ..UserRecord::new(id)
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
        let response = self.send(scope, Request::delete(self.base.join(&["people", id.as_str()])?)).await?;
        if response.body.is_empty() {
            return Ok(());
        }
        Err(Error::upstream(InvalidResponse, "a delete was answered with a body, which rolodex never does"))
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
        let response = self.http.send(scope, request.bearer(&self.key)?).await?;
        if response.status.is_success() { Ok(response) } else { Err(refusal(&response)) }
    }
}

/// The error that an answer without success means.
fn refusal(response: &Response) -> Error {
    let says = |word: &str| response.text().is_some_and(|text| text == format!(r#"{{"error":"{word}"}}"#));
    let error = match response.status.as_u16() {
        401 => Error::upstream(Unauthenticated, "rolodex refused the key").with_hint("check `key`"),
        403 => Error::upstream(PermissionDenied, "the key lacks a right").with_hint("see it in Rolodex → Keys"),
        // Only Rolodex's own word makes a user missing: a wrong path, or another server, answers 404 as well.
        404 if says("no_such_person") => Error::upstream(NotFound, "no such user"),
        404 => Error::upstream(Misconfigured, "rolodex does not know the path").with_hint("check `url`"),
        429 => Error::upstream(RateLimited, "rolodex asks to slow down"),
        500.. => Error::upstream(Unavailable, "rolodex failed"),
        _ => Error::upstream(InvalidResponse, "rolodex answered with an unexpected status"),
    };
    error.with("status", response.status.as_u16().to_string()).with_retry_after(response.retry_after())
}
