//! Formats JSON schemas as HTML.

use serde_json::Value;

use crate::html::{code, escape};

/// Formats a schema in one line: a link, a choice, or a type with its limits.
pub(super) fn format_schema(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.rsplit('/').next()) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escape(name));
    }
    if let Some(choices) = schema.get("oneOf").or(schema.get("anyOf")).and_then(Value::as_array) {
        return choices.iter().map(format_choice).collect::<Vec<_>>().join(" or ");
    }
    if let Some(Value::String(value)) = schema.get("const") {
        return code(value);
    }
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => escape(kind),
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).map(escape).collect::<Vec<_>>().join(" or ")
        }
        _ => String::new(),
    };
    let limits = ["format", "pattern", "minLength", "maxLength", "minimum"].into_iter().filter_map(|name| {
        let value = schema.get(name)?;
        Some(format!("{name} {}", code(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))))
    });
    let values = schema.get("additionalProperties").filter(|value| value.is_object()).map(format_schema);
    let all = [kind].into_iter().chain(limits).chain(values.map(|values| format!("of {values}")));
    format!("<span class=\"note\">{}</span>", all.collect::<Vec<_>>().join(" "))
}

/// Formats an alternative by its members, if it has some.
fn format_choice(schema: &Value) -> String {
    match schema.get("properties").and_then(Value::as_object) {
        Some(properties) => {
            let members = properties.iter().map(|(name, value)| format!("{} {}", code(name), format_schema(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        None => format_schema(schema),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schema_is_one_line() {
        assert_eq!(format_schema(&json!({"$ref": "#/components/schemas/User"})), "<a href=\"#schema-User\">User</a>");
        let text = json!({"type": "string", "minLength": 1});
        assert_eq!(format_schema(&text), "<span class=\"note\">string minLength <code>1</code></span>");
        assert_eq!(
            format_schema(&json!({"oneOf": [{"const": "a"}, {"const": "b"}]})),
            "<code>a</code> or <code>b</code>"
        );
    }
}
