//! JSON pointers (RFC 6901): parsed once, evaluated for each answer.

use serde_json::Value;

/// A parsed JSON pointer.
#[derive(Debug, Clone)]
pub(crate) struct Pointer(Vec<String>);

impl Pointer {
    /// Parses a pointer, which begins with `/` or is empty.
    pub(crate) fn parse(text: &str) -> Self {
        Self(text.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect())
    }

    /// Returns the names of members and the indexes of elements on the way to the value.
    pub(crate) fn tokens(&self) -> &[String] {
        &self.0
    }

    /// Returns the value, as [`Value::pointer`] does.
    pub(crate) fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |place, token| match place {
            Value::Object(members) => members.get(token),
            Value::Array(elements) => elements.get(index(token)?),
            _ => None,
        })
    }
}

/// Parses an index, which has no sign and no leading zero.
fn index(token: &str) -> Option<usize> {
    let is_canonical = token == "0" || token.starts_with(|c: char| matches!(c, '1'..='9'));
    token.parse().ok().filter(|_| is_canonical)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_those_of_serde_json() {
        let answer = json!({"a": [{"b/c": 1, "d~e": null}, 2], "": {"": "x"}, "0": true});
        for text in [
            "",
            "/",
            "//",
            "/a",
            "/a/0/b~1c",
            "/a/0/d~0e",
            "/a/1",
            "/a/01",
            "/a/+1",
            "/a/-",
            "/a/2",
            "/0",
            "/a/1/x",
            "/z",
        ] {
            assert_eq!(Pointer::parse(text).find(&answer), answer.pointer(text), "{text}");
        }
    }
}
