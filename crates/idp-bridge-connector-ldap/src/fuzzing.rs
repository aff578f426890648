//! Functions of this crate for the fuzz targets in `tests/fuzz`.

use crate::filter::Filter;
use crate::message::{self, Response};

/// Parses the text of a filter, and returns its encoding. An error is the reason.
pub fn parse_filter(text: &str) -> Result<Vec<u8>, String> {
    Filter::parse(text).map(|filter| filter.as_bytes().to_vec())
}

/// Returns the encoded filter for entries with this value of an attribute.
pub fn equality_filter(attribute: &str, value: &[u8]) -> Vec<u8> {
    Filter::equal(attribute, value).as_bytes().to_vec()
}

/// A message of a server.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The number of its request.
    pub id: i32,
    /// The name of the entry; `None` for other messages.
    pub entry: Option<String>,
    /// The values of the attribute `mail`.
    pub mails: Vec<Vec<u8>>,
    /// The cookie of the next page.
    pub cookie: Vec<u8>,
}

/// Parses a message of a server. Returns `None` for other bytes.
pub fn parse_message(bytes: &[u8]) -> Option<Message> {
    let (id, response) = message::parse(bytes).ok()?;
    let message = Message { id, entry: None, mails: Vec::new(), cookie: Vec::new() };
    Some(match response {
        Response::Entry(entry) => Message { mails: entry.values("mail").to_vec(), entry: Some(entry.name), ..message },
        Response::Reference => message,
        Response::End(outcome) => Message { cookie: outcome.cookie, ..message },
    })
}
