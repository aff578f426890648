//! URLs that are validated and kept exactly as written.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use url::{Host, Url};

/// The public URL of the bridge: `https`, or `http` to loopback, without user, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(transparent, extend("format" = "uri"))]
pub(crate) struct PublicUrl(pub(crate) String);

/// A redirect target after a logout: `https`, or `http` to loopback, without user or fragment.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(transparent, extend("format" = "uri"))]
pub(crate) struct ReturnUrl(pub(crate) String);

/// The origin of a page as browsers send it: `https://host` or `https://host:port`, or `http` to loopback.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(transparent, extend("examples" = ["https://app.acme.example"]))]
pub(crate) struct Origin(pub(crate) String);

impl<'de> Deserialize<'de> for PublicUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let url = parse_secure(&text).filter(|url| url.query().is_none() && url.fragment().is_none());
        let expected = "expected an `https` URL without a query (`http` only to loopback)";
        url.map(|_| Self(text)).ok_or_else(|| D::Error::custom(expected))
    }
}

impl<'de> Deserialize<'de> for ReturnUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let url = parse_secure(&text).filter(|url| url.fragment().is_none());
        let expected = "expected an `https` URL without a fragment (`http` only to loopback)";
        url.map(|_| Self(text)).ok_or_else(|| D::Error::custom(expected))
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let as_sent = parse_secure(&text).map(|url| url.origin().ascii_serialization());
        let expected = "expected an origin as browsers send it, such as `https://app.acme.example`: `https` (`http` only \
                        to loopback), lower case, no slash at the end, no default port";
        if as_sent.as_ref() == Some(&text) { Ok(Self(text)) } else { Err(D::Error::custom(expected)) }
    }
}

/// Parses an `https` URL, or an `http` URL to loopback, without user and with visible ASCII characters only.
///
/// The parser drops some invisible characters, so the text is checked before.
fn parse_secure(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_graphic()))?;
    let loopback = match url.host()? {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let secure = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    let anonymous = url.username().is_empty() && url.password().is_none();
    Some(url).filter(|_| secure && anonymous)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is_accepted<'de, T: Deserialize<'de>>(text: &'de str) -> bool {
        T::deserialize(serde::de::value::BorrowedStrDeserializer::<serde_json::Error>::new(text)).is_ok()
    }

    #[test]
    fn redirect_targets_need_https_or_loopback() {
        for good in [
            "https://app.acme.example/bye?x=1",
            "https://app.acme.example",
            "http://127.0.0.1:3000/",
            "http://localhost",
        ] {
            assert!(is_accepted::<ReturnUrl>(good), "{good}");
        }
        for bad in [
            "",
            "/bye",
            "//app.example/",
            "http://app.acme.example/",
            "ftp://127.0.0.1/",
            "https://app.example/#a",
            "https://u@app.example/",
            "https://:p@app.example/",
            "javascript:alert(1)",
            " https://app.example/",
            "https://app.exa\nmple/",
            "https://app.example/ ",
            "https://äpp.example/",
            "https:///",
            "http://localhost.evil.example",
        ] {
            assert!(!is_accepted::<ReturnUrl>(bad), "{bad:?}");
        }
    }

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        for good in
            ["https://app.acme.example", "https://app.acme.example:8443", "http://localhost:3000", "http://[::1]:3000"]
        {
            assert!(is_accepted::<Origin>(good), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "https://app.acme.example/",
            "https://App.acme.example",
            "HTTPS://app.acme.example",
            "https://app.acme.example:443",
            "http://app.acme.example",
            "app.acme.example",
            "https://u@app.acme.example",
            "https://app.acme.example/x",
            "https://app.acme.example?",
            "file://",
            "https://*.acme.example\n",
        ] {
            assert!(!is_accepted::<Origin>(bad), "{bad:?}");
        }
    }

    #[test]
    fn public_url_may_have_a_path() {
        for good in ["https://bridge.acme.example/idp", "http://127.0.0.1:8080"] {
            assert!(is_accepted::<PublicUrl>(good), "{good}");
        }
        for bad in ["https://bridge.acme.example/?", "https://bridge.acme.example/#", "http://bridge.acme.example"] {
            assert!(!is_accepted::<PublicUrl>(bad), "{bad}");
        }
        assert!(serde_json::from_value::<PublicUrl>(json!(1)).is_err());
    }
}
