//! An administrator's client, with which the harness creates realms and users.

use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_conformance::Staged;
use idp_bridge_core::{CallScope, Error, ErrorKind, OutboundPolicy, Result, Secret};
use idp_bridge_http::{
    BaseUrl, Client, HeaderValue, Request, Response, StatusCode, Token, TokenCache, TokenResponse, TokenSource, Url,
    header,
};
use serde_json::Value;

/// Long, because a real Keycloak takes seconds for its first realm.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A client that is logged in as the administrator.
pub(super) struct Administrator {
    http: Client,
    base: BaseUrl,
    tokens: TokenCache<PasswordLogin>,
}

impl Administrator {
    pub(super) fn new(url: &str, user: &str, password: &Secret) -> Result<Self> {
        let policy = OutboundPolicy::default();
        let (http, base) = (Client::new(&policy)?, BaseUrl::parse(url, &policy)?);
        let login = PasswordLogin {
            http: http.clone(),
            base: base.clone(),
            realm: "master".into(),
            client: "admin-cli".into(),
            user: user.into(),
            password: password.clone(),
        };
        let tokens = TokenCache::new(&http, login);
        Ok(Self { http, base, tokens })
    }

    /// Returns whether this person can log in to one of the realm's public clients.
    pub(super) async fn can_log_in(&self, realm: &str, client: &str, user: &str, password: &str) -> Result<bool> {
        match self.login(realm, client, user, password).fetch(&scope()).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Unauthenticated => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the account of this person, logged in to one of the realm's public clients.
    pub(super) async fn account(&self, realm: &str, client: &str, user: &str, password: &str) -> Result<Account> {
        let tokens = TokenCache::new(&self.http, self.login(realm, client, user, password));
        Ok(Account { http: self.http.clone(), url: self.base.join(&["realms", realm, "account"])?, tokens })
    }

    fn login(&self, realm: &str, client: &str, user: &str, password: &str) -> PasswordLogin {
        PasswordLogin {
            http: self.http.clone(),
            base: self.base.clone(),
            realm: realm.into(),
            client: client.into(),
            user: user.into(),
            password: Secret::new(password),
        }
    }

    /// Returns the URL of a resource below `admin/realms`.
    pub(super) fn at(&self, path: &[&str]) -> Result<Url> {
        self.base.join(&[&["admin", "realms"], path].concat())
    }

    /// Returns the URL of one of a realm's public endpoints.
    pub(super) fn public(&self, realm: &str, path: &[&str]) -> Result<Url> {
        self.base.join(&[&["realms", realm, "protocol", "openid-connect"], path].concat())
    }

    /// Sends a request without credentials and returns any response.
    pub(super) async fn send_anonymously(&self, request: Request) -> Result<Response> {
        self.http.send(&scope(), request).await
    }

    /// Sends a request. Fails with the response's text unless it is a success.
    pub(super) async fn send(&self, request: Request) -> Staged<Response> {
        let shown = format!("{request:?}");
        let response = self.send_unchecked(request).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        let text = response.text().unwrap_or_default();
        Err(format!("{shown} answered {}: {text}", response.status).into())
    }

    /// Sends a request and returns any response.
    pub(super) async fn send_unchecked(&self, request: Request) -> Result<Response> {
        self.tokens.send(&self.http, &scope(), request).await
    }
}

/// A client of the account console's API, logged in as a person.
pub(super) struct Account {
    http: Client,
    url: Url,
    tokens: TokenCache<PasswordLogin>,
}

impl Account {
    /// Reads the account.
    pub(super) async fn read(&self) -> Staged<Value> {
        let request = Request::get(self.url.clone()).query(&[("userProfileMetadata", "false")]);
        let request = request.header(header::ACCEPT, HeaderValue::from_static("application/json"));
        let response = self.tokens.send(&self.http, &scope(), request).await?;
        if !response.status.is_success() {
            return Err(format!("reading the own account answered {}", response.status).into());
        }
        Ok(response.json()?)
    }

    /// Changes the account and returns the status.
    pub(super) async fn change(&self, account: &Value) -> Result<StatusCode> {
        let request = Request::post(self.url.clone()).json(account)?;
        Ok(self.tokens.send(&self.http, &scope(), request).await?.status)
    }
}

fn scope() -> CallScope {
    CallScope::new("harness", TIMEOUT)
}

/// Fetches tokens with a user name and password.
struct PasswordLogin {
    http: Client,
    base: BaseUrl,
    realm: String,
    client: String,
    user: String,
    password: Secret,
}

#[async_trait]
impl TokenSource for PasswordLogin {
    async fn fetch(&self, scope: &CallScope) -> Result<Token> {
        let url = self.base.join(&["realms", &self.realm, "protocol", "openid-connect", "token"])?;
        let request = Request::post(url).read_only().form(&[
            ("grant_type", "password"),
            ("client_id", &self.client),
            ("username", &self.user),
            ("password", self.password.expose()),
        ]);
        let response = self.http.send(scope, request).await?;
        if matches!(response.status.as_u16(), 400 | 401) {
            return Err(Error::upstream(ErrorKind::Unauthenticated, "keycloak refuses this login"));
        }
        Ok(response.json::<TokenResponse>()?.into())
    }
}
