//! The quoting that search filters share, so that a value never becomes syntax.

/// Wraps a value in double quotes, with a backslash before each `"` and each `\` in it.
///
/// Lucene (Auth0's `q`) and Cognito's `Filter` read a quoted value this way; Keycloak's `q` does not, since it drops `\\`.
/// Control characters are left as they are: the types of `idp-bridge-core` refuse them at the edge.
pub fn double_quoted(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

/// Reads a value in double quotes as those filters do, for a fake that has one; nothing if the value ends early or late.
pub fn read_double_quoted(quoted: &str) -> Option<String> {
    let mut characters = quoted.strip_prefix('"')?.chars();
    let mut value = String::new();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(value),
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_and_backslashes_are_escaped_and_nothing_else_is() {
        assert_eq!(double_quoted(""), r#""""#);
        assert_eq!(double_quoted(r#"a"b\c d:*'"#), r#""a\"b\\c d:*'""#);
        assert_eq!(double_quoted(r#"x" OR email:"*"#), r#""x\" OR email:\"*""#);
    }

    proptest! {
        #[test]
        fn a_quoted_value_reads_back_whole(value in r#"[\PC"\\]{0,24}"#) {
            prop_assert_eq!(read_double_quoted(&double_quoted(&value)), Some(value));
        }
    }
}
