//! Parses a definition, and locates its problems.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Definition, check};

/// A mistake in a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionError {
    /// The line, from 1.
    pub line: usize,
    /// The key, such as `calls.delete.request.path`; empty if the text is not TOML.
    pub key: String,
    /// The fault, and the expected value.
    pub message: String,
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "line {}: {}", self.line, self.message),
            key => write!(f, "line {}: `{key}`: {}", self.line, self.message),
        }
    }
}

impl std::error::Error for DefinitionError {}

impl Definition {
    /// Parses and checks a definition. Returns all problems that were found, at least one.
    pub fn parse(text: &str) -> Result<Self, Vec<DefinitionError>> {
        let definition: Self = toml::from_str(text).map_err(|error| {
            let message = error.message().replace('\n', ", ");
            vec![DefinitionError { line: line_of(text, error.span()), key: String::new(), message }]
        })?;
        let problems = check::check(&definition);
        if problems.is_empty() {
            return Ok(definition);
        }
        let root = DeTable::parse(text).ok();
        let locate = |path: &[String]| line_of(text, root.as_ref().and_then(|root| span_of(root.get_ref(), path)));
        Err(problems
            .into_iter()
            .map(|(path, message)| DefinitionError { line: locate(&path), key: path.join("."), message })
            .collect())
    }
}

/// The definitions in use, by their texts.
static IN_USE: LazyLock<Mutex<HashMap<String, Weak<Definition>>>> = LazyLock::new(Mutex::default);

impl Definition {
    /// Like [`parse`](Self::parse), but returns the parsed definition of an equal text while it is in use.
    pub(crate) fn parse_shared(text: &str) -> Result<Arc<Self>, Vec<DefinitionError>> {
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(definition) = in_use.get(text).and_then(Weak::upgrade) {
            return Ok(definition);
        }
        let definition = Arc::new(Self::parse(text)?);
        in_use.retain(|_, definition| definition.strong_count() > 0);
        in_use.insert(text.to_owned(), Arc::downgrade(&definition));
        Ok(definition)
    }
}

fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    before.matches('\n').count() + 1
}

/// Returns the place of the key, or of the nearest table above it.
fn span_of(root: &DeTable<'_>, path: &[String]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let (key, value) = root.iter().find(|(key, _)| key.get_ref().as_ref() == first)?;
    Some(span_within(value, rest).unwrap_or_else(|| key.span()))
}

fn span_within(value: &Spanned<DeValue<'_>>, path: &[String]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    match value.get_ref() {
        DeValue::Table(table) => span_of(table, path),
        DeValue::Array(elements) => {
            let element = elements.get(first.parse::<usize>().ok()?)?;
            Some(span_within(element, rest).unwrap_or_else(|| element.span()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;

    #[test]
    fn equal_texts_share_a_definition_in_use() {
        let text = catalog::find("scim2").unwrap();
        let first = Definition::parse_shared(text).unwrap();
        let second = Definition::parse_shared(text).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        let other = Definition::parse_shared(&format!("{text}\n# changed")).unwrap();
        assert!(!Arc::ptr_eq(&first, &other));
        let unused = Arc::downgrade(&other);
        drop(other);
        assert!(unused.upgrade().is_none());
    }
}
