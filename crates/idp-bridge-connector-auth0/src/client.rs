//! The requests to Auth0's Management and Authentication APIs, one function each.

mod federation;

use idp_bridge_core::{CallScope, ConnectorContext, Email, Error, ErrorKind, Result, UserId};
use idp_bridge_http::{
    BaseUrl, Client, ClientProof, HeaderName, HeaderValue, Request, RequestUrl, Response, TokenCache, TokenRequest,
    header,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::Auth0Config;
use crate::error::{Step, check};
use crate::map::{Auth0User, IdentityName, named_identity};
use crate::search::{Hit, Hits};

pub(crate) use federation::{CREDENTIALS, CredentialKind};

/// The end of a rate limit, in seconds since 1970. Recorded with successes, and documented for refusals, only some of which have a
/// `retry-after` (<https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy>, November 2026).
pub(crate) const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Selects the custom domain of the links in mails.
const CUSTOM_DOMAIN: HeaderName = HeaderName::from_static("auth0-custom-domain");

/// A client of one tenant's APIs, authenticated as the bridge's application.
pub(crate) struct Auth0Api {
    http: Client,
    /// The Management API.
    management: BaseUrl,
    login_base: BaseUrl,
    custom_domain: Option<HeaderValue>,
    email_client_id: Option<String>,
    tokens: TokenCache,
    login: TokenRequest,
}

/// The members of a connection that `doctor` checks.
#[derive(Deserialize)]
pub(crate) struct Connection {
    pub(crate) name: String,
    pub(crate) strategy: String,
}

/// The members of an email template that `doctor` checks.
#[derive(Deserialize)]
pub(crate) struct EmailTemplate {
    #[serde(default)]
    pub(crate) enabled: bool,
}

/// An asynchronous job.
#[derive(Deserialize)]
pub(crate) struct Job {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: String,
}

impl Auth0Api {
    pub(crate) fn new(config: &Auth0Config, context: &ConnectorContext) -> Result<Self> {
        let http = Client::new(&context.outbound)?;
        let setting = if config.endpoint.is_some() { "endpoint" } else { "domain" };
        let base = BaseUrl::parse_setting(setting, &config.base(), &context.outbound)?;
        let login = TokenRequest {
            client: http.clone(),
            request: token_request(base.join(&["oauth", "token"])?, config, config.proof(context)?),
            check: |response| check(Step::FetchToken, response),
        };
        let custom_domain = config
            .custom_domain
            .as_deref()
            .map(HeaderValue::from_str)
            .transpose()
            .map_err(|_| Error::misconfigured("`custom_domain` has characters that are invalid in a header"))?;
        let tokens = TokenCache::new(&http, login.clone());
        Ok(Self {
            http,
            login_base: BaseUrl::parse_setting(setting, &config.login_base(), &context.outbound)?,
            management: base.below(&["api", "v2"])?,
            custom_domain,
            email_client_id: config.email_client_id.clone(),
            tokens,
            login,
        })
    }

    /// Fetches a new token and returns its scopes, if the response names them.
    pub(crate) async fn granted_scopes(&self, scope: &CallScope) -> Result<Option<Vec<String>>> {
        let scopes = self.login.send(scope).await?.scope;
        Ok(scopes.map(|scopes| scopes.split_ascii_whitespace().map(str::to_owned).collect()))
    }

    /// Reads the user with this id from the user store, which is always current.
    pub(crate) async fn user(&self, scope: &CallScope, id: &UserId) -> Result<Auth0User> {
        self.read(scope, Step::ReadUsers, &["users", id.as_str()], &[]).await
    }

    /// Returns the users with exactly this address, one for each connection. The lookup is case-sensitive.
    pub(crate) async fn users_by_email(&self, scope: &CallScope, email: &str) -> Result<Vec<Auth0User>> {
        self.read(scope, Step::ReadUsers, &["users-by-email"], &[("email", email.to_owned())]).await
    }

    /// Returns one page of the user search.
    pub(crate) async fn search(&self, scope: &CallScope, query: &[(&str, String)]) -> Result<Vec<Hit>> {
        let hits: Hits = self.read(scope, Step::ReadUsers, &["users"], query).await?;
        Ok(hits.into_vec())
    }

    /// Sets the flag and returns the changed user. Sends no other member, since root members are replaced.
    pub(crate) async fn set_email_verified(&self, scope: &CallScope, id: &UserId, verified: bool) -> Result<Auth0User> {
        #[derive(Serialize)]
        struct Change {
            email_verified: bool,
        }
        let request = Request::patch(self.url(&["users", id.as_str()])?).json(&Change { email_verified: verified })?;
        self.send(scope, Step::UpdateUser, self.with_custom_domain(request)).await?.json()
    }

    /// Deletes the user. Succeeds for a missing user too.
    pub(crate) async fn delete(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        let request = Request::delete(self.url(&["users", id.as_str()])?);
        self.send(scope, Step::DeleteUser, request).await?.check_empty()
    }

    /// Requests the verification mail. Auth0 sends it later, if the tenant's template for it is enabled.
    pub(crate) async fn send_verification(&self, scope: &CallScope, id: &UserId) -> Result<Job> {
        #[derive(Serialize)]
        struct Body<'a> {
            user_id: &'a UserId,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_id: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            identity: Option<IdentityName>,
        }
        let client_id = self.email_client_id.as_deref();
        let body = Body { user_id: id, client_id, identity: named_identity(id) };
        let request = Request::post(self.url(&["jobs", "verification-email"])?).json(&body)?;
        self.send(scope, Step::SendVerification, self.with_custom_domain(request)).await?.json()
    }

    /// Requests the password reset mail. The endpoint needs no token and returns a sentence in any language, also for unknown users.
    pub(crate) async fn send_password_mail(
        &self,
        scope: &CallScope,
        reset: &PasswordReset,
        email: &Email,
    ) -> Result<()> {
        #[derive(Serialize)]
        struct Body<'a> {
            client_id: &'a str,
            email: &'a Email,
            connection: &'a str,
        }
        let body = Body { client_id: &reset.client_id, email, connection: &reset.connection };
        let url = self.login_url(&["dbconnections", "change_password"])?;
        let request = Request::post(url).json(&body)?;
        let response = send_without_token(&self.http, scope, Step::ResetPassword, request).await?;
        if is_sentence(response.header(&header::CONTENT_TYPE), &response.body) {
            return Ok(());
        }
        let message = "auth0 did not confirm the password reset mail with its sentence";
        Err(Error::upstream(ErrorKind::InvalidResponse, message))
    }

    /// Returns the connection with this name, if it exists.
    pub(crate) async fn connection(&self, scope: &CallScope, name: &str) -> Result<Option<Connection>> {
        let query = [("name", name.to_owned()), ("fields", "name,strategy".into()), ("include_fields", "true".into())];
        let connections: Vec<Connection> = self.read(scope, Step::ReadConnections, &["connections"], &query).await?;
        Ok(connections.into_iter().find(|connection| connection.name == name))
    }

    /// Reads an email template.
    pub(crate) async fn email_template(&self, scope: &CallScope, name: &str) -> Result<EmailTemplate> {
        self.read(scope, Step::ReadTemplates, &["email-templates", name], &[]).await
    }

    fn url(&self, path: &[&str]) -> Result<RequestUrl> {
        self.management.join(path)
    }

    /// Returns the HTTP client.
    pub(crate) fn http(&self) -> Client {
        self.http.clone()
    }

    /// Returns a URL at the domain where users log in.
    pub(crate) fn login_url(&self, path: &[&str]) -> Result<RequestUrl> {
        self.login_base.join(path)
    }

    /// Adds the custom domain to a request that may cause a mail: a tenant with several refuses such requests without it.
    fn with_custom_domain(&self, request: Request) -> Request {
        match &self.custom_domain {
            Some(domain) => request.header(CUSTOM_DOMAIN, domain.clone()),
            None => request,
        }
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

    /// Sends a request with a token of the bridge's application.
    async fn send(&self, scope: &CallScope, step: Step, request: Request) -> Result<Response> {
        let request = request.rate_limit_reset(RATE_LIMIT_RESET);
        check(step, self.tokens.send(&self.http, scope, request).await?)
    }
}

