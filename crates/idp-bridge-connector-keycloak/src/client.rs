//! The requests that the connector makes: Keycloak's Admin REST API, each request one function.

use async_trait::async_trait;
use idp_bridge_core::{CallScope, Error, OutboundPolicy, Result, Secret, SessionId, UserId};
use idp_bridge_http::{BaseUrl, Client, Request, Response, Token, TokenAnswer, TokenCache, TokenSource, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::KeycloakConfig;
use crate::error::{Step, refusal};
use crate::map::KeycloakUser;
use crate::person;
use crate::search::Search;

/// One realm's Admin REST API, spoken as the bridge's client; cheap to clone.
#[derive(Clone)]
pub(crate) struct AdminApi {
    http: Client,
    base: BaseUrl,
    realm: String,
    tokens: TokenCache<ClientCredentials>,
    login: ClientCredentials,
    mail_query: Vec<(&'static str, String)>,
}

/// The two kinds of sessions that Keycloak keeps apart, also under one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sessions {
    /// Those of a browser.
    Online,
    /// Those that outlive the browser's (`offline_access`).
    Offline,
}

/// One event of a user; only its time matters.
#[derive(Deserialize)]
pub(crate) struct LoginEvent {
    /// In milliseconds since 1970.
    pub(crate) time: i64,
}

/// Whether the realm keeps events, and which.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventsConfig {
    #[serde(default)]
    events_enabled: bool,
    #[serde(default)]
    enabled_event_types: Vec<String>,
}

impl EventsConfig {
    /// Whether logins are kept.
    pub(crate) fn keeps_logins(&self) -> bool {
        self.events_enabled && self.enabled_event_types.iter().any(|kind| kind == "LOGIN")
    }
}

/// What brute force detection thinks of a user.
#[derive(Deserialize)]
pub(crate) struct Lock {
    /// Whether the user cannot log in for a while.
    pub(crate) disabled: bool,
}

impl AdminApi {
    pub(crate) fn new(config: &KeycloakConfig, policy: &OutboundPolicy) -> Result<Self> {
        let http = Client::new(policy)?;
        let base = BaseUrl::parse(&config.url, policy)?;
        http.prepare(&base)?;
        let token_url = base
            .join(&["realms", &config.realm, "protocol", "openid-connect", "token"])
            .map_err(|error| Error::misconfigured("`realm` is no name of a realm").with_source(error))?;
        let login = ClientCredentials {
            http: http.clone(),
            token_url,
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
        };
        let mail_query = [
            ("client_id", config.email_client_id.clone()),
            ("redirect_uri", config.email_redirect_uri.clone()),
            ("lifespan", config.email_link_lifespan.map(|lifespan| lifespan.as_secs().to_string())),
        ];
        let mail_query = mail_query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Ok(Self { http, base, realm: config.realm.clone(), tokens: TokenCache::new(login.clone()), login, mail_query })
    }

    /// The client that sends.
    pub(crate) fn http(&self) -> &Client {
        &self.http
    }

    /// Where the realm's public endpoints lie.
    pub(crate) fn public_realm(&self, policy: &OutboundPolicy) -> Result<BaseUrl> {
        BaseUrl::parse(self.base.join(&["realms", &self.realm])?.as_str(), policy)
    }

    /// Logs the client in anew, whatever token is in the cache.
    pub(crate) async fn check_login(&self, scope: &CallScope) -> Result<()> {
        self.login.fetch(scope).await.map(drop)
    }

    /// The user with this id.
    pub(crate) async fn user(&self, scope: &CallScope, id: &UserId) -> Result<KeycloakUser> {
        self.read(scope, Step::ReadUsers, &["users", id.as_str()], &[]).await
    }

    /// One page of the users that a search finds.
    pub(crate) async fn users(
        &self,
        scope: &CallScope,
        search: &Search<'_>,
        first: usize,
    ) -> Result<Vec<KeycloakUser>> {
        self.read(scope, Step::ReadUsers, &["users"], &search.query(first)).await
    }

    /// The users with exactly this name, service accounts included. Empty if the client may search but not view users.
    pub(crate) async fn users_named(&self, scope: &CallScope, username: &str) -> Result<Vec<KeycloakUser>> {
        let query = [("username", username.to_owned()), ("exact", "true".into()), ("max", "2".into())];
        self.read(scope, Step::ReadUsers, &["users"], &query).await
    }

    /// The users who have this as user name, address, first or last name, service accounts left out; at most [`person::PAGE`].
    pub(crate) async fn people_named(&self, scope: &CallScope, name: &str) -> Result<Vec<KeycloakUser>> {
        let query = [("search", format!("\"{name}\"")), ("max", person::PAGE.to_string())];
        self.read(scope, Step::ReadUsers, &["users"], &query).await
    }

