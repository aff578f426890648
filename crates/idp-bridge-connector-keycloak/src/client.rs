//! Requests to Keycloak's Admin REST API.

use idp_bridge_core::{CallScope, ConnectorContext, Error, MailKind, Result, UserId};
use idp_bridge_http::{BaseUrl, Client, ClientProof, Request, RequestUrl, Response, TokenCache, TokenRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::config::KeycloakConfig;
use crate::error::{Step, check};
use crate::map::KeycloakUser;

/// A client of one realm's Admin REST API, as the bridge's client. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AdminApi {
    resources: RealmResources,
    public_realm: BaseUrl,
    bridge: BridgeClient,
    mail_query: Vec<(&'static str, String)>,
}

/// The resources of a realm, with the rights of a login. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RealmResources {
    http: Client,
    base: BaseUrl,
    tokens: TokenCache,
}

/// The bridge's client of the realm.
#[derive(Clone)]
pub(crate) struct BridgeClient {
    pub(crate) id: String,
    pub(crate) proof: ClientProof,
    /// The realm's issuer, which is the audience of assertions.
    pub(crate) issuer: String,
}

impl BridgeClient {
    /// Adds a form and the client's credentials to a request.
    pub(crate) fn authenticate(&self, request: Request, form: &[(&'static str, &str)]) -> Request {
        let form = form.iter().copied().chain([("client_id", self.id.as_str())]);
        let form: Vec<_> = form.map(|(name, value)| (name, value.to_owned())).collect();
        let (proof, issuer) = (self.proof.clone(), self.issuer.clone());
        // Each attempt needs a new assertion.
        request.form_with(move || Ok([form.clone(), proof.form_fields(&issuer)?].concat()))
    }
}

impl AdminApi {
    pub(crate) fn new(config: &KeycloakConfig, context: &ConnectorContext) -> Result<Self> {
        let policy = &context.outbound;
        let http = Client::new(policy)?;
        let base = BaseUrl::parse_setting("url", &config.url, policy)?;
        http.prepare(&base)?;
        let public_realm = base
            .below(&["realms", &config.realm])
            .map_err(|error| Error::misconfigured("`realm` is not a valid name of a realm").with_source(error))?;
        let bridge = BridgeClient {
            id: config.client_id.clone(),
            proof: config.proof(context)?,
            issuer: config.issuer.clone().unwrap_or_else(|| public_realm.to_string()),
        };
        let token_url = public_realm.join(&["protocol", "openid-connect", "token"])?;
        let login = bridge.authenticate(Request::post(token_url).read_only(), &[("grant_type", "client_credentials")]);
        let check_login = |response| check(Step::FetchToken, response);
        let login = TokenRequest { client: http.clone(), request: login, check: check_login };
        let mail_query = [
            ("client_id", config.email_client_id.clone()),
            ("redirect_uri", config.email_redirect_uri.clone()),
            ("lifespan", config.email_link_lifespan.map(|lifespan| lifespan.as_secs().to_string())),
        ];
        let mail_query = mail_query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let tokens = TokenCache::new(&http, login);
        let resources = RealmResources::new(http, &base, &config.realm, tokens)?;
        Ok(Self { resources, public_realm, bridge, mail_query })
    }

    /// Returns the HTTP client.
    pub(crate) fn http(&self) -> &Client {
        &self.resources.http
    }

    /// Returns the base URL of the realm's public endpoints.
    pub(crate) fn public_realm(&self) -> &BaseUrl {
        &self.public_realm
    }

    /// Returns the bridge's client.
    pub(crate) fn bridge(&self) -> &BridgeClient {
        &self.bridge
    }

    /// Fetches a new token for the bridge's client, without the cache.
    pub(crate) async fn check_login(&self, scope: &CallScope) -> Result<()> {
        self.resources.tokens.fetch(scope).await.map(drop)
    }

    /// Reads the user with this id.
    pub(crate) async fn user(&self, scope: &CallScope, id: &UserId) -> Result<KeycloakUser> {
        self.read(scope, Step::ReadUsers, &["users", id.as_str()], &[]).await
    }

    /// Searches for users. Empty if the client may search but not view users.
    pub(crate) async fn users(&self, scope: &CallScope, query: &[(&str, String)]) -> Result<Vec<KeycloakUser>> {
        self.read(scope, Step::ReadUsers, &["users"], query).await
    }

    /// Reads the users with exactly this name, service accounts included.
    pub(crate) async fn users_named(&self, scope: &CallScope, name: &str) -> Result<Vec<KeycloakUser>> {
        self.users(scope, &[("username", name.to_owned()), ("exact", "true".into()), ("max", "2".into())]).await
    }

    /// Sets the flag of the user's address. The update is partial and keeps every other field.
    pub(crate) async fn set_email_verified(&self, scope: &CallScope, id: &UserId, verified: bool) -> Result<()> {
        let request = Request::put(self.url(&["users", id.as_str()])?).json(&json!({"emailVerified": verified}))?;
        self.write(scope, Step::UpdateUser, request).await
    }

    /// Deletes the user.
    pub(crate) async fn delete(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        self.write(scope, Step::DeleteUser, Request::delete(self.url(&["users", id.as_str()])?)).await
    }

    /// Requests a mail to the user. (The older `reset-password-email` is deprecated.)
    pub(crate) async fn send_mail(&self, scope: &CallScope, mail: MailKind, id: &UserId) -> Result<()> {
        let put = |path| Ok::<_, Error>(Request::put(self.url(&["users", id.as_str(), path])?).query(&self.mail_query));
        let request = match mail {
            MailKind::Verification => put("send-verify-email")?,
            MailKind::PasswordReset => put("execute-actions-email")?.json(&["UPDATE_PASSWORD"])?,
        };
        self.write(scope, Step::SendMail, request).await
    }

    /// Fails if the client may not view users.
    pub(crate) async fn check_may_view_users(&self, scope: &CallScope) -> Result<()> {
        // An unknown user is not locked, and this answer needs the right to view users.
        self.is_locked(scope, "00000000-0000-0000-0000-000000000000").await.map(drop)
    }

    /// Returns whether brute force detection locks the user.
    pub(crate) async fn is_locked(&self, scope: &CallScope, id: &str) -> Result<bool> {
        #[derive(Deserialize)]
        struct Lock {
            disabled: bool,
        }
        let path = ["attack-detection", "brute-force", "users", id];
        self.read(scope, Step::ReadUsers, &path, &[]).await.map(|Lock { disabled }| disabled)
    }

    /// Returns the URL of a resource of the realm.
    pub(crate) fn url(&self, path: &[&str]) -> Result<RequestUrl> {
        self.resources.url(path)
    }

    /// Reads a resource of the realm.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        scope: &CallScope,
        step: Step,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<T> {
        self.resources.send(scope, step, Request::get(self.url(path)?).query(query)).await?.json()
    }

    /// Sends a write. Keycloak's answer to a write has an empty body.
    pub(crate) async fn write(&self, scope: &CallScope, step: Step, request: Request) -> Result<()> {
        self.resources.send(scope, step, request).await?.check_empty()
    }
}

impl RealmResources {
    pub(crate) fn new(http: Client, base: &BaseUrl, realm: &str, tokens: TokenCache) -> Result<Self> {
        Ok(Self { http, base: base.below(&["admin", "realms", realm])?, tokens })
    }

    /// Returns the URL of a resource of the realm.
    pub(crate) fn url(&self, path: &[&str]) -> Result<RequestUrl> {
        self.base.join(path)
    }

    /// Sends a request. A refusal is an error.
    pub(crate) async fn send(&self, scope: &CallScope, step: Step, request: Request) -> Result<Response> {
        check(step, self.tokens.send(&self.http, scope, request).await?)
    }
}
