//! Search filters, encoded for the protocol (RFC 4511, section 4.5.1.7).
//!
//! Values of calls are encoded as bytes, so that no character has a meaning in them. Only a filter of the settings is a text.

use crate::ber::{boolean, element, group, octets, tag};

/// The maximum number of levels in a filter's text.
const MAX_DEPTH: usize = 16;

/// An encoded filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter(Vec<u8>);

impl Filter {
    /// Matches entries with this value of an attribute.
    pub(crate) fn equal(attribute: &str, value: &[u8]) -> Self {
        Self(group(0xa3, [octets(attribute), octets(value)]))
    }

    /// Matches entries with any value of an attribute.
    pub(crate) fn present(attribute: &str) -> Self {
        Self(element(0x87, attribute.as_bytes()))
    }

    /// Matches entries that all of these filters match.
    pub(crate) fn all<const N: usize>(filters: [&Self; N]) -> Self {
        Self(group(0xa0, filters.map(|filter| filter.0.clone())))
    }

    /// Matches entries that this filter does not match.
    pub(crate) fn not(filter: &Self) -> Self {
        Self(element(0xa2, &filter.0))
    }

    /// Returns the encoding.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Parses a text such as `(&(objectClass=person)(!(ou=robots)))` (RFC 4515). An error is the reason.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        let filter = parse(&mut rest, MAX_DEPTH)?;
        if rest.is_empty() { Ok(Self(filter)) } else { Err(format!("has more after its end: `{rest}`")) }
    }
}

fn parse(rest: &mut &str, depth: usize) -> Result<Vec<u8>, String> {
    let depth = depth.checked_sub(1).ok_or("has too many levels")?;
    take(rest, "(")?;
    let filter = match rest.chars().next() {
        Some(sign @ ('&' | '|')) => {
            take(rest, if sign == '&' { "&" } else { "|" })?;
            let mut inner = Vec::new();
            while rest.starts_with('(') {
                inner.extend(parse(rest, depth)?);
            }
            element(if sign == '&' { 0xa0 } else { 0xa1 }, &inner)
        }
        Some('!') => {
            take(rest, "!")?;
            element(0xa2, &parse(rest, depth)?)
        }
        _ => {
            let end = rest.find(['(', ')']).ok_or("has a parenthesis without its end")?;
            let (item, after) = rest.split_at(end);
            *rest = after;
            parse_item(item)?
        }
    };
    take(rest, ")")?;
    Ok(filter)
}

fn take(rest: &mut &str, sign: &str) -> Result<(), String> {
    *rest = rest.strip_prefix(sign).ok_or_else(|| format!("needs `{sign}` before `{rest}`"))?;
    Ok(())
}

fn parse_item(item: &str) -> Result<Vec<u8>, String> {
    let (left, value) = item.split_once('=').ok_or_else(|| format!("has no `=` in `{item}`"))?;
    if let Some(left) = left.strip_suffix(':') {
        return parse_extensible(left, value);
    }
    let (attribute, comparison) = match left.char_indices().next_back() {
        Some((end, '>')) => (left.get(..end).unwrap_or_default(), 0xa5),
        Some((end, '<')) => (left.get(..end).unwrap_or_default(), 0xa6),
        Some((end, '~')) => (left.get(..end).unwrap_or_default(), 0xa8),
        _ => (left, 0xa3),
    };
    check_attribute(attribute)?;
    if comparison != 0xa3 {
        return Ok(group(comparison, [octets(attribute), octets(unquote(value)?)]));
    }
    match value.split('*').collect::<Vec<_>>().as_slice() {
        [value] => Ok(group(0xa3, [octets(attribute), octets(unquote(value)?)])),
        ["", ""] => Ok(element(0x87, attribute.as_bytes())),
        [first, middle @ .., last] => {
            let mut parts = Vec::new();
            for (tag, part) in std::iter::once((0x80, first))
                .chain(middle.iter().map(|part| (0x81, part)))
                .chain(std::iter::once((0x82, last)))
            {
                if !part.is_empty() {
                    parts.extend(element(tag, &unquote(part)?));
                }
            }
            Ok(group(0xa4, [octets(attribute), element(tag::SEQUENCE, &parts)]))
        }
        [] => Err("has no value".to_owned()),
    }
}