    /// Sets the flag and nothing else: a partial update keeps every other field.
    pub(crate) async fn set_email_verified(&self, scope: &CallScope, id: &UserId, verified: bool) -> Result<()> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Change {
            email_verified: bool,
        }
        let request = Request::put(self.url(&["users", id.as_str()])?).json(&Change { email_verified: verified })?;
        self.write(scope, Step::UpdateUser, request).await
    }

    /// Deletes the user.
    pub(crate) async fn delete(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        self.write(scope, Step::DeleteUser, Request::delete(self.url(&["users", id.as_str()])?)).await
    }

    /// Ends the session with this id, for all its clients. It waits for the applications that are told of it.
    pub(crate) async fn end_session(&self, scope: &CallScope, id: &SessionId, sessions: Sessions) -> Result<()> {
        let mut request = Request::delete(self.url(&["sessions", id.as_str()])?);
        if sessions == Sessions::Offline {
            request = request.query(&[("isOffline", "true")]);
        }
        self.write(scope, Step::EndSession, request).await
    }

    /// Orders the mail whose link proves the address.
    pub(crate) async fn send_verify_email(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        let url = self.url(&["users", id.as_str(), "send-verify-email"])?;
        self.write(scope, Step::SendMail, Request::put(url).query(&self.mail_query)).await
    }

    /// Orders the mail whose link lets the user choose a new password. (The older `reset-password-email` is
    /// deprecated.)
    pub(crate) async fn send_password_email(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        let url = self.url(&["users", id.as_str(), "execute-actions-email"])?;
        let request = Request::put(url).query(&self.mail_query).json(&["UPDATE_PASSWORD"])?;
        self.write(scope, Step::SendMail, request).await
    }

    /// What brute force detection thinks of the user.
    pub(crate) async fn lock(&self, scope: &CallScope, id: &UserId) -> Result<Lock> {
        self.lock_of(scope, id.as_str()).await
    }

    /// Fails if the client may not view users.
    ///
    /// Keycloak tells of an unknown user that it is not locked, but only to whoever may view users.
    pub(crate) async fn may_view_users(&self, scope: &CallScope) -> Result<()> {
        self.lock_of(scope, "00000000-0000-0000-0000-000000000000").await.map(drop)
    }

    async fn lock_of(&self, scope: &CallScope, id: &str) -> Result<Lock> {
        self.read(scope, Step::ReadUsers, &["attack-detection", "brute-force", "users", id], &[]).await
    }

    /// Whether the realm keeps events, and which.
    pub(crate) async fn events_config(&self, scope: &CallScope) -> Result<EventsConfig> {
        self.read(scope, Step::ReadEvents, &["events", "config"], &[]).await
    }

    /// The user's logins that the realm still has, newest first.
    pub(crate) async fn logins(
        &self,
        scope: &CallScope,
        id: &UserId,
        first: usize,
        max: usize,
    ) -> Result<Vec<LoginEvent>> {
        let query = [
            ("type", "LOGIN".into()),
            ("user", id.as_str().to_owned()),
            ("first", first.to_string()),
            ("max", max.to_string()),
        ];
        self.read(scope, Step::ReadEvents, &["events"], &query).await
    }

    /// The realm's settings, or as much of them as the client's roles show.
    pub(crate) async fn realm<T: DeserializeOwned>(&self, scope: &CallScope) -> Result<T> {
        self.read(scope, Step::ReadRealm, &[], &[]).await
    }

    /// The clients with exactly this id: one or none.
    pub(crate) async fn clients_named<T: DeserializeOwned>(&self, scope: &CallScope, client_id: &str) -> Result<T> {
        self.read(scope, Step::ReadClients, &["clients"], &[("clientId", client_id.to_owned())]).await
    }

    /// The realm's client scopes, with all that they add to tokens.
    pub(crate) async fn client_scopes<T: DeserializeOwned>(&self, scope: &CallScope) -> Result<T> {
        self.read(scope, Step::ReadClients, &["client-scopes"], &[]).await
    }

    /// The realm's user profile.
    pub(crate) async fn user_profile<T: DeserializeOwned>(&self, scope: &CallScope) -> Result<T> {
        self.read(scope, Step::ReadUsers, &["users", "profile"], &[]).await
    }

    fn url(&self, path: &[&str]) -> Result<Url> {
        self.base.join(&[&["admin", "realms", &self.realm], path].concat())
    }

    async fn read<T: DeserializeOwned>(
        &self,
        scope: &CallScope,
        step: Step,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<T> {
        self.send(scope, step, Request::get(self.url(path)?).query(query)).await?.json()
    }

    /// Keycloak answers every write with an empty body.
    async fn write(&self, scope: &CallScope, step: Step, request: Request) -> Result<()> {
        self.send(scope, step, request).await?.must_be_empty()
    }

    async fn send(&self, scope: &CallScope, step: Step, request: Request) -> Result<Response> {
        self.tokens.send(&self.http, scope, request).await?.or_refusal(|status, body| refusal(step, status, body))
    }
}

/// How the bridge's client gets its token: the client credentials grant of its service account.
#[derive(Clone)]
struct ClientCredentials {
    http: Client,
    token_url: Url,
    client_id: String,
    client_secret: Secret,
}

#[async_trait]
impl TokenSource for ClientCredentials {
    async fn fetch(&self, scope: &CallScope) -> Result<Token> {
        let request = Request::post(self.token_url.clone()).reading().form(&[
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose()),
        ]);
        let response = self.http.send(scope, request).await?;
        let response = response.or_refusal(|status, body| refusal(Step::FetchToken, status, body))?;
        Ok(response.json::<TokenAnswer>()?.into())
    }
}
