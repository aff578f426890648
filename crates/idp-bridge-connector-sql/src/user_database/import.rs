//! The users of an import: a JSON list, or lines with a JSON object each.

use idp_bridge_core::{CustomerId, Email, Error, Result, UserId};
use jiff::Timestamp;
use serde::Deserialize;

/// A user of an import, in the format of the connector `memory`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportedUser {
    pub(super) id: UserId,
    pub(super) customer: Option<CustomerId>,
    pub(super) email: Option<Email>,
    pub(super) create_time: Option<Timestamp>,
    pub(super) update_time: Option<Timestamp>,
    pub(super) login_time: Option<Timestamp>,
    pub(super) logins_count: Option<u32>,
    #[serde(default)]
    pub(super) email_verified: bool,
    #[serde(default)]
    pub(super) blocked: bool,
    #[serde(default)]
    pub(super) service_account: bool,
}

/// Parses users. Each has its place for error messages.
pub(super) fn parse(text: &str) -> Result<Vec<(String, ImportedUser)>> {
    if text.trim_start().starts_with('[') {
        let users: Vec<ImportedUser> = serde_json::from_str(text).map_err(|error| invalid("the list", &error))?;
        return Ok(users.into_iter().enumerate().map(|(index, user)| (format!("entry {}", index + 1), user)).collect());
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parse = |(index, line): (usize, &str)| {
        let place = format!("line {}", index + 1);
        let user = serde_json::from_str(line).map_err(|error| invalid(&place, &error))?;
        Ok((place, user))
    };
    lines.map(parse).collect()
}

fn invalid(place: &str, error: &serde_json::Error) -> Error {
    Error::misconfigured(format!("{place} is invalid: {error}; nothing was imported"))
        .with_hint("write users like `{\"id\": \"u-1\", \"email\": \"ada@acme.example\", \"customer\": \"c-1\"}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_lines_are_read() {
        for text in [
            "[{\"id\":\"a\"}, {\"id\":\"b\"}]",
            "{\"id\":\"a\"}\r\n\n  {\"id\":\"b\"}",
            " \n[\n{\"id\":\"a\"},{\"id\":\"b\"}]",
        ] {
            let ids: Vec<_> = parse(text).unwrap().into_iter().map(|(_, user)| user.id.as_str().to_owned()).collect();
            assert_eq!(ids, ["a", "b"], "{text}");
        }
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn mistakes_have_their_place() {
        for (text, part) in [
            ("{\"id\":\"a\"}\n{\"id\":\"b\",\"emial\":\"x@y\"}", "line 2 is invalid: unknown field `emial`"),
            ("{\"id\":\"a\"}\n{\"email\":\"x@y\"}", "line 2 is invalid: missing field `id`"),
            ("[{\"id\":\"a\",\"email\":\"nobody\"}]", "the list is invalid"),
            ("{\"id\":\"a\",\"customer\":[\"c\",\"d\"]}", "line 1"),
            ("{\"id\":\"..\"}", "line 1"),
            ("{\"id\":\"a\"} {}", "trailing characters"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(part), "{error} lacks {part}");
        }
    }
}