/// Parses a comparison by a rule, such as `userAccountControl:1.2.840.113556.1.4.803:=2`.
fn parse_extensible(left: &str, value: &str) -> Result<Vec<u8>, String> {
    let mut parts = left.split(':');
    let attribute = parts.next().unwrap_or_default();
    let (mut rule, mut by_dn) = (None, false);
    for part in parts {
        match part {
            "dn" if !by_dn && rule.is_none() => by_dn = true,
            part if rule.is_none() => rule = Some(part),
            _ => return Err(format!("cannot compare by `{left}`")),
        }
    }
    let mut contents = Vec::new();
    if let Some(rule) = rule {
        check_attribute(rule)?;
        contents.extend(element(0x81, rule.as_bytes()));
    }
    if !attribute.is_empty() || rule.is_none() {
        check_attribute(attribute)?;
        contents.extend(element(0x82, attribute.as_bytes()));
    }
    contents.extend(element(0x83, &unquote(value)?));
    if by_dn {
        contents.extend(boolean(0x84, true));
    }
    Ok(element(0xa9, &contents))
}

/// Checks the name of an attribute or of a rule: letters, digits and `-`, or numbers with dots.
pub(crate) fn check_attribute(name: &str) -> Result<(), String> {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
    if name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.chars().all(is_allowed) {
        return Ok(());
    }
    Err(format!("has `{name}`, which is not a name of an attribute"))
}

/// Replaces each `\` and the two hexadecimal digits after it by their byte (RFC 4515, section 3).
fn unquote(value: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit(), digit());
        let byte = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(byte.ok_or("has a `\\` without two hexadecimal digits after it")?);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Quotes a value for a filter's text. Only tests need it.
    fn quote(value: &[u8]) -> String {
        let mut text = String::new();
        for character in String::from_utf8_lossy(value).chars() {
            match character {
                '*' | '(' | ')' | '\\' | '\0' => text.push_str(&format!("\\{:02x}", u32::from(character))),
                other => text.push(other),
            }
        }
        text
    }

    fn parsed(text: &str) -> Vec<u8> {
        Filter::parse(text).unwrap_or_else(|reason| panic!("{text} {reason}")).0
    }

    #[test]
    fn texts_are_encoded() {
        assert_eq!(parsed("(objectClass=*)"), Filter::present("objectClass").0);
        assert_eq!(parsed(" (mail=ada@acme.example) "), Filter::equal("mail", b"ada@acme.example").0);
        let (one, two) = (Filter::present("a"), Filter::equal("b", b"1"));
        assert_eq!(parsed("(&(a=*)(b=1))"), Filter::all([&one, &two]).0);
        assert_eq!(parsed("(!(a=*))"), element(0xa2, &one.0));
        assert_eq!(parsed("(|(a=*))"), element(0xa1, &one.0));
        assert_eq!(parsed("(b>=1)"), group(0xa5, [octets("b"), octets("1")]));
        assert_eq!(parsed("(&)"), [0xa0, 0]);
        let any = [element(0x80, b"x"), element(0x81, b"*y"), element(0x82, b"z")].concat();
        assert_eq!(parsed(r"(b=x*\2ay*z)"), group(0xa4, [octets("b"), element(tag::SEQUENCE, &any)]));
        let rule = [element(0x81, b"1.2.840.113556.1.4.803"), element(0x82, b"flags"), element(0x83, b"2")].concat();
        assert_eq!(parsed("(flags:1.2.840.113556.1.4.803:=2)"), element(0xa9, &rule));
        let by_dn = [element(0x82, b"ou"), element(0x83, b"x"), boolean(0x84, true)].concat();
        assert_eq!(parsed("(ou:dn:=x)"), element(0xa9, &by_dn));
    }

    #[test]
    fn mistakes_are_named() {
        let deep = format!("{}(a=*){}", "(!".repeat(40), ")".repeat(40));
        for (text, part) in [
            ("objectClass=person", "needs `(`"),
            ("(objectClass=person", "without its end"),
            ("(a=*)(b=*)", "more after its end"),
            ("(&(a=*)", "needs `)`"),
            ("(person)", "no `=`"),
            ("(=x)", "not a name of an attribute"),
            ("(a b=x)", "not a name of an attribute"),
            (r"(a=\2)", "two hexadecimal digits"),
            ("(a:b:c:=x)", "cannot compare"),
            (":=x", "needs `(`"),
            ("", "needs `(`"),
            (&deep, "too many levels"),
        ] {
            let reason = Filter::parse(text).unwrap_err();
            assert!(reason.contains(part), "{text}: {reason}");
        }
    }

    proptest! {
        #[test]
        fn quoted_value_equals_an_encoded_one(value in r#"[\PC\x00*()\\]{0,24}"#) {
            let text = format!("(mail={})", quote(value.as_bytes()));
            prop_assert_eq!(Filter::parse(&text), Ok(Filter::equal("mail", value.as_bytes())));
        }

        #[test]
        fn any_text_is_parsed_without_panic(text in r#"[()&|!=*:\\a-c\PC]{0,32}"#) {
            if let Ok(filter) = Filter::parse(&text) {
                let mut reader = crate::ber::Reader::new(&filter.0);
                prop_assert!(reader.read().is_ok() && reader.is_empty());
            }
        }
    }
}
