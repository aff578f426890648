//! The requests to Rolodex, one function each.

use idp_bridge_core::{CallScope, Error, ErrorKind, OutboundPolicy, Result, Secret, UserId};
use idp_bridge_http::{BaseUrl, Client, Request, Response};
use serde::Deserialize;
use serde_json::json;

use crate::RolodexConfig;
use crate::error::classify;
use crate::map::Person;

/// A client of Rolodex's API that sends the API key.
///
/// For an API that requires an access token, `idp_bridge_http::TokenCache` fetches and caches one.
pub(crate) struct PeopleApi {
    http: Client,
    base: BaseUrl,
    key: Secret,
}

impl PeopleApi {
    pub(crate) fn new(config: &RolodexConfig, policy: &OutboundPolicy) -> Result<Self> {
        let (http, base) = (Client::new(policy)?, BaseUrl::parse(&config.url, policy)?);
        http.prepare(&base)?;
        Ok(Self { http, base, key: config.api_key.clone() })
    }

    /// Reads the person with this id.
    pub(crate) async fn person(&self, scope: &CallScope, id: &UserId) -> Result<Person> {
        self.send(scope, Request::get(self.base.join(&["people", id.as_str()])?)).await?.json()
    }

    /// Searches the people with this value. Rolodex has no pages.
    pub(crate) async fn search(&self, scope: &CallScope, key: &str, value: &str) -> Result<Vec<Person>> {
        #[derive(Deserialize)]
        struct Found {
            people: Vec<Person>,
        }
        let request = Request::get(self.base.join(&["people"])?).query(&[(key, value)]);
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

    /// Requests a mail of this kind. A success without `queued` says that no mail is sent.
    pub(crate) async fn send_mail(&self, scope: &CallScope, id: &UserId, kind: &str) -> Result<()> {
        #[derive(Deserialize)]
        struct Accepted {
            queued: bool,
        }
        let request = Request::post(self.base.join(&["people", id.as_str(), "mails"])?);
        let accepted: Accepted = self.send(scope, request.json(&json!({"kind": kind}))?).await?.json()?;
        if !accepted.queued {
            return Err(Error::upstream(ErrorKind::Unavailable, "rolodex did not queue the mail"));
        }
        Ok(())
    }

    /// Returns the rights of the API key.
    pub(crate) async fn rights(&self, scope: &CallScope) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Key {
            rights: Vec<String>,
        }
        let key: Key = self.send(scope, Request::get(self.base.join(&["key"])?)).await?.json()?;
        Ok(key.rights)
    }

    async fn send(&self, scope: &CallScope, request: Request) -> Result<Response> {
        self.http.send(scope, request.bearer(&self.key)?).await?.or_refusal(classify)
    }
}
