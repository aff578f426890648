//! The reference page: the OpenAPI document as one page of HTML.
//!
//! It is written here, without script and without anything from elsewhere, so that it reads the same behind every
//! firewall and its policy can forbid everything but its own style.

pub(crate) mod html;

use std::sync::LazyLock;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use http_body_util::Full;
use serde_json::{Map, Value, json};

use self::html::{code, escape, rich};
use crate::openapi::openapi;
use crate::response::{self, Response};

const STYLE: &str = include_str!("docs/style.css");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// `/docs`. It is made when it is first asked for: most bridges never are.
pub(crate) fn page() -> Response {
    static PAGE: LazyLock<Bytes> = LazyLock::new(|| render(&openapi()).into());
    let mut response = response::new(PAGE.clone(), HTML);
    protect(&mut response);
    response
}

/// Makes a page of an answer: its title and its body, in the style of the reference.
pub(crate) fn make_page(response: &mut Response, title: &str, body: &str) {
    *response.body_mut() = Full::new(shell(title, body).into());
    response.headers_mut().insert(header::CONTENT_TYPE, HTML);
    protect(response);
}

/// Lets a page load nothing and run nothing, and tell nobody where it was.
fn protect(response: &mut Response) {
    static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| policy().parse().ok());
    let headers = response.headers_mut();
    if let Some(policy) = &*POLICY {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
}

/// Nothing may load, run, submit or frame; only the style with this digest applies.
fn policy() -> String {
    let digest = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

fn render(document: &Value) -> String {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (title, version) = (text("/info/title"), text("/info/version"));
    let mut body = format!(
        "<header><h1>{} <small class=\"note\">{}</small></h1>\n\
         <p>{summary}</p>{description}<p>The same for programs: <a href=\"openapi.json\">openapi.json</a></p></header>\n",
        escape(title),
        escape(version),
        summary = escape(text("/info/summary")),
        description = rich(text("/info/description")),
    );
    let operations = operations(document);
    body.push_str(&contents(&operations));
    for tag in list(document.get("tags")) {
        let name = string(tag, "name");
        body.push_str(&format!("<h2>{}</h2>{}\n", escape(name), rich(string(tag, "description"))));
        let tagged = operations.iter().filter(|operation| operation.tag == name);
        body.extend(tagged.map(|operation| operation.render(document)));
    }
    body.push_str("<h2>Schemas</h2>\n");
    let schemas = members(document.pointer("/components/schemas"));
    body.extend(schemas.map(|(name, schema)| render_schema(name, schema, document)));
    shell(&format!("{title} {version}"), &body)
}

fn shell(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(title)
    )
}

struct Operation<'a> {
    path: &'a str,
    method: &'a str,
    tag: &'a str,
    id: &'a str,
    details: &'a Value,
}

/// All operations, in the order of the tags.
fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = members(document.get("paths"));
    let all =
        paths.flat_map(|(path, methods)| members(Some(methods)).map(move |(method, details)| (path, method, details)));
    let all = all.map(|(path, method, details)| Operation {
        path,
        method,
        tag: list(details.get("tags")).next().and_then(Value::as_str).unwrap_or_default(),
        id: string(details, "operationId"),
        details,
    });
    let mut operations: Vec<_> = all.collect();
    let place = |tag: &str| list(document.get("tags")).position(|own| string(own, "name") == tag);
    operations.sort_by_key(|operation| place(operation.tag));
    operations
}

fn contents(operations: &[Operation<'_>]) -> String {
    let links = operations.iter().map(|operation| {
        format!("<li><a href=\"#{}\">{}</a></li>", escape(operation.id), escape(string(operation.details, "summary")))
    });
    format!("<nav><ul>{}</ul></nav>\n", links.collect::<String>())
}

impl Operation<'_> {
    fn render(&self, document: &Value) -> String {
        let details = self.details;
        let mut section = format!(
            "<section class=\"operation\" id=\"{}\"><h3><span class=\"method\">{}</span>{}</h3><p>{}.</p>{}",
            escape(self.id),
            escape(self.method),
            code(self.path),
            escape(string(details, "summary")),
            rich(string(details, "description")),
        );
        section.push_str(&render_security(details, document));
        let parameters: String = list(details.get("parameters")).map(render_parameter).collect();
        if !parameters.is_empty() {
            section.push_str(&format!("<h4>Parameters</h4><table>{parameters}</table>"));
        }
        if let Some(body) = details.get("requestBody") {
            let optional = if body.get("required") == Some(&Value::Bool(true)) {
                ""
            } else {
                " <span class=\"note\">may be left out</span>"
            };
            section.push_str(&format!("<h4>Body</h4><p>{}{optional}</p>", render_content(body.get("content"))));
        }
        section.push_str("<h4>Answers</h4><table>");
        section.extend(members(details.get("responses")).map(|(status, response)| {
            let content = render_content(response.get("content"));
            format!(
                "<tr><th>{}</th><td>{}</td><td>{content}</td></tr>",
                escape(status),
                rich(string(response, "description"))
            )
        }));
        section.push_str("</table></section>\n");
        section
    }
}

