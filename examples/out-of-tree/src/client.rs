//! Requests to Rolodex, and the conversion of its answers.

use idp_bridge_core::ErrorKind::*;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{CallScope, Email, Error, OutboundPolicy, Result, Secret, StoredUser, UserId, UserRecord};
use idp_bridge_http::{BaseUrl, Client, Request, Response, status_error};
use serde::Deserialize;
use serde_json::json;

use crate::RolodexConfig;

/// A client of Rolodex's API.
pub(crate) struct People {
    http: Client,
    base: BaseUrl,
    key: Secret,
}

/// A person, as Rolodex returns it.
#[derive(Deserialize)]
pub(crate) struct Person {
    id: String,
    mail: Option<String>,
    mail_verified: bool,
    client: Option<String>,
    suspended: bool,
    joined: Option<String>,
}

impl Person {
    /// Converts the person to a user. A value that the bridge cannot use is left out; an unusable id is an error.
    pub(crate) fn into_stored(self) -> Result<StoredUser> {
        let id = UserId::new(self.id).map_err(|error| {
            Error::upstream(InvalidResponse, "rolodex returned a person with an unusable id").with_source(error)
        })?;
        let record = UserRecord {
            email: self.mail.and_then(|text| Email::new(text).ok()),
            create_time: self.joined.and_then(|text| text.parse::<Timestamp>().ok()),
            email_verified: Some(self.mail_verified),
            blocked: Some(self.suspended),
            ..UserRecord::new(id)
        };
        Ok(StoredUser::new(record, ()).with_customers(self.client))
    }
}

impl People {
    pub(crate) fn new(config: &RolodexConfig, policy: &OutboundPolicy) -> Result<Self> {
        let (http, base) = (Client::new(policy)?, BaseUrl::parse(&config.url, policy)?);
        http.prepare(&base)?;
        Ok(Self { http, base, key: config.key.clone() })
    }

    /// Reads the person with this id.
    pub(crate) async fn get(&self, scope: &CallScope, id: &UserId) -> Result<Person> {
        self.send(scope, Request::get(self.base.join(&["people", id.as_str()])?)).await?.json()
    }

    /// Searches the people with this value.
    pub(crate) async fn search(&self, scope: &CallScope, pair: (&str, &str)) -> Result<Vec<Person>> {
        #[derive(Deserialize)]
        struct Found {
            people: Vec<Person>,
        }
        let request = Request::get(self.base.join(&["people"])?).query(&[pair]);
        let found: Found = self.send(scope, request).await?.json()?;
        Ok(found.people)
    }

    /// Sets only the flag, and returns the person afterwards.
    pub(crate) async fn set_verified(&self, scope: &CallScope, id: &UserId, verified: bool) -> Result<Person> {
        let request = Request::patch(self.base.join(&["people", id.as_str()])?);
        self.send(scope, request.json(&json!({"mail_verified": verified}))?).await?.json()
    }

    /// Deletes the person.
    pub(crate) async fn delete(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        self.send(scope, Request::delete(self.base.join(&["people", id.as_str()])?)).await?.check_empty()
    }

    /// Returns the rights of the key.
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

/// The body of an error response of Rolodex. An error with another body comes from a gateway or another server.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Converts an error response of Rolodex.
fn classify(status: u16, refusal: Refusal) -> Error {
    match status {
        401 => Error::upstream(Unauthenticated, "rolodex refused the key").with_hint("check `key`"),
        403 => Error::upstream(PermissionDenied, "the key lacks a right").with_hint("see it in Rolodex → Keys"),
        // Only this code means a missing user: a wrong path is a 404 as well.
        404 if refusal.error == "no_such_person" => Error::no_such_user(),
        404 => Error::upstream(Misconfigured, "the path does not exist in rolodex").with_hint("check `url`"),
        _ => status_error(status),
    }
}
