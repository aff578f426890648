//! Auth0's OpenAPI document, or an extract of it.

use std::collections::BTreeMap;
use std::path::Path;

use idp_bridge_conformance::TestResult;
use idp_bridge_http::Method;
use serde_json::{Map, Value, json};

/// The document.
pub(super) struct OpenApi(Value);

/// The documentation of one method of one path.
pub(super) struct Operation<'a> {
    document: &'a Value,
    operation: &'a Value,
}

/// The parts of a request that are documented.
pub(super) struct Sent<'a> {
    pub(super) query: &'a BTreeMap<String, String>,
    pub(super) content_type: Option<&'a str>,
    pub(super) body: Option<&'a Value>,
}

impl OpenApi {
    pub(super) fn read(path: &Path) -> TestResult<Self> {
        let text = std::fs::read(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
        let document: Value =
            serde_json::from_slice(&text).map_err(|error| format!("`{}`: {error}", path.display()))?;
        if document.get("paths").is_some_and(Value::is_object) {
            return Ok(Self(document));
        }
        Err(format!("`{}` is not an OpenAPI document: it has no `paths`", path.display()).into())
    }

    /// Returns the operation with this method and path, if it is covered.
    pub(super) fn operation(&self, method: &Method, segments: &[String]) -> Option<Operation<'_>> {
        let paths = self.0.get("paths")?.as_object()?;
        let fits = |template: &str| {
            let parts: Vec<&str> = template.trim_start_matches('/').split('/').collect();
            parts.len() == segments.len()
                && parts.iter().zip(segments).all(|(part, segment)| part.starts_with('{') || part == segment)
        };
        // A path without parameters comes before one with them.
        let mut fitting: Vec<(&String, &Value)> = paths.iter().filter(|(template, _)| fits(template)).collect();
        fitting.sort_by_key(|(template, _)| template.matches('{').count());
        let method = method.as_str().to_ascii_lowercase();
        let operation = fitting.into_iter().find_map(|(_, methods)| methods.get(&method))?;
        Some(Operation { document: &self.0, operation })
    }
}

impl Operation<'_> {
    /// Returns the differences between a request and its documentation.
    pub(super) fn request(&self, sent: &Sent<'_>) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, text) in sent.query {
            match self.parameter(name) {
                Some(schema) => problems.extend(self.validate(schema, &typed(schema, text))),
                None => problems.push(format!("the query parameter `{name}` is not documented")),
            }
        }
        let content = self.operation.pointer("/requestBody/content");
        match (content, sent.body) {
            (None, None) => {}
            (None, Some(_)) => problems.push("no body is documented".into()),
            (Some(content), Some(body)) => match media(content, sent.content_type) {
                Some(schema) => problems.extend(self.validate(schema, body)),
                None => problems.push(format!("`{}` is not documented", sent.content_type.unwrap_or_default())),
            },
            (Some(_), None) => problems.push("a body is documented".into()),
        }
        problems
    }

    /// Returns the differences between a response and its documentation; `None` if it has no schema.
    pub(super) fn answer(&self, status: u16, content_type: Option<&str>, body: &Value) -> Option<Vec<String>> {
        if body.is_null() {
            return None;
        }
        let content = self.operation.get("responses")?.get(status.to_string())?.get("content")?;
        // Some recordings lack headers: the response then has the documented type.
        let content_type = content_type.or_else(|| content.as_object()?.keys().next().map(String::as_str));
        Some(match media(content, content_type) {
            Some(schema) => self.validate(schema, body),
            None => vec![format!("`{}` is not documented", content_type.unwrap_or_default())],
        })
    }

    /// Returns whether a response with this status is documented.
    pub(super) fn has_status(&self, status: u16) -> bool {
        self.operation.get("responses").is_some_and(|responses| responses.get(status.to_string()).is_some())
    }

    fn parameter(&self, name: &str) -> Option<&Value> {
        let parameters = self.operation.get("parameters")?.as_array()?;
        let named = |own: &&Value| own.get("in") == Some(&json!("query")) && own.get("name") == Some(&json!(name));
        parameters.iter().find(named)?.get("schema")
    }

    fn validate(&self, schema: &Value, value: &Value) -> Vec<String> {
        // References are relative to the document's components.
        let mut whole: Map<String, Value> = schema.as_object().cloned().unwrap_or_default();
        whole.insert("components".into(), self.document.get("components").cloned().unwrap_or_default());
        match jsonschema::validator_for(&whole.into()) {
            Ok(validator) => validator
                .iter_errors(value)
                .map(|error| format!("at `{}`: {}", error.instance_path(), error.masked()))
                .collect(),
            Err(error) => vec![format!("the schema cannot be used: {error}")],
        }
    }
}

/// Returns the schema of this content type. Text types are interchangeable: `text/plain` is documented where `text/html` is recorded.
fn media<'a>(content: &'a Value, content_type: Option<&str>) -> Option<&'a Value> {
    let content_type = content_type?.split(';').next()?.trim();
    let kinds = content.as_object()?;
    let is_text = |kind: &str| kind.starts_with("text/");
    let kind = kinds
        .get(content_type)
        .or_else(|| kinds.iter().find(|(kind, _)| is_text(kind) && is_text(content_type)).map(|(_, media)| media));
    kind?.get("schema")
}

/// Converts a query parameter to its documented type.
fn typed(schema: &Value, text: &str) -> Value {
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") => text.parse::<i64>().map_or_else(|_| json!(text), Value::from),
        Some("boolean") => text.parse::<bool>().map_or_else(|_| json!(text), Value::from),
        Some("array") => json!([text]),
        _ => json!(text),
    }
}
