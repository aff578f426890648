//! Quoting of values in search filters.

/// Wraps a value in double quotes and escapes `"` and `\` with a backslash.
///
/// For Lucene (Auth0's `q`) and Cognito's `Filter`, not for Keycloak's `q`, which drops `\\`.
/// Control characters are not escaped: the types of `idp-bridge-core` reject them.
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

/// Parses a value in double quotes. Returns `None` if the closing quote is missing or not the last character. For fakes.
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
    fn only_quotes_and_backslashes_are_escaped() {
        assert_eq!(double_quoted(""), r#""""#);
        assert_eq!(double_quoted(r#"a"b\c d:*'"#), r#""a\"b\\c d:*'""#);
        assert_eq!(double_quoted(r#"x" OR email:"*"#), r#""x\" OR email:\"*""#);
    }

    proptest! {
        #[test]
        fn quoted_value_survives(value in r#"[\PC"\\]{0,24}"#) {
            prop_assert_eq!(read_double_quoted(&double_quoted(&value)), Some(value));
        }
    }
}
