//! Requests with a tenant's settings filled in.

use std::collections::BTreeMap;

use idp_bridge_core::{Error, Result};
use idp_bridge_http::{BaseUrl, HeaderName, HeaderValue, Request, RequestUrl, Url, header};

use crate::body::JsonBody;
use crate::definition::{Method, RequestSpec};
use crate::select::Check;
use crate::settings::Settings;
use crate::template::{Name, Template};
use crate::values::Values;

/// A request of one tenant, without the values of a call.
#[derive(Debug, Clone)]
pub(crate) struct BoundRequest {
    method: Method,
    /// The URL up to the first segment with a value of the call.
    base: BaseUrl,
    path: Vec<Template>,
    custom_method: Option<String>,
    trailing_slash: bool,
    query: Vec<(String, Template)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<Body>,
    /// The credential of the request.
    pub(crate) auth: Option<String>,
    pub(crate) success: Vec<u16>,
    pub(crate) empty_body: bool,
    pub(crate) require: Vec<Check>,
    pub(crate) capture: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
enum Body {
    Json(JsonBody, Option<HeaderValue>),
    Form(Vec<(String, Template)>),
}

impl BoundRequest {
    /// Fills in the settings. Fails with `Misconfigured` for a header that cannot be sent.
    pub(crate) fn new(spec: &RequestSpec, settings: &Settings) -> Result<Self> {
        let bind = |template: &Template| template.clone().bind(|name| settings.text(name));
        let pairs = |map: &BTreeMap<String, Template>| -> Vec<(String, Template)> {
            map.iter().map(|(name, value)| (name.clone(), bind(value))).collect()
        };
        let headers = spec.headers.iter().map(|(name, value)| Ok((header_name(name)?, header_value(value)?)));
        let content_type = spec.content_type.as_deref().map(header_value).transpose()?;
        let body = match &spec.json {
            Some(json) => Some(Body::Json(json.clone().bind(settings), content_type)),
            None if spec.form.is_empty() => None,
            None => Some(Body::Form(pairs(&spec.form))),
        };
        let mut path: Vec<Template> = spec.path.iter().map(bind).collect();
        let fixed = path.iter().position(|part| part.as_text().is_none()).unwrap_or(path.len());
        let fixed: Vec<Template> = path.drain(..fixed).collect();
        let fixed: Vec<&str> = fixed.iter().filter_map(Template::as_text).collect();
        let base = settings.origin(spec.origin.as_deref())?.below(&fixed);
        Ok(Self {
            method: spec.method,
            base: base
                .map_err(|error| Error::misconfigured("a setting cannot be part of a path").with_source(error))?,
            path,
            custom_method: spec.custom_method.clone(),
            trailing_slash: spec.trailing_slash,
            query: pairs(&spec.query),
            headers: headers.collect::<Result<_>>()?,
            body,
            auth: settings.credential_of(spec),
            success: spec.success.clone(),
            empty_body: spec.empty_body,
            require: spec.require.clone(),
            capture: spec.capture.clone(),
        })
    }

    /// Returns whether the answer's body is needed.
    pub(crate) fn reads_answer(&self) -> bool {
        !self.require.is_empty() || !self.capture.is_empty()
    }

    /// Returns the URL of a call, without its query.
    pub(crate) fn url(&self, values: &Values<'_>) -> Result<RequestUrl> {
        let segments: Vec<String> = self.path.iter().map(|part| part.require(values)).collect::<Result<_>>()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let url = self.base.join(&segments)?;
        if self.custom_method.is_none() && !self.trailing_slash {
            return Ok(url);
        }
        let mut url = Url::from(url);
        let method = self.custom_method.as_ref().map(|name| format!(":{name}")).unwrap_or_default();
        let slash = if self.trailing_slash { "/" } else { "" };
        let path = format!("{}{method}{slash}", url.path());
        url.set_path(&path);
        Ok(url.into())
    }

    /// Builds the request of a call.
    pub(crate) fn build(&self, values: &Values<'_>) -> Result<Request> {
        let url = self.url(values)?;
        let mut request = match self.method {
            Method::Get => Request::get(url),
            Method::Post => Request::post(url),
            Method::Put => Request::put(url),
            Method::Patch => Request::patch(url),
            Method::Delete => Request::delete(url),
        };
        let mut query = Vec::with_capacity(self.query.len());
        for (name, value) in &self.query {
            match value.fill(values) {
                Some(value) => query.push((name, value)),
                // The first page of a search has no cursor.
                None if value.as_name() == Some(&Name::Cursor) => {}
                None => return Err(Error::state("the user lacks a value that this call sends")),
            }
        }
        request = request.query(&query);
        match &self.body {
            None => {}
            Some(Body::Json(json, content_type)) => {
                request = request.json(&json.fill(values)?)?;
                if let Some(content_type) = content_type {
                    request = request.header(header::CONTENT_TYPE, content_type.clone());
                }
            }
            Some(Body::Form(form)) => {
                let form: Vec<(&str, String)> = form
                    .iter()
                    .map(|(name, value)| Ok((name.as_str(), value.require(values)?)))
                    .collect::<Result<_>>()?;
                let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
                request = request.form(&form);
            }
        }
        for (name, value) in &self.headers {
            request = request.header(name.clone(), value.clone());
        }
        Ok(request)
    }
}

pub(crate) fn header_name(text: &str) -> Result<HeaderName> {
    text.parse().map_err(|_| Error::misconfigured(format!("the definition's header `{text}` is not a header name")))
}

pub(crate) fn header_value(text: &str) -> Result<HeaderValue> {
    text.parse().map_err(|_| Error::misconfigured("a header of the definition has characters that are not allowed"))
}
