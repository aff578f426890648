//! A Keycloak as its administrator sees it: what the harness needs to make realms and users.

use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_conformance::Staged;
use idp_bridge_core::{CallScope, Error, ErrorKind, OutboundPolicy, Result, Secret};
use idp_bridge_http::{
    BaseUrl, Client, HeaderValue, Request, Response, StatusCode, Token, TokenAnswer, TokenCache, TokenSource, Url,
    header,
};
use serde_json::Value;

/// Generous, since a real Keycloak takes seconds for its first realm.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A session of the administrator.
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

    /// Whether the realm lets this person in, through one of its public clients.
    pub(super) async fn person_logs_in(&self, realm: &str, client: &str, user: &str, password: &str) -> Result<bool> {
        match self.login(realm, client, user, password).fetch(&scope()).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Unauthenticated => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The account of this person, who logs in through one of the realm's public clients.
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

    /// The URL of something below all realms.
    pub(super) fn at(&self, path: &[&str]) -> Result<Url> {
        self.base.join(&[&["admin", "realms"], path].concat())
    }

    /// The URL of one of a realm's public endpoints.
    pub(super) fn public(&self, realm: &str, path: &[&str]) -> Result<Url> {
        self.base.join(&[&["realms", realm, "protocol", "openid-connect"], path].concat())
    }

    /// Asks as nobody in particular, and takes any answer.
    pub(super) async fn send(&self, request: Request) -> Result<Response> {
        self.http.send(&scope(), request).await
    }

    /// Asks, and fails with the answer's text unless it is a success.
    pub(super) async fn ask(&self, request: Request) -> Staged<Response> {
        let asked = format!("{request:?}");
        let response = self.answer(request).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        let text = response.text().unwrap_or_default();
        Err(format!("{asked} was answered with {}: {text}", response.status).into())
    }

    /// Asks, and takes any answer.
    pub(super) async fn answer(&self, request: Request) -> Result<Response> {
        self.tokens.send(&self.http, &scope(), request).await
    }
}

/// A person's own account, as the account console shows it.
pub(super) struct Account {
    http: Client,
    url: Url,
    tokens: TokenCache<PasswordLogin>,
}

impl Account {
    /// What the person may see.
    pub(super) async fn read(&self) -> Staged<Value> {
        let request = Request::get(self.url.clone()).query(&[("userProfileMetadata", "false")]);
        let request = request.header(header::ACCEPT, HeaderValue::from_static("application/json"));
        let response = self.tokens.send(&self.http, &scope(), request).await?;
        if !response.status.is_success() {
            return Err(format!("the user may not read the own account: {}", response.status).into());
        }
        Ok(response.json()?)
    }

    /// Changes it, and answers the status.
    pub(super) async fn change(&self, account: &Value) -> Result<StatusCode> {
        let request = Request::post(self.url.clone()).json(account)?;
        Ok(self.tokens.send(&self.http, &scope(), request).await?.status)
    }
}

fn scope() -> CallScope {
    CallScope::new("harness", TIMEOUT)
}

/// A login with user name and password, which only tests do.
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
        let request = Request::post(url).reading().form(&[
            ("grant_type", "password"),
            ("client_id", &self.client),
            ("username", &self.user),
            ("password", self.password.expose()),
        ]);
        let response = self.http.send(scope, request).await?;
        if matches!(response.status.as_u16(), 400 | 401) {
            return Err(Error::upstream(ErrorKind::Unauthenticated, "keycloak lets this person not in"));
        }
        Ok(response.json::<TokenAnswer>()?.into())
    }
}
