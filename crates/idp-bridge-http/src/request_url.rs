//! The URL of a request, built from a base URL without parsing it again.

use std::fmt;
use std::sync::Arc;

use http::Uri;
use url::form_urlencoded::Serializer;
use url::{Position, Url};

/// The URL of a request: [`BaseUrl::join`](crate::BaseUrl::join) builds it, and a [`Url`] can be converted.
///
/// `Debug` prints only the scheme, the host and the port, because the path can contain ids.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestUrl {
    /// A URL with the scheme, the host and the port.
    base: Arc<Url>,
    /// The path, and the query after a `?`.
    target: String,
}

impl RequestUrl {
    /// Creates the URL with this path, which begins with a slash and is percent-encoded.
    pub(crate) fn new(base: Arc<Url>, path: String) -> Self {
        Self { base, target: path }
    }

    /// Returns a URL with the scheme, the host and the port of this one. Its path is another one.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Returns the scheme, the host and the port, as in `https://idp.example:8443`.
    pub(crate) fn origin(&self) -> &str {
        &self.base[..Position::BeforePath]
    }

    /// Returns the host and the port, as in `idp.example:8443`.
    pub(crate) fn authority(&self) -> &str {
        &self.base[Position::BeforeHost..Position::AfterPort]
    }

    /// Returns the path and the query.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// Returns the whole URL for an HTTP request.
    pub(crate) fn to_uri(&self) -> Result<Uri, http::Error> {
        Ok(Uri::try_from(self.to_string())?)
    }

    /// Appends pairs to the query, form-encoded.
    pub(crate) fn extend_query<N: AsRef<str>, V: AsRef<str>>(&mut self, pairs: &[(N, V)]) {
        let mut target = std::mem::take(&mut self.target);
        let query = match target.find('?') {
            Some(at) => at + 1,
            None => {
                target.push('?');
                target.len()
            }
        };
        self.target = Serializer::for_suffix(target, query).extend_pairs(pairs).finish();
    }
}

impl From<Url> for RequestUrl {
    fn from(url: Url) -> Self {
        let target = url[Position::BeforePath..Position::AfterQuery].to_owned();
        Self { base: Arc::new(url), target }
    }
}

impl From<RequestUrl> for Url {
    fn from(url: RequestUrl) -> Self {
        let (path, query) = match url.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (url.target.as_str(), None),
        };
        let mut whole = Self::clone(&url.base);
        whole.set_path(path);
        whole.set_query(query);
        whole.set_fragment(None);
        whole
    }
}

impl fmt::Debug for RequestUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestUrl").field("origin", &self.origin()).finish_non_exhaustive()
    }
}

impl fmt::Display for RequestUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.origin())?;
        f.write_str(&self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> RequestUrl {
        Url::parse(text).unwrap().into()
    }

    #[test]
    fn parts_are_those_of_the_url() {
        let url = url("https://[2001:db8::1]:8443/a%20b?c=d#e");
        assert_eq!(url.origin(), "https://[2001:db8::1]:8443");
        assert_eq!(url.authority(), "[2001:db8::1]:8443");
        assert_eq!(url.target(), "/a%20b?c=d");
        assert_eq!(url.to_string(), "https://[2001:db8::1]:8443/a%20b?c=d");
        assert_eq!(url.to_uri().unwrap().to_string(), url.to_string());
    }

    #[test]
    fn fragment_is_not_kept() {
        assert_eq!(Url::from(url("https://idp.example/a?b#c")).as_str(), "https://idp.example/a?b");
        assert_eq!(Url::from(url("https://idp.example/a#c")).as_str(), "https://idp.example/a");
    }

    #[test]
    fn pairs_extend_the_query() {
        for (text, expected) in [
            ("https://idp.example/a", "/a?x=1&y=%3F+%26"),
            ("https://idp.example/a?", "/a?x=1&y=%3F+%26"),
            ("https://idp.example/a?b=c", "/a?b=c&x=1&y=%3F+%26"),
        ] {
            let mut extended = url(text);
            extended.extend_query(&[("x", "1"), ("y", "? &")]);
            assert_eq!(extended.target(), expected, "{text}");
            let mut parsed = Url::parse(text).unwrap();
            parsed.query_pairs_mut().extend_pairs([("x", "1"), ("y", "? &")]);
            assert_eq!(Url::from(extended), parsed, "{text}");
        }
    }
}
