//! Just enough of a browser to log people in and out: cookies, redirects and two forms.

use std::collections::BTreeMap;

use idp_bridge_conformance::Staged;
use idp_bridge_http::{Client, HeaderValue, Request, Response, Url, header};

use super::scope;

/// More redirects than any login has.
const MANY: usize = 10;

/// A browser that has been at one provider.
#[derive(Debug, Clone, Default)]
pub(super) struct Browser {
    cookies: BTreeMap<String, String>,
}

/// Where a browser has come to.
pub(super) enum Arrived {
    /// At a page of the provider.
    Page(Url, String),
    /// At an address of an application, which it was not sent to.
    Away(Url),
}

impl Browser {
    /// Follows redirects from this request until there is a page, or they lead away from the issuer.
    pub(super) async fn go(&mut self, http: &Client, issuer: &Url, request: Request, mut at: Url) -> Staged<Arrived> {
        let mut request = request;
        for _ in 0..MANY {
            let answer = self.send(http, request).await?;
            let Some(place) = answer.header(&header::LOCATION) else {
                return Ok(Arrived::Page(at, answer.text().unwrap_or_default().to_owned()));
            };
            at = at.join(place)?;
            if at.origin() != issuer.origin() {
                return Ok(Arrived::Away(at));
            }
            request = Request::get(at.clone());
        }
        Err("the browser is sent round in a circle".into())
    }

    async fn send(&mut self, http: &Client, request: Request) -> Staged<Response> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(header::COOKIE, HeaderValue::from_str(&cookies.join("; "))?);
        let answer = http.send(&scope(), request).await?;
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().and_then(|pair| pair.split_once('='));
            let (name, value) = pair.ok_or("a cookie has no name")?;
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }
}

/// The value of the hidden field with this name.
pub(super) fn field<'a>(page: &'a str, name: &str) -> Staged<&'a str> {
    let start = format!("name=\"{name}\" value=\"");
    let value = page.split_once(&start).and_then(|(_, rest)| rest.split('"').next());
    value.ok_or_else(|| format!("the page has no field `{name}`").into())
}

/// A parameter of an address.
pub(super) fn parameter(url: &Url, name: &str) -> Staged<String> {
    let found = url.query_pairs().find(|(own, _)| own == name);
    Ok(found.ok_or_else(|| format!("the provider sends the browser back without `{name}`"))?.1.into_owned())
}
