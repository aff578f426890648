//! Sets up an Auth0 tenant for the bridge with a token of its operator: the application and its scopes, and the settings of reset
//! mails.
//!
//! It takes the steps that docs/connectors/auth0.md describes for the Dashboard, and can be repeated: existing parts are not
//! changed, and scopes are only added. Paths and members are those of the reference
//! (<https://auth0.com/docs/api/management/v2>, November 2026).

use std::collections::BTreeSet;

use idp_bridge_core::ErrorKind::{InvalidResponse, Misconfigured};
use idp_bridge_core::{CallScope, ConnectorContext, Error, Result, Secret, SetupStep};
use idp_bridge_http::{BaseUrl, Client, Request, RequestUrl};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::client::RATE_LIMIT_RESET;
use crate::config::Auth0Config;
use crate::error::{Step, check};

/// The scopes of the bridge's application: those of the calls, and those of `doctor`.
pub const SCOPES: [&str; 5] =
    ["read:users", "update:users", "delete:users", "read:connections", "read:email_templates"];
/// The scopes that the operator's token needs.
pub const TOKEN_SCOPES: [&str; 7] = [
    "read:clients",
    "create:clients",
    "read:client_keys",
    "read:client_grants",
    "create:client_grants",
    "update:client_grants",
    "read:connections",
];

const PAGE: usize = 100;
/// The maximum number of pages of applications.
const MAX_PAGES: usize = 20;
/// The types of applications that users log in to.
const FOR_USERS: [&str; 3] = ["regular_web", "spa", "native"];

/// The parts of a tenant that the bridge needs.
#[derive(Debug, Clone)]
pub struct TenantSetup {
    /// The tenant's own domain.
    pub domain: String,
    /// The base URL of all requests instead of the domain.
    pub endpoint: Option<String>,
    /// The name of the bridge's application.
    pub application: String,
    /// The database connection for reset mails. The only one of the tenant by default.
    pub connection: Option<String>,
    /// The application that reset mails are sent for. The only one that users log in to by default.
    pub email_client_id: Option<String>,
}

/// The result of setting up a tenant.
#[derive(Debug, Clone)]
pub struct SetUpTenant {
    /// The client id of the bridge's application.
    pub client_id: String,
    /// The secret of the bridge's application.
    pub client_secret: Secret,
    /// The settings of reset mails, unless the tenant has several candidates or none.
    pub mails: Option<ResetMails>,
    /// The steps, in order.
    pub steps: Vec<SetupStep>,
}

/// The settings of reset mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetMails {
    /// The database connection of the users.
    pub connection: String,
    /// The application that the mails are sent for.
    pub email_client_id: String,
}

