//! The messages of LDAP (RFC 4511, section 4), as far as the connector uses them.

use crate::ber::{Malformed, Reader, boolean, element, group, number, octets, tag};
use crate::filter::Filter;

/// The object identifiers of controls and extended operations.
pub(crate) mod oid {
    /// Pages of search results (RFC 2696).
    pub(crate) const PAGES: &str = "1.2.840.113556.1.4.319";
    /// A write that depends on a filter (RFC 4528).
    pub(crate) const ASSERTION: &str = "1.3.6.1.1.12";
    /// StartTLS (RFC 4511, section 4.14).
    pub(crate) const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
}

/// The depth of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The entry of the base itself.
    Base,
    /// The entry of the base, and all below it.
    Subtree,
}

/// A search.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    pub(crate) base: String,
    pub(crate) depth: Depth,
    pub(crate) filter: Filter,
    pub(crate) attributes: Vec<String>,
    /// The maximum number of entries.
    pub(crate) limit: usize,
    /// The entries of a page; `None` for a search without pages.
    pub(crate) page_size: Option<u16>,
}

/// A change of an attribute.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Add(String, String),
    Delete(String, String),
    Replace(String, String),
}

/// A write to one entry.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    /// The name of the entry.
    pub(crate) entry: String,
    /// The condition on the entry, if the server can check it.
    pub(crate) condition: Option<Filter>,
    pub(crate) action: Action,
}

/// The effect of a write.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Makes these changes, all or none of them.
    Modify(Vec<Change>),
    Delete,
}

/// Encodes a bind with a name and a password.
pub(crate) fn bind(name: &str, password: &str) -> Vec<u8> {
    group(0x60, [number(tag::INTEGER, 3), octets(name), element(0x80, password.as_bytes())])
}

/// Encodes the request to start TLS.
pub(crate) fn start_tls() -> Vec<u8> {
    element(0x77, &element(0x80, oid::START_TLS.as_bytes()))
}

/// Adds the number of the message and its controls to an operation.
pub(crate) fn message(id: i32, operation: Vec<u8>, control: Option<Vec<u8>>) -> Vec<u8> {
    let controls = control.map(|control| element(0xa0, &control)).unwrap_or_default();
    group(tag::SEQUENCE, [number(tag::INTEGER, id), operation, controls])
}

impl Search {
    /// Encodes the search. The server gives up after `seconds`.
    pub(crate) fn encode(&self, seconds: i32) -> Vec<u8> {
        let depth = match self.depth {
            Depth::Base => 0,
            Depth::Subtree => 2,
        };
        // The server would count the entries of all pages.
        let limit = if self.page_size.is_some() { 0 } else { i32::try_from(self.limit).unwrap_or_default() };
        let attributes: Vec<u8> = self.attributes.iter().flat_map(octets).collect();
        let contents = [
            octets(&self.base),
            number(tag::ENUMERATED, depth),
            number(tag::ENUMERATED, 0),
            number(tag::INTEGER, limit),
            number(tag::INTEGER, seconds),
            boolean(tag::BOOLEAN, false),
            self.filter.as_bytes().to_vec(),
            element(tag::SEQUENCE, &attributes),
        ];
        group(0x63, contents)
    }

    /// Encodes the control that requests the page after this cookie.
    pub(crate) fn page(&self, cookie: &[u8]) -> Option<Vec<u8>> {
        let value = group(tag::SEQUENCE, [number(tag::INTEGER, i32::from(self.page_size?)), octets(cookie)]);
        Some(control(oid::PAGES, false, &value))
    }
}

impl Write {
    /// Encodes the write.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match &self.action {
            Action::Delete => element(0x4a, self.entry.as_bytes()),
            Action::Modify(changes) => {
                let changes: Vec<u8> = changes.iter().flat_map(Change::encode).collect();
                group(0x66, [octets(&self.entry), element(tag::SEQUENCE, &changes)])
            }
        }
    }

    /// Encodes the control with the condition. A server that cannot check it must refuse the write.
    pub(crate) fn assertion(&self) -> Option<Vec<u8>> {
        self.condition.as_ref().map(|condition| control(oid::ASSERTION, true, condition.as_bytes()))
    }
}

