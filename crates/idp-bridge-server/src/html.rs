//! HTML pages without external resources.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use http_body_util::Full;

use crate::digest::sha256;
use crate::response::{self, Response};

/// The assets of pages without forms and scripts.
pub(crate) static PLAIN: Assets = Assets::new(include_str!("html/style.css"));
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// The style sheet and the script of pages, and the policy that allows nothing else.
#[derive(Debug)]
pub(crate) struct Assets {
    css: &'static str,
    script: Option<&'static str>,
    has_forms: bool,
    policy: OnceLock<Option<HeaderValue>>,
}

impl Assets {
    /// Creates the assets of pages without forms and scripts.
    pub(crate) const fn new(css: &'static str) -> Self {
        Self { css, script: None, has_forms: false, policy: OnceLock::new() }
    }

    /// Creates the assets of pages with forms that are sent to this server.
    pub(crate) const fn with_forms(css: &'static str) -> Self {
        Self { css, script: None, has_forms: true, policy: OnceLock::new() }
    }

    /// Creates the assets of pages with a script that may send requests to this server.
    pub(crate) const fn with_script(css: &'static str, script: &'static str) -> Self {
        Self { css, script: Some(script), has_forms: false, policy: OnceLock::new() }
    }

    fn policy(&self) -> Option<HeaderValue> {
        self.policy.get_or_init(|| self.to_policy().parse().ok()).clone()
    }

    fn to_policy(&self) -> String {
        let forms = if self.has_forms { "'self'" } else { "'none'" };
        let script = self.script.map(|script| {
            format!("; script-src '{}'; connect-src 'self'; require-trusted-types-for 'script'", hash(script))
        });
        format!(
            "default-src 'none'; style-src '{}'; base-uri 'none'; form-action {forms}; frame-ancestors 'none'{}",
            hash(self.css),
            script.unwrap_or_default()
        )
    }
}

/// Returns the hash of an inline style sheet or script, as in a policy.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(sha256(text.as_bytes())))
}

/// Creates a 200 with a page of these assets.
pub(crate) fn new(page: impl Into<Bytes>, assets: &Assets) -> Response {
    let mut response = response::new(page, HTML);
    set_policies(&mut response, assets);
    response
}

/// Replaces the body of a response by a page with this title, body and assets.
pub(crate) fn replace_body(response: &mut Response, title: &str, body: &str, assets: &Assets) {
    *response.body_mut() = Full::new(document(title, body, assets).into());
    response.headers_mut().insert(header::CONTENT_TYPE, HTML);
    set_policies(response, assets);
}

/// Builds a page with this title, body and assets.
pub(crate) fn document(title: &str, body: &str, assets: &Assets) -> String {
    let script = assets.script.map(|script| format!("<script>{script}</script>\n")).unwrap_or_default();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>{}</style>\n</head>\n<body>\n{body}{script}</body>\n</html>\n",
        escape(title),
        assets.css
    )
}

/// Forbids the page to load other resources, to run other scripts and to send referrers.
fn set_policies(response: &mut Response, assets: &Assets) {
    let headers = response.headers_mut();
    if let Some(policy) = assets.policy() {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
}

/// Escapes text, so that it contains no markup.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// Formats text as code.
pub(crate) fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

/// Formats a description. Lines that begin with `- ` form a list, all others one paragraph; backticks mark code.
pub(crate) fn rich_text(text: &str) -> String {
    let (items, lines): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with("- "));
    let paragraph = if lines.is_empty() { String::new() } else { format!("<p>{}</p>", inline(&lines.join(" "))) };
    let items: String =
        items.iter().map(|item| format!("<li>{}</li>", inline(item.trim_start_matches("- ")))).collect();
    if items.is_empty() { paragraph } else { format!("{paragraph}<ul>{items}</ul>") }
}

/// Formats a line, with code in backticks.
pub(crate) fn inline(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { code(part) } else { escape(part) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_contains_no_markup() {
        assert_eq!(escape("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
        assert_eq!(
            rich_text("a `<b>` c\n- d `e`"),
            "<p>a <code>&lt;b&gt;</code> c</p><ul><li>d <code>e</code></li></ul>"
        );
    }
}
