//! Splits the main file into one part for each tenant, so that a reload parses only the parts that have changed.

use std::collections::HashSet;
use std::ops::Range;

/// The begin of a tenant's headers.
const HEADER: &str = "[tenants.";

/// The parts of the main file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts<'f> {
    /// The tables before the first tenant.
    pub(super) head: Range<usize>,
    /// The ids of the tenants, and the parts with their tables.
    pub(super) tenants: Vec<(&'f str, Range<usize>)>,
}

/// Splits a file before the first header of each tenant.
///
/// Returns `None` if there is no tenant, if other tables follow the first one, or if the tables of a tenant are apart.
///
/// A line inside a text or a list can look like a header. The part before it then ends in the middle of a value, and is not
/// TOML: if each part is, the parts have the meaning of the whole file.
pub(super) fn split(text: &str) -> Option<Parts<'_>> {
    let mut tenants: Vec<(&str, Range<usize>)> = Vec::new();
    let mut ids = HashSet::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        let id = tenant_of(line);
        match (tenants.last_mut(), id) {
            (Some((last, part)), Some(id)) if *last == id => part.end = end,
            (_, Some(id)) if ids.insert(id) => tenants.push((id, start..end)),
            (_, Some(_)) => return None,
            (Some(_), None) if line.trim_start().starts_with('[') => return None,
            (Some((_, part)), None) => part.end = end,
            (None, None) => {}
        }
        start = end;
    }
    let head = 0..tenants.first()?.1.start;
    Some(Parts { head, tenants })
}

/// Returns the id in the header of a tenant's table. Quoted ids are left to the parser of the whole file.
fn tenant_of(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix(HEADER)?;
    let id = rest.get(..rest.find(['.', ']'])?)?;
    let is_bare = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    is_bare.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the head, and the ids and parts of the tenants.
    fn texts(text: &str) -> Option<(&str, Vec<(&str, &str)>)> {
        let Parts { head, tenants } = split(text)?;
        Some((&text[head], tenants.into_iter().map(|(id, part)| (id, &text[part])).collect()))
    }

    #[test]
    fn each_tenant_has_one_part() {
        let head = "[server]\nlisten = 1\n\n";
        let a = "[tenants.a]\nx = 1\n  [tenants.a.connector] # its identity provider\ny = 2\n# next\n";
        let b = "[tenants.b.connector]\ny = 2";
        assert_eq!(texts(&[head, a, b].concat()), Some((head, vec![("a", a), ("b", b)])));
        assert_eq!(texts(a), Some(("", vec![("a", a)])));
    }

    #[test]
    fn other_forms_are_not_split() {
        for text in [
            "",
            "[server]\n",
            "[tenants.a]\n[tenants.b]\n[tenants.a.connector]\n",
            "[tenants.a]\n[server]\n",
            "[tenants.a]\n[[tenants.b]]\n",
            "[tenants.a]\n[tenants.\"b\"]\n",
            "[tenants.a]\n[ tenants.b ]\n",
            "[tenants.a]\n[tenants.b .c]\n",
            "[tenants.a]\nlist = [\n[1]]\n",
        ] {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
