//! Texts and schemas of the document as HTML.

use serde_json::Value;

/// A text in which nothing is markup.
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

/// A text as code.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

/// A description: lines that begin with `- ` are a list, everything else is one paragraph; backticks mark code.
pub(crate) fn rich(text: &str) -> String {
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

/// What a schema says in one line: a link, a choice, or a type with its limits.
pub(super) fn schema(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.rsplit('/').next()) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escape(name));
    }
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
        return choices.iter().map(choice).collect::<Vec<_>>().join(" or ");
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
    let values = schema.get("additionalProperties").filter(|value| value.is_object()).map(self::schema);
    let all = [kind].into_iter().chain(limits).chain(values.map(|values| format!("of {values}")));
    format!("<span class=\"note\">{}</span>", all.collect::<Vec<_>>().join(" "))
}

/// One of several: by its members if it has some of its own.
fn choice(of: &Value) -> String {
    match of.get("properties").and_then(Value::as_object) {
        Some(properties) => {
            let members = properties.iter().map(|(name, value)| format!("{} {}", code(name), schema(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        None => schema(of),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        assert_eq!(escape("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
        assert_eq!(rich("a `<b>` c\n- d `e`"), "<p>a <code>&lt;b&gt;</code> c</p><ul><li>d <code>e</code></li></ul>");
    }

    #[test]
    fn a_schema_is_one_line() {
        assert_eq!(schema(&json!({"$ref": "#/components/schemas/User"})), "<a href=\"#schema-User\">User</a>");
        let text = json!({"type": "string", "minLength": 1});
        assert_eq!(schema(&text), "<span class=\"note\">string minLength <code>1</code></span>");
        assert_eq!(schema(&json!({"oneOf": [{"const": "a"}, {"const": "b"}]})), "<code>a</code> or <code>b</code>");
    }
}
