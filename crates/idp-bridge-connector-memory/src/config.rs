//! A tenant's settings: where the users come from.

use std::path::{Path, PathBuf};

use idp_bridge_core::schemars::{self, JsonSchema};
use idp_bridge_core::serde::{self, Deserialize};
use idp_bridge_core::{Error, Result};

use crate::MemoryUser;

/// The settings of the memory connector: exactly one of the two.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(crate = "self::serde", deny_unknown_fields)]
#[schemars(crate = "self::schemars")]
pub struct MemoryConfig {
    /// The path of a JSON file with a list of users, relative to the configuration file.
    #[schemars(extend("format" = "path"))]
    pub users_file: Option<PathBuf>,
    /// The users, instead of a file.
    pub users: Option<Vec<MemoryUser>>,
}

impl MemoryConfig {
    /// The users that these settings name.
    pub(crate) fn into_users(self) -> Result<Vec<MemoryUser>> {
        match (self.users_file, self.users) {
            (Some(path), None) => read_file(&path),
            (None, Some(users)) => Ok(users),
            (Some(_), Some(_)) => {
                Err(Error::misconfigured("`users_file` and `users` are both given: keep one of them"))
            }
            (None, None) => Err(Error::misconfigured(
                "no users are given: set `users_file` to a JSON file, or list them in `users`",
            )),
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<MemoryUser>> {
    let text = std::fs::read_to_string(path).map_err(|cause| {
        Error::misconfigured(format!("cannot read the users of `users_file = {path:?}`: {cause}")).with_source(cause)
    })?;
    let mut json = serde_json::Deserializer::from_str(&text);
    let users = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let entry = error.path().to_string();
        Error::misconfigured(format!("{path:?}: `{entry}` is not well-formed: {}", error.into_inner()))
    })?;
    json.end()
        .map_err(|cause| Error::misconfigured(format!("{path:?}: something follows the list of users: {cause}")))?;
    Ok(users)
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::ErrorKind;

    use super::*;

    fn users_of(text: &str) -> Result<Vec<MemoryUser>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.json");
        std::fs::write(&path, text).unwrap();
        MemoryConfig { users_file: Some(path), users: None }.into_users()
    }

    #[test]
    fn the_example_file_is_read() {
        assert_eq!(users_of(include_str!("sample_users.json")).unwrap(), crate::sample_users());
    }

    #[test]
    fn error_names_file_entry_and_line() {
        for (text, parts) in [
            (r#"[{"id":"u-1"},{"id":"u-2","email":"nobody"}]"#, ["[1].email", "has no `@`", "line 1"]),
            (r#"[{"id":"u-1","emial":"a@b.c"}]"#, ["[0].emial", "unknown field", "line 1"]),
            (r#"[{"id":".."}]"#, ["[0].id", "URLs fold", "line 1"]),
            (r#"[{"id":"u-1","customer":7}]"#, ["[0].customer", "a customer id or a list", "users.json"]),
            ("[\n{\"email\":\"a@b.c\"}]", ["[0]", "missing field `id`", "line 2"]),
            ("[] []", ["users.json", "follows the list", "line 1"]),
        ] {
            let error = users_of(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured);
            for part in parts {
                assert!(error.to_string().contains(part), "{error} lacks {part}");
            }
        }
    }

    #[test]
    fn exactly_one_source_is_named() {
        let none = MemoryConfig::default().into_users().unwrap_err();
        assert!(none.to_string().contains("set `users_file`"), "{none}");
        let both = MemoryConfig { users_file: Some("users.json".into()), users: Some(Vec::new()) };
        assert!(both.into_users().unwrap_err().to_string().contains("keep one"));
        let missing = MemoryConfig { users_file: Some("/nowhere/users.json".into()), users: None };
        assert!(missing.into_users().unwrap_err().to_string().contains("/nowhere/users.json"));
    }
}
