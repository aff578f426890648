//! A request as the fake reads it: path segments decoded one by one, no parameter twice, a body that is what it says.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::answer::Answer;

/// A request.
pub(crate) struct Incoming {
    pub(crate) method: Method,
    path: Vec<String>,
    query: BTreeMap<String, String>,
    content_type: Option<String>,
    bearer: Option<String>,
    body: Bytes,
}

impl Incoming {
    pub(crate) fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Result<Self, Answer> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let path = uri.path().trim_start_matches('/').split('/').map(segment).collect::<Result<_, _>>()?;
        Ok(Self {
            method: method.clone(),
            path,
            query: pairs(uri.query().unwrap_or_default().as_bytes())?,
            content_type: header(CONTENT_TYPE),
            bearer: header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned)),
            body,
        })
    }

    pub(crate) fn path(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    pub(crate) fn bearer(&self) -> Option<&str> {
        self.bearer.as_deref()
    }

    /// The query, if it has no parameter but these.
    pub(crate) fn query(&self, known: &[&str]) -> Result<&BTreeMap<String, String>, Answer> {
        match self.query.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(Answer::stricter_than_keycloak(&format!("unknown query parameter `{name}`"))),
            None => Ok(&self.query),
        }
    }

    /// The form of the body.
    pub(crate) fn form(&self) -> Result<BTreeMap<String, String>, Answer> {
        self.must_be("application/x-www-form-urlencoded")?;
        pairs(&self.body)
    }

    /// The JSON of the body, with Keycloak's words for what it does not know.
    pub(crate) fn json<T: DeserializeOwned>(&self, representation: &str) -> Result<T, Answer> {
        self.must_be("application/json")?;
        serde_json::from_slice(&self.body).map_err(|error| {
            let text = error.to_string();
            match text.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
                Some((field, _)) => Answer::error(
                    400,
                    &format!(
                        "Invalid json representation for {representation}. \
                         Unrecognized field \"{field}\" at line {} column {}.",
                        error.line(),
                        error.column()
                    ),
                ),
                None => Answer::described(400, "invalid_request", "Cannot parse the JSON"),
            }
        })
    }

    fn must_be(&self, content_type: &str) -> Result<(), Answer> {
        if self.content_type.as_deref() == Some(content_type) {
            return Ok(());
        }
        Err(Answer::error(415, "The content-type header value did not match the value in @Consumes"))
    }
}

/// Decodes a segment. Like Keycloak it refuses what a normalized path cannot have.
fn segment(raw: &str) -> Result<String, Answer> {
    let unnormalized = || Answer::described(400, "missingNormalization", "Request path not normalized");
    if raw.is_empty() || raw == "." || raw == ".." || raw.to_ascii_lowercase().contains("%2e") {
        return Err(unnormalized());
    }
    percent_decode_str(raw).decode_utf8().map(Into::into).map_err(|_| unnormalized())
}

fn pairs(text: &[u8]) -> Result<BTreeMap<String, String>, Answer> {
    let mut pairs = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(text) {
        if pairs.insert(name.clone().into_owned(), value.into_owned()).is_some() {
            return Err(Answer::stricter_than_keycloak(&format!("`{name}` comes twice")));
        }
    }
    Ok(pairs)
}
