//! How a search reads the one kind of clause that the connector sends: a field and a quoted value, as Lucene quotes it.

use idp_bridge_http::quote::read_double_quoted;

/// A clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) field: String,
    pub(crate) value: String,
}

impl Query {
    /// Reads a clause; nothing if there is more than one, or if its value is not quoted.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (field, quoted) = text.split_once(':')?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        if field.is_empty() || !field.chars().all(is_plain) {
            return None;
        }
        Some(Self { field: field.into(), value: read_double_quoted(quoted)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_quoted_clause_is_read_and_nothing_else() {
        for (text, field, value) in [
            (r#"email:"a@b""#, "email", "a@b"),
            (r#"app_metadata.customer_id:"a\"b\\c""#, "app_metadata.customer_id", r#"a"b\c"#),
            (r#"email:"x\" OR email:\"*""#, "email", r#"x" OR email:"*"#),
        ] {
            assert_eq!(Query::parse(text), Some(Query { field: field.into(), value: value.into() }), "{text}");
        }
        for text in [
            "",
            "email",
            "email:a@b",
            "email:*",
            r#"email:"a" OR email:"b""#,
            r#"email:"a"#,
            r#"email:"a\""#,
            r#":"a""#,
        ] {
            assert_eq!(Query::parse(text), None, "{text}");
        }
    }
}