impl Change {
    fn encode(&self) -> Vec<u8> {
        let (operation, attribute, value) = match self {
            Self::Add(attribute, value) => (0, attribute, value),
            Self::Delete(attribute, value) => (1, attribute, value),
            Self::Replace(attribute, value) => (2, attribute, value),
        };
        let attribute = group(tag::SEQUENCE, [octets(attribute), element(tag::SET, &octets(value))]);
        group(tag::SEQUENCE, [number(tag::ENUMERATED, operation), attribute])
    }
}

fn control(oid: &str, is_critical: bool, value: &[u8]) -> Vec<u8> {
    group(tag::SEQUENCE, [octets(oid), boolean(tag::BOOLEAN, is_critical), octets(value)])
}

/// An entry of a search result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Entry {
    /// Returns the values of an attribute. Names match in any case, and without options such as `;lang-en`.
    pub(crate) fn values(&self, attribute: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
        found.map(|(_, values)| values.as_slice()).unwrap_or_default()
    }
}

/// The result of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    /// The server's message, which may have names and values.
    pub(crate) message: String,
    /// The cookie of the next page; empty after the last.
    pub(crate) cookie: Vec<u8>,
}

/// A message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Response {
    /// An entry of a search.
    Entry(Entry),
    /// A part of a search's result that another server has.
    Reference,
    /// The end of an operation.
    End(Outcome),
}

/// Parses a message, and returns the number of the request that it answers: 0 if it answers none.
pub(crate) fn parse(bytes: &[u8]) -> Result<(i32, Response), Malformed> {
    let mut message = Reader::new(Reader::new(bytes).expect(tag::SEQUENCE)?);
    let id = message.number(tag::INTEGER)?;
    let (kind, contents) = message.read()?;
    let mut contents = Reader::new(contents);
    let response = match kind {
        0x64 => Response::Entry(parse_entry(&mut contents)?),
        0x73 => Response::Reference,
        // The ends of bind, search, modify, delete and extended operations.
        0x61 | 0x65 | 0x67 | 0x6b | 0x78 => {
            let code = contents.number(tag::ENUMERATED)?;
            contents.expect(tag::OCTETS)?;
            let text = String::from_utf8_lossy(contents.expect(tag::OCTETS)?).into_owned();
            let controls = message.read_if(0xa0)?.unwrap_or_default();
            Response::End(Outcome { code, message: text, cookie: parse_cookie(Reader::new(controls))? })
        }
        _ => return Err(Malformed),
    };
    Ok((id, response))
}

fn parse_entry(contents: &mut Reader<'_>) -> Result<Entry, Malformed> {
    let mut entry = Entry { name: contents.text(tag::OCTETS)?.to_owned(), attributes: Vec::new() };
    let mut attributes = Reader::new(contents.expect(tag::SEQUENCE)?);
    while !attributes.is_empty() {
        let mut attribute = Reader::new(attributes.expect(tag::SEQUENCE)?);
        let name = attribute.text(tag::OCTETS)?.to_owned();
        let (mut set, mut values) = (Reader::new(attribute.expect(tag::SET)?), Vec::new());
        while !set.is_empty() {
            values.push(set.expect(tag::OCTETS)?.to_vec());
        }
        entry.attributes.push((name, values));
    }
    Ok(entry)
}

fn parse_cookie(mut controls: Reader<'_>) -> Result<Vec<u8>, Malformed> {
    while !controls.is_empty() {
        let mut control = Reader::new(controls.expect(tag::SEQUENCE)?);
        if control.expect(tag::OCTETS)? == oid::PAGES.as_bytes() {
            control.read_if(tag::BOOLEAN)?;
            let mut page = Reader::new(Reader::new(control.expect(tag::OCTETS)?).expect(tag::SEQUENCE)?);
            page.number(tag::INTEGER)?;
            return Ok(page.expect(tag::OCTETS)?.to_vec());
        }
    }
    Ok(Vec::new())
}

