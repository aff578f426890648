//! Paths of keys, for messages and for lookups in a file.

use std::fmt;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The key of a table.
    Key(String),
    /// The index of an array.
    Index(usize),
}

impl Step {
    /// Returns the key, if the step is one.
    pub(crate) fn as_key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Index(_) => None,
        }
    }
}

/// The path of a key, such as `tenants.acme.rest.tokens[0].name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeyPath(pub(crate) Vec<Step>);

impl KeyPath {
    /// Returns the path of a tenant's table in the main file.
    pub(crate) fn tenant(id: &str) -> Self {
        Self::default().key("tenants").key(id)
    }

    /// Returns the path extended by a key.
    pub(crate) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    /// Returns the path extended by an index.
    pub(crate) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// Returns the path extended by one in the notation of `serde_path_to_error`.
    pub(crate) fn join(&self, rest: &str) -> Self {
        let mut path = self.clone();
        for key in rest.split('.').filter(|key| !key.is_empty()) {
            let mut parts = key.split('[');
            let name = parts.next().unwrap_or_default();
            if !name.is_empty() {
                path.0.push(Step::Key(name.to_owned()));
            }
            let indices = parts.filter_map(|part| part.strip_suffix(']')?.parse().ok());
            path.0.extend(indices.map(Step::Index));
        }
        path
    }

    /// Returns the last key of the path.
    pub(crate) fn last_key(&self) -> Option<&str> {
        self.0.iter().rev().find_map(Step::as_key)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_can_be_joined(text in "\\PC{0,40}", plain in "[a-z]{1,9}(\\[[1-9][0-9]{0,2}\\])?(\\.[a-z]{1,9}){0,3}") {
            KeyPath::default().join(&text);
            prop_assert_eq!(KeyPath::default().join(&plain).to_string(), plain);
        }
    }

    #[test]
    fn joined_path_displays_as_written() {
        let base = KeyPath::default().key("tenants").key("acme");
        let path = base.join("federation.clients[10].id");
        assert_eq!(path.to_string(), "tenants.acme.federation.clients[10].id");
        assert_eq!(path.0[4], Step::Index(10));
        assert_eq!(base.join("."), base);
        assert_eq!(base.join("tokens[1]").last_key(), Some("tokens"));
    }
}
