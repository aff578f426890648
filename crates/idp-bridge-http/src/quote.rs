//! The quoting that search filters share, so that a value never becomes syntax.

/// Wraps a value in double quotes, with a backslash before each `"` and each `\` in it.
///
/// Lucene (Auth0's `q`), Cognito's `Filter` and Keycloak's `q` all read a quoted value this way.
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
