//! The reference page: the OpenAPI document as a single HTML page.

mod playground;
mod schema;

use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use self::schema::format_schema;
use crate::html::{self, Assets, code, escape, rich_text};
use crate::openapi::openapi;
use crate::response::Response;

static ASSETS: Assets = Assets::with_script(
    concat!(include_str!("html/style.css"), include_str!("html/form.css"), include_str!("html/docs.css")),
    include_str!("html/playground.js"),
);

/// Responds to `/docs`. The page is rendered at the first request.
pub(crate) fn page() -> Response {
    static PAGE: LazyLock<Bytes> = LazyLock::new(|| render(&openapi()).into());
    html::new(PAGE.clone(), &ASSETS)
}

fn render(document: &Value) -> String {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (title, version) = (text("/info/title"), text("/info/version"));
    let mut body = format!(
        "<header><h1>{} <small class=\"note\">{}</small></h1>\n\
         <p>{summary}</p>{description}<p>For programs: <a href=\"openapi.json\">openapi.json</a></p></header>\n",
        escape(title),
        escape(version),
        summary = escape(text("/info/summary")),
        description = rich_text(text("/info/description")),
    );
    let operations = operations(document);
    body.push_str(&contents(&operations));
    body.push_str(&playground::render(document).into_string());
    for tag in list(document.get("tags")) {
        let name = string(tag, "name");
        body.push_str(&format!("<h2>{}</h2>{}\n", escape(name), rich_text(string(tag, "description"))));
        let tagged = operations.iter().filter(|operation| operation.tag == name);
        body.extend(tagged.map(|operation| operation.render(document)));
    }
    body.push_str("<h2>Schemas</h2>\n");
    let schemas = members(document.pointer("/components/schemas"));
    body.extend(schemas.map(|(name, schema)| render_schema(name, schema, document)));
    html::document(&format!("{title} {version}"), &body, &ASSETS)
}

struct Operation<'a> {
    path: &'a str,
    method: &'a str,
    tag: &'a str,
    id: &'a str,
    details: &'a Value,
}

/// Returns all operations in the order of their tags.
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
    let position = |tag: &str| list(document.get("tags")).position(|own| string(own, "name") == tag);
    operations.sort_by_key(|operation| position(operation.tag));
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
            format_path(self.path),
            escape(string(details, "summary")),
            rich_text(string(details, "description")),
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
                " <span class=\"note\">optional</span>"
            };
            let content = body.get("content");
            section.push_str(&format!("<h4>Body</h4><p>{}{optional}</p>", render_content(content)));
            section.extend(members(content).map(|(_, media)| render_examples(media, "Example")));
        }
        section.push_str("<h4>Responses</h4><table>");
        section.extend(members(details.get("responses")).map(|(status, response)| {
            let content = render_content(response.get("content"));
            format!(
                "<tr><th>{}</th><td>{}</td><td>{content}</td></tr>",
                escape(status),
                rich_text(string(response, "description"))
            )
        }));
        section.push_str("</table>");
        let success = details.pointer("/responses/200/content");
        section.extend(members(success).map(|(_, media)| render_examples(media, "Example of a response")));
        section.push_str("</section>\n");
        section
    }
}

fn render_security(details: &Value, document: &Value) -> String {
    let names = list(details.get("security")).flat_map(|scheme| members(Some(scheme)).map(|(name, _)| name));
    let schemes = names.filter_map(|name| document.pointer("/components/securitySchemes")?.get(name));
    let described: String = schemes
        .map(|scheme| {
            let header = if string(scheme, "type") == "http" { "authorization" } else { string(scheme, "name") };
            format!("<tr><th>{}</th><td>{}</td></tr>", code(header), rich_text(string(scheme, "description")))
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
        rich_text(string(parameter, "description")),
        parameter.get("schema").map(format_schema).unwrap_or_default(),
    )
}

fn render_content(content: Option<&Value>) -> String {
    let schemas = members(content).filter_map(|(_, media)| media.get("schema"));
    schemas.map(format_schema).collect::<Vec<_>>().join(", ")
}

/// Formats the path of an operation, which a narrow window may break before each slash.
fn format_path(path: &str) -> String {
    format!("<code>{}</code>", escape(path).replace('/', "<wbr>/"))
}

/// Renders the examples of a body: that of a single one, or those of several operations by name.
fn render_examples(media: &Value, title: &str) -> String {
    let named = members(media.get("examples")).filter_map(|(name, example)| Some((code(name), example.get("value")?)));
    let examples = media.get("example").map(|example| (title.to_owned(), example)).into_iter().chain(named);
    let render = |(summary, example): (String, &Value)| {
        let text = serde_json::to_string_pretty(example).unwrap_or_default();
        format!("<details><summary>{summary}</summary><pre>{}</pre></details>", escape(&text))
    };
    examples.map(render).collect()
}

fn render_schema(name: &str, schema: &Value, document: &Value) -> String {
    let rows: String = render_members(schema).chain(render_choices(schema, document)).collect();
    let whole =
        if rows.is_empty() { format!("<p>{}</p>", format_schema(schema)) } else { format!("<table>{rows}</table>") };
    format!(
        "<section class=\"schema\" id=\"schema-{0}\"><h3>{0}</h3>{1}{whole}</section>\n",
        escape(name),
        rich_text(string(schema, "description")),
    )
}

fn render_members(schema: &Value) -> impl Iterator<Item = String> {
    let required: Vec<_> = list(schema.get("required")).filter_map(Value::as_str).collect();
    members(schema.get("properties")).map(move |(member, schema)| {
        let optional = if required.contains(&member) { "" } else { "optional" };
        let (about, kind) = (rich_text(string(schema, "description")), format_schema(schema));
        format!("<tr><th>{}</th><td class=\"note\">{optional}</td><td>{about}{kind}</td></tr>", code(member))
    })
}

/// Formats the alternatives of a discriminator.
fn render_choices(schema: &Value, document: &Value) -> impl Iterator<Item = String> {
    members(schema.pointer("/discriminator/mapping")).map(|(value, target)| {
        let pointer = target.as_str().unwrap_or_default().trim_start_matches('#');
        let about = document.pointer(pointer).map(|schema| string(schema, "description")).unwrap_or_default();
        let link = format_schema(&json!({"$ref": target}));
        format!("<tr><th>{}</th><td>{link}</td><td>{}</td></tr>", code(value), rich_text(about))
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
    fn page_contains_each_operation_and_schema() {
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
    fn page_has_examples_of_each_call() {
        let page = render(&openapi());
        for part in [
            "<summary><code>users.mark_email_verified</code></summary><pre>{\n",
            "<option value=\"ping\" data-example=\"{}\">",
            "<summary>Example of a response</summary>",
            "<code><wbr>/v1<wbr>/tenants<wbr>/{tenant}<wbr>/webhook</code>",
        ] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn page_loads_nothing_and_runs_its_script_only() {
        let page = render(&openapi());
        for word in ["<img", "<link", "src=", "=\"http", "url(", "@import", " onclick", "style=\""] {
            assert!(!page.contains(word), "{word}");
        }
        assert_eq!(page.matches("<script").count(), 1);
        let form = page.split("<form").nth(1).and_then(|rest| rest.split("</form>").next()).unwrap();
        assert!(!form.contains(" name=") && !form.contains(" action="), "a field could be sent: {form}");
        let page = super::page();
        let policy = page.headers().get("content-security-policy").and_then(|policy| policy.to_str().ok()).unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.contains("; script-src 'sha256-") && policy.contains("; connect-src 'self'; "), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}
