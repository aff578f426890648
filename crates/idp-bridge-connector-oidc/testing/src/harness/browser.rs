//! A browser for logins and logouts: cookies, redirects and two forms.

use std::collections::BTreeMap;

use idp_bridge_conformance::TestResult;
use idp_bridge_http::{Client, HeaderValue, Request, Response, Url, header};

use super::scope;

/// The maximum number of redirects.
const MAX_REDIRECTS: usize = 10;

/// A browser with the cookies of one provider.
#[derive(Debug, Clone, Default)]
pub(super) struct Browser {
    cookies: BTreeMap<String, String>,
}

/// The result of following redirects.
pub(super) enum Target {
    /// A page of the provider.
    Page(Url, String),
    /// A URL of an application, which was not requested.
    Application(Url),
}

impl Browser {
    /// Sends a request, and follows redirects to a page or to a URL outside the issuer.
    pub(super) async fn follow(
        &mut self,
        http: &Client,
        issuer: &Url,
        request: Request,
        mut url: Url,
    ) -> TestResult<Target> {
        let mut request = request;
        for _ in 0..MAX_REDIRECTS {
            let response = self.send(http, request).await?;
            let Some(location) = response.header(&header::LOCATION) else {
                return Ok(Target::Page(url, response.text().unwrap_or_default().to_owned()));
            };
            url = url.join(location)?;
            if url.origin() != issuer.origin() {
                return Ok(Target::Application(url));
            }
            request = Request::get(url.clone());
        }
        Err("too many redirects".into())
    }

    async fn send(&mut self, http: &Client, request: Request) -> TestResult<Response> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(header::COOKIE, HeaderValue::from_str(&cookies.join("; "))?);
        let response = http.send(&scope(), request).await?;
        for cookie in response.headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().and_then(|pair| pair.split_once('='));
            let (name, value) = pair.ok_or("a cookie has no name")?;
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(response)
    }
}

/// Returns the value of a hidden field.
pub(super) fn field<'a>(page: &'a str, name: &str) -> TestResult<&'a str> {
    let start = format!("name=\"{name}\" value=\"");
    let value = page.split_once(&start).and_then(|(_, rest)| rest.split('"').next());
    value.ok_or_else(|| format!("the page has no field `{name}`").into())
}

/// Returns a query parameter.
pub(super) fn parameter(url: &Url, name: &str) -> TestResult<String> {
    let found = url.query_pairs().find(|(own, _)| own == name);
    Ok(found.ok_or_else(|| format!("the redirect has no parameter `{name}`"))?.1.into_owned())
}