async fn send_without_token(http: &Client, scope: &CallScope, step: Step, request: Request) -> Result<Response> {
    check(step, http.send(scope, request.rate_limit_reset(RATE_LIMIT_RESET)).await?)
}

/// Returns whether a response is a sentence for people. Documented is plain text, recorded `text/html` without markup.
fn is_sentence(content_type: Option<&str>, body: &[u8]) -> bool {
    content_type.is_some_and(|kind| kind.starts_with("text/"))
        && std::str::from_utf8(body).is_ok_and(|text| !text.is_empty() && !text.starts_with('<'))
}

/// The settings of password reset mails: the connection of the users, and the application that sends the mail.
#[derive(Debug, Clone)]
pub(crate) struct PasswordReset {
    pub(crate) connection: String,
    pub(crate) client_id: String,
}

/// Returns the request for a token of the bridge's application.
fn token_request(url: RequestUrl, config: &Auth0Config, proof: ClientProof) -> Request {
    let (audience, client_id, own_issuer) = (config.audience(), config.client_id.clone(), config.own_issuer());
    // Each attempt needs a new assertion.
    let form = move || {
        let mut form = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("audience", audience.clone()),
            ("client_id", client_id.clone()),
        ];
        form.extend(proof.form_fields(&own_issuer)?);
        Ok(form)
    };
    Request::post(url).read_only().form_with(form).rate_limit_reset(RATE_LIMIT_RESET)
}
