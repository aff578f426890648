//! Access rules of terms that `&&` joins, as PocketBase writes them.

/// Returns whether a rule holds only if the term does. Returns `false` for a rule whose meaning is not certain.
pub(crate) fn requires(rule: &str, term: &str) -> bool {
    let term = without_spaces(term);
    terms(&without_spaces(rule)).is_some_and(|terms| terms.contains(&term))
}

/// Returns the terms that `&&` joins outside of quotes and parentheses.
///
/// Returns `None` for a rule with `||` there, a comment, a backslash, or a quote or parenthesis without its pair.
fn terms(rule: &str) -> Option<Vec<String>> {
    let (mut terms, mut term, mut depth, mut quote) = (Vec::new(), String::new(), 0_usize, None);
    let mut rest = rule.chars().peekable();
    while let Some(character) = rest.next() {
        let is_double = rest.peek() == Some(&character);
        match (quote, character) {
            (_, '\\') => return None,
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.checked_sub(1)?,
            (None, '/') if is_double => return None,
            (None, '|') if is_double && depth == 0 => return None,
            (None, '&') if is_double && depth == 0 => {
                rest.next();
                terms.push(std::mem::take(&mut term));
                continue;
            }
            _ => {}
        }
        term.push(character);
    }
    terms.push(term);
    (depth == 0 && quote.is_none()).then_some(terms)
}

fn without_spaces(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: &str = "@request.body.customer_id:isset = false";

    #[test]
    fn only_conjunctions_require_their_terms() {
        for (rule, is_required) in [
            ("TERM", true),
            ("id = @request.auth.id && TERM", true),
            ("TERM&&id=@request.auth.id", true),
            ("(id = @request.auth.id || verified = true) && TERM", true),
            ("name != 'a || b' && TERM", true),
            ("name != '(' && TERM && name != \"'\"", true),
            ("@request.body.customer_id:isset=false", true),
            ("", false),
            ("id = @request.auth.id", false),
            ("id = @request.auth.id || TERM", false),
            ("TERM || id = @request.auth.id", false),
            ("a = 1 && TERM || b = 1", false),
            ("a = 1 && (TERM || b = 1)", false),
            ("(a = 1 && TERM)", false),
            ("@request.body.customer_id:isset = true", false),
            ("@request.body.customer_id:isset != false", false),
            ("@request.body.customer_id2:isset = false", false),
            ("name = ' && TERM && '", false),
            ("a = 1 // && TERM", false),
            ("a = 1 // && b\n && TERM", false),
            ("name = '\\' && TERM && name = '\\'", false),
            ("(a = 1 && TERM", false),
            ("a = 1) && TERM", false),
            ("name = 'a && TERM", false),
        ] {
            let rule = rule.replace("TERM", TERM);
            assert_eq!(requires(&rule, TERM), is_required, "{rule}");
        }
    }
}
