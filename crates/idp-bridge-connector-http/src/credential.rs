//! The credentials of a tenant, and the tokens that are fetched with them.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_core::{CallScope, Error, ErrorKind, Result, Secret};
use idp_bridge_http::{
    Client, HeaderName, HeaderValue, Request, Response, Token, TokenCache, TokenResponse, TokenSource, Url,
};
use serde_json::{Map, Value};

use crate::definition::{Auth, SecretIn};
use crate::refusal::{Place, Rules};
use crate::request::header_name;
use crate::settings::Settings;
use crate::template::Template;
use crate::values::Values;

/// A credential of a tenant.
pub(crate) enum Credential {
    Bearer(Secret),
    Header(HeaderName, HeaderValue),
    Basic(String, Secret),
    Token(TokenCache<Login>),
}

impl Credential {
    pub(crate) fn new(auth: &Auth, settings: &Settings, client: &Client, rules: &Rules) -> Result<Self> {
        Ok(match auth {
            Auth::Bearer { token, .. } => Self::Bearer(settings.secret(token)?.clone()),
            Auth::Header { name, prefix, key, .. } => {
                let mut value = HeaderValue::from_str(&format!("{prefix}{}", settings.secret(key)?.expose()))
                    .map_err(|_| Error::misconfigured(format!("the secret `{key}` cannot be sent in a header")))?;
                value.set_sensitive(true);
                Self::Header(header_name(name)?, value)
            }
            Auth::Basic { user, password, .. } => {
                Self::Basic(settings.text(user).unwrap_or_default(), settings.secret(password)?.clone())
            }
            Auth::ClientCredentials { .. } | Auth::Login { .. } => {
                let login = Login::new(auth, settings, client, rules)?;
                Self::Token(TokenCache::new(client, login))
            }
        })
    }

    /// Sends a request with the credential.
    pub(crate) async fn send(&self, client: &Client, scope: &CallScope, request: Request) -> Result<Response> {
        match self {
            Self::Bearer(token) => client.send(scope, request.bearer(token)?).await,
            Self::Header(name, value) => client.send(scope, request.header(name.clone(), value.clone())).await,
            Self::Basic(user, password) => client.send(scope, request.basic(user, password)?).await,
            Self::Token(cache) => cache.send(client, scope, request).await,
        }
    }
}

/// The request that returns a token.
pub(crate) struct Login {
    client: Client,
    request: Request,
    /// The place of the token, and its lifetime; `None` for an answer of OAuth 2.0.
    answer: Option<(String, Duration)>,
    rules: Rules,
}

impl Login {
    fn new(auth: &Auth, settings: &Settings, client: &Client, rules: &Rules) -> Result<Self> {
        let (request, answer) = match auth {
            Auth::Login { origin, path, json, token, lifetime } => {
                let url = url(settings, origin.as_deref(), path)?;
                let member = |setting: &String| match settings.text(setting) {
                    Some(text) => Ok(text),
                    None => settings.secret(setting).map(|secret| secret.expose().to_owned()),
                };
                let body: Map<String, Value> = json
                    .iter()
                    .map(|(name, setting)| Ok((name.clone(), Value::String(member(setting)?))))
                    .collect::<Result<_>>()?;
                (Request::post(url).json(&body)?, Some((token.clone(), Duration::from_secs(*lifetime))))
            }
            Auth::ClientCredentials { origin, token_origin, token_path, client_id, client_secret, secret_in, form } => {
                let url = url(settings, token_origin.as_deref().or(origin.as_deref()), token_path)?;
                let id = settings.text(client_id).unwrap_or_default();
                (
                    client_credentials(
                        url,
                        &id,
                        settings.secret(client_secret)?,
                        *secret_in,
                        &filled(form, settings)?,
                    )?,
                    None,
                )
            }
            Auth::Bearer { .. } | Auth::Header { .. } | Auth::Basic { .. } => {
                return Err(Error::ours(ErrorKind::Unexpected, "this credential needs no login"));
            }
        };
        Ok(Self { client: client.clone(), request: request.read_only(), answer, rules: rules.clone() })
    }
}

fn url(settings: &Settings, origin: Option<&str>, path: &[Template]) -> Result<Url> {
    let segments: Vec<String> = path
        .iter()
        .map(|part| part.clone().bind(|name| settings.text(name)).require(&Values::default()))
        .collect::<Result<_>>()?;
    settings.origin(origin)?.join(&segments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn filled(form: &BTreeMap<String, Template>, settings: &Settings) -> Result<Vec<(String, String)>> {
    form.iter()
        .map(|(name, value)| {
            Ok((name.clone(), value.clone().bind(|name| settings.text(name)).require(&Values::default())?))
        })
        .collect()
}

fn client_credentials(
    url: Url,
    id: &str,
    secret: &Secret,
    secret_in: SecretIn,
    form: &[(String, String)],
) -> Result<Request> {
    let mut pairs = vec![("grant_type", "client_credentials")];
    pairs.extend(form.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Ok(match secret_in {
        SecretIn::Header => Request::post(url).form(&pairs).basic(id, secret)?,
        SecretIn::Form => {
            pairs.extend([("client_id", id), ("client_secret", secret.expose())]);
            Request::post(url).form(&pairs)
        }
    })
}

#[async_trait]
impl TokenSource for Login {
    async fn fetch(&self, scope: &CallScope) -> Result<Token> {
        let response = self.client.send(scope, self.request.clone()).await?;
        let response = self.rules.check(response, Place::AUTH, &[])?;
        let Some((pointer, lifetime)) = &self.answer else {
            return Ok(response.json::<TokenResponse>()?.into());
        };
        let answer: Value = response.json()?;
        match answer.pointer(pointer).and_then(Value::as_str).filter(|token| !token.is_empty()) {
            Some(token) => Ok(Token { secret: Secret::new(token), expires_in: *lifetime }),
            None => Err(Error::upstream(ErrorKind::InvalidResponse, "the answer to the login has no token")),
        }
    }
}
