//! The parser of the only search query that the connector sends: a field and a value that is quoted as in Lucene.

use idp_bridge_http::quote::read_double_quoted;

/// A query with one clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) field: String,
    pub(crate) value: String,
}

impl Query {
    /// Parses a query. Returns `None` for several clauses or an unquoted value.
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
    fn only_single_quoted_clauses_are_parsed() {
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
