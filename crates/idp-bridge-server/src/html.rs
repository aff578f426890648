//! HTML pages without scripts or external resources.

use std::sync::OnceLock;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use http_body_util::Full;

use crate::response::{self, Response};

/// The style of all pages.
static STYLE: Style = Style::new(include_str!("html/style.css"));
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// The style sheet of a page, and the policy that allows it.
pub(crate) struct Style {
    css: &'static str,
    policy: OnceLock<Option<HeaderValue>>,
}

impl Style {
    /// Creates a style.
    pub(crate) const fn new(css: &'static str) -> Self {
        Self { css, policy: OnceLock::new() }
    }

    /// Returns a policy that allows nothing but this style, and forms to this server if there are any.
    fn policy(&self, forms: Forms) -> Option<HeaderValue> {
        self.policy.get_or_init(|| content_security_policy(self.css, forms).parse().ok()).clone()
    }
}

/// Whether a page has forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forms {
    /// It has none.
    None,
    /// Its forms are sent to this server.
    ToSelf,
}

/// Creates a 200 with this page.
pub(crate) fn new(page: Bytes) -> Response {
    let mut response = response::new(page, HTML);
    set_policies(&mut response, &STYLE, Forms::None);
    response
}

/// Creates a 200 with a page of this title, body and style, which has forms.
pub(crate) fn with_forms(title: &str, body: &str, style: &'static Style) -> Response {
    let mut response = response::new(styled_document(title, body, style), HTML);
    set_policies(&mut response, style, Forms::ToSelf);
    response
}

/// Replaces the body of a response by a page with this title and body.
pub(crate) fn replace_body(response: &mut Response, title: &str, body: &str) {
    *response.body_mut() = Full::new(document(title, body).into());
    response.headers_mut().insert(header::CONTENT_TYPE, HTML);
    set_policies(response, &STYLE, Forms::None);
}

/// Builds a page with this title and body, in the style of the reference.
pub(crate) fn document(title: &str, body: &str) -> String {
    styled_document(title, body, &STYLE)
}

fn styled_document(title: &str, body: &str, style: &Style) -> String {
    let css = style.css;
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>{css}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(title)
    )
}

/// Forbids the page to load resources, run scripts and send referrers.
fn set_policies(response: &mut Response, style: &Style, forms: Forms) {
    let headers = response.headers_mut();
    if let Some(policy) = style.policy(forms) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
}

fn content_security_policy(css: &str, forms: Forms) -> String {
    let digest = STANDARD.encode(digest::digest(&digest::SHA256, css.as_bytes()));
    let forms = if forms == Forms::ToSelf { "'self'" } else { "'none'" };
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
    )
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

fn inline(text: &str) -> String {
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
