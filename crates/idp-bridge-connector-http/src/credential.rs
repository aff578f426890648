//! The credentials of a tenant, and the tokens that are fetched with them.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_core::{CallScope, ConnectorContext, Error, ErrorKind, Result, Secret};
use idp_bridge_http::{
    AssertionSigner, Client, HeaderName, HeaderValue, PrivateKey, Request, Response, Token, TokenCache, TokenResponse,
    TokenSource, Url,
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
    Bearer(Secret, Option<(HeaderName, HeaderValue)>),
    Header(HeaderName, HeaderValue),
    Basic(String, Secret),
    Token(TokenCache),
}

/// The inputs of a tenant's credentials.
pub(crate) struct SignIn<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) client: &'a Client,
    pub(crate) rules: &'a Rules,
    pub(crate) context: &'a ConnectorContext,
}

impl Credential {
    pub(crate) fn new(auth: &Auth, sign_in: &SignIn<'_>) -> Result<Self> {
        let settings = sign_in.settings;
        Ok(match auth {
            Auth::Bearer { token, also_in, .. } => {
                let header = also_in.as_ref().map(|name| header(settings, name, "", token)).transpose()?;
                Self::Bearer(settings.secret(token)?.clone(), header)
            }
            Auth::Header { name, prefix, key, .. } => {
                let (name, value) = header(settings, name, prefix, key)?;
                Self::Header(name, value)
            }
            Auth::Basic { user, password, .. } => {
                Self::Basic(settings.text(user).unwrap_or_default(), settings.secret(password)?.clone())
            }
            Auth::ClientCredentials { .. } | Auth::JwtBearer { .. } | Auth::Login { .. } => {
                Self::Token(TokenCache::new(sign_in.client, Login::new(auth, sign_in)?))
            }
        })
    }

    /// Sends a request with the credential.
    pub(crate) async fn send(&self, client: &Client, scope: &CallScope, request: Request) -> Result<Response> {
        match self {
            Self::Bearer(token, also) => {
                let request = request.bearer(token)?;
                let request = match also {
                    Some((name, value)) => request.header(name.clone(), value.clone()),
                    None => request,
                };
                client.send(scope, request).await
            }
            Self::Header(name, value) => client.send(scope, request.header(name.clone(), value.clone())).await,
            Self::Basic(user, password) => client.send(scope, request.basic(user, password)?).await,
            Self::Token(cache) => cache.send(client, scope, request).await,
        }
    }
}

/// Returns a header with a secret.
fn header(settings: &Settings, name: &str, prefix: &str, key: &str) -> Result<(HeaderName, HeaderValue)> {
    let mut value = HeaderValue::from_str(&format!("{prefix}{}", settings.secret(key)?.expose()))
        .map_err(|_| Error::misconfigured(format!("the secret `{key}` cannot be sent in a header")))?;
    value.set_sensitive(true);
    Ok((header_name(name)?, value))
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
    fn new(auth: &Auth, sign_in: &SignIn<'_>) -> Result<Self> {
        let settings = sign_in.settings;
        let (request, answer) = match auth {
            Auth::Login { origin, path, json, token, lifetime } => {
                let url = settings.url(origin.as_deref(), path)?;
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
                let url = settings.url(token_origin.as_deref().or(origin.as_deref()), token_path)?;
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
            Auth::JwtBearer { .. } => (jwt_bearer(auth, sign_in)?, None),
            Auth::Bearer { .. } | Auth::Header { .. } | Auth::Basic { .. } => {
                return Err(Error::ours(ErrorKind::Unexpected, "this credential needs no login"));
            }
        };
        let (client, rules) = (sign_in.client.clone(), sign_in.rules.clone());
        Ok(Self { client, request: request.read_only(), answer, rules })
    }
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

/// Returns the request of a grant with a signed assertion.
fn jwt_bearer(auth: &Auth, sign_in: &SignIn<'_>) -> Result<Request> {
    let Auth::JwtBearer { origin, token_origin, token_path, private_key, key_id, claims } = auth else {
        return Err(Error::ours(ErrorKind::Unexpected, "the credential signs no assertion"));
    };
    let settings = sign_in.settings;
    let url = settings.url(token_origin.as_deref().or(origin.as_deref()), token_path)?;
    let mut claims: BTreeMap<String, String> = filled(claims, settings)?.into_iter().collect();
    claims.entry("aud".to_owned()).or_insert_with(|| url.to_string());
    let key_id = key_id.as_ref().and_then(|name| settings.text(name));
    let key = PrivateKey::from_settings(Some(settings.secret(private_key)?), None, key_id.as_deref())?;
    let key = key.ok_or_else(|| Error::misconfigured(format!("the secret `{private_key}` is empty")))?;
    let signer = AssertionSigner::new(claims.get("iss").map_or("", String::as_str), &key, sign_in.context)?;
    // Each attempt needs a new assertion.
    Ok(Request::post(url).form_with(move || {
        let assertion = signer.sign_claims(&claims)?;
        Ok(vec![("grant_type", JWT_BEARER.to_owned()), ("assertion", assertion)])
    }))
}

/// The grant of RFC 7523, section 2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

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
