//! HTML pages without scripts or external resources.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use http_body_util::Full;

use crate::response::{self, Response};

const STYLE: &str = include_str!("html/style.css");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Creates a 200 with this page.
pub(crate) fn new(page: Bytes) -> Response {
    let mut response = response::new(page, HTML);
    set_policies(&mut response);
    response
}

/// Replaces the body of a response by a page with this title and body.
pub(crate) fn replace_body(response: &mut Response, title: &str, body: &str) {
    *response.body_mut() = Full::new(document(title, body).into());
    response.headers_mut().insert(header::CONTENT_TYPE, HTML);
    set_policies(response);
}

/// Builds a page with this title and body, in the style of the reference.
pub(crate) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(title)
    )
}

/// Forbids the page to load resources, run scripts and send referrers.
fn set_policies(response: &mut Response) {
    static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| content_security_policy().parse().ok());
    let headers = response.headers_mut();
    if let Some(policy) = &*POLICY {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
}

/// Returns a policy that allows nothing but the style with this digest.
pub(crate) fn content_security_policy() -> String {
    let digest = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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