fn render_security(details: &Value, document: &Value) -> String {
    let names = list(details.get("security")).flat_map(|scheme| members(Some(scheme)).map(|(name, _)| name));
    let schemes = names.filter_map(|name| document.pointer("/components/securitySchemes")?.get(name));
    let described: String = schemes
        .map(|scheme| {
            let header = if string(scheme, "type") == "http" { "authorization" } else { string(scheme, "name") };
            format!("<tr><th>{}</th><td>{}</td></tr>", code(header), rich(string(scheme, "description")))
        })
        .collect();
    if described.is_empty() { described } else { format!("<h4>Authentication</h4><table>{described}</table>") }
}

fn render_parameter(parameter: &Value) -> String {
    let required = if parameter.get("required") == Some(&Value::Bool(true)) { "required" } else { "optional" };
    format!(
        "<tr><th>{}</th><td class=\"note\">{}, {required}</td><td>{}{}</td></tr>",
        code(string(parameter, "name")),
        escape(string(parameter, "in")),
        rich(string(parameter, "description")),
        parameter.get("schema").map(html::schema).unwrap_or_default(),
    )
}

fn render_content(content: Option<&Value>) -> String {
    let schemas = members(content).filter_map(|(_, media)| media.get("schema"));
    schemas.map(html::schema).collect::<Vec<_>>().join(", ")
}

fn render_schema(name: &str, schema: &Value, document: &Value) -> String {
    let rows: String = render_members(schema).chain(render_choices(schema, document)).collect();
    let whole =
        if rows.is_empty() { format!("<p>{}</p>", html::schema(schema)) } else { format!("<table>{rows}</table>") };
    format!(
        "<section class=\"schema\" id=\"schema-{0}\"><h3>{0}</h3>{1}{whole}</section>\n",
        escape(name),
        rich(string(schema, "description")),
    )
}

fn render_members(schema: &Value) -> impl Iterator<Item = String> {
    let required: Vec<_> = list(schema.get("required")).filter_map(Value::as_str).collect();
    members(schema.get("properties")).map(move |(member, of)| {
        let optional = if required.contains(&member) { "" } else { "optional" };
        let (about, kind) = (rich(string(of, "description")), html::schema(of));
        format!("<tr><th>{}</th><td class=\"note\">{optional}</td><td>{about}{kind}</td></tr>", code(member))
    })
}

/// What a discriminator chooses among.
fn render_choices(schema: &Value, document: &Value) -> impl Iterator<Item = String> {
    members(schema.pointer("/discriminator/mapping")).map(|(value, target)| {
        let pointer = target.as_str().unwrap_or_default().trim_start_matches('#');
        let about = document.pointer(pointer).map(|of| string(of, "description")).unwrap_or_default();
        let link = html::schema(&json!({"$ref": target}));
        format!("<tr><th>{}</th><td>{link}</td><td>{}</td></tr>", code(value), rich(about))
    })
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    value.and_then(Value::as_object).into_iter().flat_map(Map::iter).map(|(name, value)| (name.as_str(), value))
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn string<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_every_operation_and_every_schema_and_links_only_within_itself() {
        let document = openapi();
        let page = render(&document);
        for operation in operations(&document) {
            assert!(page.contains(&format!("id=\"{}\"", operation.id)), "{}", operation.id);
        }
        for (name, _) in members(document.pointer("/components/schemas")) {
            assert!(page.contains(&format!("id=\"schema-{name}\"")), "{name}");
        }
        for link in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let target = link.strip_prefix('#').map(|id| format!("id=\"{id}\""));
            assert!(target.map_or(link == "openapi.json", |target| page.contains(&target)), "{link}");
        }
    }

    #[test]
    fn nothing_is_loaded_and_nothing_runs() {
        let page = render(&openapi());
        for word in
            ["<script", "<img", "<link", "src=", "http://", "https://", "url(", "@import", " onclick", "style=\""]
        {
            assert!(!page.contains(word), "{word}");
        }
        assert!(policy().starts_with("default-src 'none'; style-src 'sha256-"), "{}", policy());
    }
}