impl TenantSetup {
    /// Checks the domain, without a token.
    pub async fn discover(&self, context: &ConnectorContext, scope: &CallScope) -> Result<()> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
        }
        let (http, base, config) = self.connect(context)?;
        let url = base.join(&[".well-known", "openid-configuration"])?;
        let answer = check(Step::SetUp, http.send(scope, Request::get(url)).await?)?;
        let Discovery { issuer } = answer.json()?;
        if issuer == config.own_issuer() {
            return Ok(());
        }
        Err(Error::upstream(Misconfigured, "the domain is not the tenant's own").with_hint(
            "Applications → any application → Settings: copy Domain, such as `acme.eu.auth0.com`, and no custom domain",
        ))
    }

    /// Creates the parts that the tenant lacks, with a token of the Management API.
    pub async fn run(&self, token: &Secret, context: &ConnectorContext, scope: &CallScope) -> Result<SetUpTenant> {
        let (http, base, config) = self.connect(context)?;
        let session = Session { http, management: base.below(&["api", "v2"])?, token, scope };
        let applications = session.applications().await?;
        let mut steps = Vec::new();
        let (client_id, client_secret) = self.ensure_application(&session, &applications, &mut steps).await?;
        session.ensure_scopes(&client_id, &config.audience(), &mut steps).await?;
        let mails = self.find_mails(&session, &applications, &mut steps).await?;
        Ok(SetUpTenant { client_id, client_secret, mails, steps })
    }

    fn connect(&self, context: &ConnectorContext) -> Result<(Client, BaseUrl, Auth0Config)> {
        let mut config = Auth0Config::new(&self.domain, "-", Secret::new("-"));
        config.endpoint.clone_from(&self.endpoint);
        config.check()?;
        let http = Client::new(&context.outbound)?;
        let setting = if self.endpoint.is_some() { "endpoint" } else { "domain" };
        let base = BaseUrl::parse_setting(setting, &config.base(), &context.outbound)?;
        http.prepare(&base)?;
        Ok((http, base, config))
    }

    /// Finds or creates the bridge's application, and returns its id and secret.
    async fn ensure_application(
        &self,
        session: &Session<'_>,
        applications: &[Application],
        steps: &mut Vec<SetupStep>,
    ) -> Result<(String, Secret)> {
        let part = format!("the application `{}`", self.application);
        let named: Vec<_> = applications.iter().filter(|own| own.name == self.application).collect();
        let (id, secret) = match named.as_slice() {
            [] => {
                let application = json!({
                    "name": self.application,
                    "app_type": "non_interactive",
                    "grant_types": ["client_credentials"],
                    "token_endpoint_auth_method": "client_secret_post",
                });
                let request = Request::post(session.url(&["clients"])?).json(&application)?;
                let created: Credential = session.send(request).await?;
                steps.push(SetupStep::created(part));
                (created.client_id, created.client_secret)
            }
            [found] => {
                found.check()?;
                let query = [("fields", "client_id,client_secret"), ("include_fields", "true")];
                let read: Credential = session.read(&["clients", &found.client_id], &query).await?;
                steps.push(SetupStep::found(part));
                (read.client_id, read.client_secret)
            }
            _ => {
                return Err(Error::upstream(Misconfigured, "several applications have the name of the bridge's")
                    .with_hint("rename the others, or choose another name with `--application`"));
            }
        };
        let secret = secret.ok_or_else(|| {
            Error::upstream(Misconfigured, "the application has no secret, or the token may not read it")
                .with_hint("the token needs `read:client_keys`, and the application authenticates with a secret")
        })?;
        Ok((id, secret))
    }

    /// Finds the database and the application of reset mails: the given ones, which must exist, or the only ones.
    async fn find_mails(
        &self,
        session: &Session<'_>,
        applications: &[Application],
        steps: &mut Vec<SetupStep>,
    ) -> Result<Option<ResetMails>> {
        let query = [("strategy", "auth0"), ("fields", "name,strategy"), ("include_fields", "true")];
        let connections: Vec<Connection> = session.read(&["connections"], &query).await?;
        let names = connections.iter().map(|connection| connection.name.as_str());
        let connection = choose(self.connection.as_deref(), names.collect(), "no such database connection")?;
        let candidates = applications.iter().filter(|own| self.email_client_id.is_some() || own.is_for_users());
        let ids = candidates.map(|own| own.client_id.as_str()).collect();
        let client = choose(self.email_client_id.as_deref(), ids, "no such application for mails")?;
        let (Some(connection), Some(client)) = (connection, client) else { return Ok(None) };
        steps.push(SetupStep::found(format!(
            "the database `{connection}` and the application `{client}`, for reset mails"
        )));
        Ok(Some(ResetMails { connection, email_client_id: client }))
    }
}

/// Returns the given candidate, else the only one.
fn choose(given: Option<&str>, candidates: Vec<&str>, missing: &'static str) -> Result<Option<String>> {
    match (given, candidates.as_slice()) {
        (Some(given), candidates) if candidates.contains(&given) => Ok(Some(given.to_owned())),
        (Some(_), _) => Err(Error::upstream(Misconfigured, format!("auth0 has {missing}"))
            .with_hint("check `--connection` and `--email-client-id`")),
        (None, [only]) => Ok(Some((*only).to_owned())),
        (None, _) => Ok(None),
    }
}

