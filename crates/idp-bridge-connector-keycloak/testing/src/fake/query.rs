//! Parses the `q` of a search like Keycloak 26.7.3, according to its responses and its public source.

use std::collections::BTreeMap;

/// Parses the attributes and values of a `q`. `None` for a `\` at the very end, on which Keycloak fails with 500.
pub fn parse(query: &str) -> Option<BTreeMap<String, String>> {
    let chars: Vec<char> = query.trim_matches(|c| c <= ' ').chars().collect();
    let mut pairs = BTreeMap::new();
    let mut at = 0;
    while at < chars.len() {
        let name = token(&chars, &mut at, Some(':'))?;
        if chars.get(at) == Some(&':') {
            at += 1;
            pairs.insert(name, token(&chars, &mut at, None)?);
        }
        at += 1;
    }
    Some(pairs)
}

/// Parses up to a space outside of quotes, or up to `end`, also inside of them.
///
/// `\"` is a quote, `\\` is dropped, and a quote inside of an unquoted value is literal.
fn token(chars: &[char], at: &mut usize, end: Option<char>) -> Option<String> {
    let (mut quoted, mut inner, mut text) = (false, false, String::new());
    while let Some(&char) = chars.get(*at) {
        if Some(char) == end {
            break;
        }
        match char {
            '\\' => match chars.get(*at + 1)? {
                '"' => *at += 1,
                '\\' => {
                    *at += 2;
                    continue;
                }
                _ => {}
            },
            '"' if !quoted && !text.is_empty() => inner = true,
            '"' if inner => inner = false,
            '"' => {
                quoted = !quoted;
                *at += 1;
                continue;
            }
            ' ' if !quoted => break,
            _ => {}
        }
        text.extend(chars.get(*at));
        *at += 1;
    }
    Some(text)
}

/// Returns whether a stored value matches: whole if `exact`, else like SQL's `LIKE '%pattern%'`. Case never counts.
pub fn finds(pattern: &str, exact: bool, stored: &str) -> bool {
    let (pattern, value) = (pattern.to_lowercase(), stored.to_lowercase());
    if exact {
        return pattern == value;
    }
    // Longer values are stored by their hash, which no pattern matches.
    stored.chars().count() <= 255 && like(&format!("%{pattern}%").chars().collect::<Vec<_>>(), &value)
}

/// Matches like SQL's `LIKE`: `%` is any text, `_` is one character, `\` makes the next one literal.
fn like(pattern: &[char], value: &str) -> bool {
    let mut rest = value.chars();
    match pattern {
        [] => value.is_empty(),
        ['%', after @ ..] => {
            value.char_indices().any(|(at, _)| value.get(at..).is_some_and(|tail| like(after, tail))) || like(after, "")
        }
        ['\\', literal, after @ ..] => rest.next() == Some(*literal) && like(after, rest.as_str()),
        ['_', after @ ..] => rest.next().is_some() && like(after, rest.as_str()),
        [literal, after @ ..] => rest.next() == Some(*literal) && like(after, rest.as_str()),
    }
}