#[cfg(test)]
impl Entry {
    /// Creates an entry for tests.
    pub(crate) fn new(name: &str, attributes: &[(&str, &[&[u8]])]) -> Self {
        let owned = |values: &[&[u8]]| values.iter().map(|value| value.to_vec()).collect();
        let attributes = attributes.iter().map(|(name, values)| ((*name).to_owned(), owned(values))).collect();
        Self { name: name.to_owned(), attributes }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn end(kind: u8, code: i32, controls: Vec<u8>) -> Vec<u8> {
        let end = group(kind, [number(tag::ENUMERATED, code), octets(""), octets("text")]);
        group(tag::SEQUENCE, [number(tag::INTEGER, 7), end, controls])
    }

    #[test]
    fn entries_are_parsed() {
        let mail = group(tag::SEQUENCE, [octets("Mail"), group(tag::SET, [octets("a@b"), octets("c@d")])]);
        let none = group(tag::SEQUENCE, [octets("sn"), group(tag::SET, [])]);
        let entry = group(0x64, [octets("uid=ada"), group(tag::SEQUENCE, [mail, none])]);
        let (id, response) = parse(&message(7, entry, None)).unwrap();
        let Response::Entry(entry) = response else { panic!("{response:?}") };
        assert_eq!((id, entry.name.as_str()), (7, "uid=ada"));
        assert_eq!(entry.values("mail"), [b"a@b".to_vec(), b"c@d".to_vec()]);
        assert!(entry.values("sn").is_empty() && entry.values("cn").is_empty());
    }

    #[test]
    fn ends_have_a_code_and_a_cookie() {
        let pages = group(tag::SEQUENCE, [number(tag::INTEGER, 0), octets("next")]);
        let other = group(tag::SEQUENCE, [octets("1.2.3"), boolean(tag::BOOLEAN, true)]);
        let controls = group(0xa0, [other, control(oid::PAGES, false, &pages)]);
        for (controls, cookie) in [(controls, &b"next"[..]), (Vec::new(), b"")] {
            let (id, response) = parse(&end(0x65, 32, controls)).unwrap();
            let outcome = Outcome { code: 32, message: "text".to_owned(), cookie: cookie.to_vec() };
            assert_eq!((id, response), (7, Response::End(outcome)));
        }
    }

    #[test]
    fn unknown_conditions_must_refuse_the_write() {
        let condition = Filter::present("mail");
        let write = Write { entry: "uid=ada".to_owned(), condition: Some(condition.clone()), action: Action::Delete };
        let control = [octets("1.3.6.1.1.12"), boolean(tag::BOOLEAN, true), octets(condition.as_bytes())];
        assert_eq!(write.assertion(), Some(group(tag::SEQUENCE, control)));
    }

    #[test]
    fn references_and_foreign_messages_are_recognized() {
        let reference = message(7, group(0x73, [octets("ldap://other.example/dc=x")]), None);
        assert_eq!(parse(&reference), Ok((7, Response::Reference)));
        for bytes in [end(0x79, 0, Vec::new()), b"HTTP/1.1 400".to_vec(), Vec::new(), vec![0x30, 0]] {
            assert_eq!(parse(&bytes), Err(Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn deep_nesting_is_not_followed() {
        let mut deep = Vec::new();
        for _ in 0..20_000 {
            deep = element(tag::SEQUENCE, &deep);
        }
        assert_eq!(parse(&message(7, element(0x64, &deep), None)), Err(Malformed));
    }

    proptest! {
        #[test]
        fn cut_or_changed_messages_are_no_panic(cut in 0_usize..60, at in 0_usize..60, byte in any::<u8>()) {
            let mail = group(tag::SEQUENCE, [octets("mail"), group(tag::SET, [octets("ada@acme.example")])]);
            let entry = group(0x64, [octets("uid=ada"), group(tag::SEQUENCE, [mail])]);
            let mut bytes = message(7, entry, None);
            bytes.truncate(bytes.len().saturating_sub(cut));
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            prop_assert!(parse(&bytes).is_ok() || parse(&bytes) == Err(Malformed));
        }
    }
}