/// The Management API, with the rights of the operator.
struct Session<'a> {
    http: Client,
    management: BaseUrl,
    token: &'a Secret,
    scope: &'a CallScope,
}

impl Session<'_> {
    fn url(&self, path: &[&str]) -> Result<RequestUrl> {
        self.management.join(path)
    }

    async fn send<T: DeserializeOwned>(&self, request: Request) -> Result<T> {
        let request = request.bearer(self.token)?.rate_limit_reset(RATE_LIMIT_RESET);
        check(Step::SetUp, self.http.send(self.scope, request).await?)?.json()
    }

    async fn read<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T> {
        self.send(Request::get(self.url(path)?).query(query)).await
    }

    /// Reads all applications, without their secrets.
    async fn applications(&self) -> Result<Vec<Application>> {
        let mut all = Vec::new();
        for page in 0..MAX_PAGES {
            let query = [
                ("fields", "client_id,name,app_type,grant_types"),
                ("include_fields", "true"),
                ("is_global", "false"),
                ("page", &page.to_string()),
                ("per_page", &PAGE.to_string()),
            ];
            let applications: Vec<Application> = self.read(&["clients"], &query).await?;
            let is_last = applications.len() < PAGE;
            all.extend(applications);
            if is_last {
                return Ok(all);
            }
        }
        Err(Error::upstream(InvalidResponse, "the pages of applications do not end"))
    }

    /// Grants the scopes that the application lacks.
    async fn ensure_scopes(&self, client_id: &str, audience: &str, steps: &mut Vec<SetupStep>) -> Result<()> {
        let query = [("client_id", client_id), ("audience", audience)];
        let grants: Vec<Grant> = self.read(&["client-grants"], &query).await?;
        let grant = grants.into_iter().next();
        let mut scopes: BTreeSet<&str> = grant.iter().flat_map(|grant| &grant.scope).map(String::as_str).collect();
        let before = scopes.len();
        for name in SCOPES {
            let part = format!("the scope `{name}`");
            steps.push(if scopes.insert(name) { SetupStep::created(part) } else { SetupStep::found(part) });
        }
        let request = match &grant {
            Some(_) if scopes.len() == before => return Ok(()),
            Some(grant) => Request::patch(self.url(&["client-grants", &grant.id])?).json(&json!({"scope": scopes}))?,
            None => {
                let grant = json!({"client_id": client_id, "audience": audience, "scope": scopes});
                Request::post(self.url(&["client-grants"])?).json(&grant)?
            }
        };
        self.send::<Value>(request).await.map(drop)
    }
}

/// An application without its credential.
#[derive(Debug, Deserialize)]
struct Application {
    client_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    app_type: String,
    #[serde(default)]
    grant_types: Vec<String>,
}

impl Application {
    fn is_for_users(&self) -> bool {
        FOR_USERS.contains(&self.app_type.as_str())
    }

    /// Fails if an existing application cannot be the bridge's.
    fn check(&self) -> Result<()> {
        let (message, fix) = if self.app_type != "non_interactive" {
            ("is for users", "choose another name with `--application`")
        } else if !self.grant_types.iter().any(|grant| grant == "client_credentials") {
            ("may not use client credentials", "Settings → Advanced Settings → Grant Types: tick `Client Credentials`")
        } else {
            return Ok(());
        };
        Err(Error::upstream(Misconfigured, "the application exists, and cannot be the bridge's")
            .with("application", message)
            .with_hint(format!("the application {message}: {fix}")))
    }
}

#[derive(Deserialize)]
struct Credential {
    client_id: String,
    client_secret: Option<Secret>,
}

#[derive(Deserialize)]
struct Grant {
    id: String,
    #[serde(default)]
    scope: Vec<String>,
}

#[derive(Deserialize)]
struct Connection {
    name: String,
}
